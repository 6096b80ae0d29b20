"""Allocation beside every choice there is."""

from itertools import product

import numpy as np
import pytest

from kaprune_edge.budget.allocation import allocate, allocate_evenly


def tables(seed, matrices=4, levels=5):
    """Errors that rise and costs that fall, neither evenly."""
    random = np.random.default_rng(seed)
    errors = np.sort(random.exponential(size=(matrices, levels)) ** 2, axis=1)
    costs = -np.sort(-random.uniform(1, 9, size=(matrices, levels)), axis=1)
    return errors, costs


def taken(table, levels):
    return table[np.arange(len(levels)), levels].sum()


@pytest.mark.parametrize("seed", range(20))
def test_no_other_choice_that_meets_the_budget_loses_less(seed):
    errors, costs = tables(seed)
    budget = np.random.default_rng(seed).uniform(costs[:, -1].sum(), costs[:, 0].sum())
    levels = allocate(errors, costs, budget)
    assert taken(costs, levels) <= budget
    best = min(
        taken(errors, choice)
        for choice in product(range(5), repeat=4)
        if taken(costs, choice) <= 0.999 * budget
    )
    assert taken(errors, levels) <= best


def test_a_budget_that_is_just_met_is_met():
    errors, costs = tables(0)
    assert allocate(errors, costs, costs[:, -1].sum() * 1.001).tolist() == [4] * 4
    assert allocate(errors, costs, costs[:, 0].sum() * 1.001).tolist() == [0] * 4


def test_an_impossible_budget_has_no_allocation():
    errors, costs = tables(0)
    assert allocate(errors, costs, costs[:, -1].sum() * 0.99) is None
    assert allocate_evenly(costs, costs[:, -1].sum() * 0.99) is None


def test_even_shares_are_the_largest_that_meet_the_budget():
    costs = np.array([[4.0, 2, 1], [8, 4, 2]])
    assert allocate_evenly(costs, 7).tolist() == [1, 1]
    assert allocate_evenly(costs, 12).tolist() == [0, 0]
