"""Which level each matrix gets, so that the costs meet a budget and the errors are least."""

import numpy as np

UNITS = 20_000
"""Steps of the budget; a cost counts as the next whole number of them."""


def allocate(errors: np.ndarray, costs: np.ndarray, budget: float) -> np.ndarray | None:
    """Minimise the sum of the errors by dynamic programming over the matrices and the budget spent.

    As Frantar and Alistarh, "SPDY" (ICML 2022), section 3.1, divides a time.

    Args:
        errors: Of each matrix at each level, [matrices, levels].
        costs: Likewise, not negative.
        budget: What the costs may come to.

    Returns:
        The level of each matrix, [matrices]; None where no choice meets the budget.
    """
    if budget <= 0:
        return None
    units = np.ceil(np.round(costs / budget * UNITS, 6)).astype(np.int64)
    least = np.zeros(UNITS + 1)
    choices = np.empty((len(errors), UNITS + 1), np.int64)
    for matrix, (own_errors, own_units) in enumerate(zip(errors, units, strict=True)):
        candidates = np.full((len(own_errors), UNITS + 1), np.inf)
        for candidate, error, cost in zip(candidates, own_errors, own_units, strict=True):
            if cost <= UNITS:
                candidate[cost:] = least[: UNITS + 1 - cost] + error
        choices[matrix] = candidates.argmin(axis=0)
        least = candidates.min(axis=0)
    if not np.isfinite(least[UNITS]):
        return None
    left, levels = UNITS, np.empty(len(errors), np.int64)
    for matrix in reversed(range(len(errors))):
        levels[matrix] = choices[matrix, left]
        left -= units[matrix, levels[matrix]]
    return levels


def allocate_evenly(costs: np.ndarray, budget: float) -> np.ndarray | None:
    """Give all matrices the first level at which the costs meet a budget; see `allocate`."""
    (meeting,) = np.nonzero(costs.sum(axis=0) <= budget)
    return np.full(len(costs), meeting[0]) if len(meeting) else None
