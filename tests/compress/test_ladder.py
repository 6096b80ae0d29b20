import pytest

from kaprune_edge.compress.judge import Drop
from kaprune_edge.compress.ladder import LAST, MOST_TRIES, Attempt, Outcome, best, next_attempt

LONG = 3000.0


def outcome(attempt, points, max_drop=1.0):
    drop = Drop(points, points - 1, points + 1)
    return Outcome(attempt, drop, points <= max_drop, 10, 10 * (1 - attempt.sparsity), 1000, 60.0, 30.0)


def search(drop_of, *, left=LONG, cost=100.0):
    """Run the search on a model whose drop follows from sparsity and tries."""
    outcomes = []
    while attempt := next_attempt(outcomes, max_drop=1, left=left):
        tries = sum(each.attempt.sparsity == attempt.sparsity for each in outcomes) + 1
        outcomes.append(outcome(attempt, drop_of(attempt.sparsity, tries)))
        left -= cost + attempt.seconds
        assert len(outcomes) < 50
    return outcomes


def test_climbs_by_halves_while_the_promise_is_kept():
    outcomes = search(lambda sparsity, _: 0.0, left=100_000)
    assert [each.attempt.sparsity for each in outcomes][:4] == [0.6, 0.8, 0.9, 0.95]
    assert outcomes[-1].attempt.sparsity == LAST
    assert [each.attempt.start for each in outcomes] == [None, *(each.attempt.name for each in outcomes[:-1])]


def test_climbs_faster_where_time_is_short():
    sparsities = [each.attempt.sparsity for each in search(lambda *_: 0.0, left=600, cost=60)]
    assert sparsities[:2] == [0.6, 0.9]


def test_goes_back_halfway_after_a_miss_and_ends_between_neighbours():
    outcomes = search(lambda sparsity, _: 0.5 if sparsity <= 0.87 else 9.0, left=100_000)
    kept = [each.attempt.sparsity for each in outcomes if each.kept]
    missed = [each.attempt.sparsity for each in outcomes if not each.kept]
    assert best(outcomes).attempt.sparsity == max(kept) <= 0.87 < min(missed)
    assert (1 - max(kept)) / (1 - min(missed)) < 1.6
    started = {each.attempt.name: each for each in outcomes}
    assert all(each.attempt.start is None or started[each.attempt.start].kept for each in outcomes)


def test_trains_on_while_that_can_bring_the_promise():
    outcomes = search(lambda sparsity, tries: 3.0 / tries if sparsity > 0.7 else 0.0)
    eighty = [each for each in outcomes if each.attempt.sparsity == 0.8]
    assert [each.drop.points for each in eighty] == [3.0, 1.5, 1.0]
    assert eighty[1].attempt.start == eighty[0].attempt.name
    assert eighty[1].attempt.seconds == pytest.approx(2 * eighty[0].attempt.seconds)


def test_gives_up_where_training_brings_nothing():
    outcomes = search(lambda sparsity, _: 2.5 if sparsity > 0.7 else 0.0)
    assert sum(each.attempt.sparsity == 0.8 for each in outcomes) == 2 <= MOST_TRIES


def test_a_promise_that_nothing_keeps_ends_below_the_first_step():
    outcomes = search(lambda *_: 50.0, left=100_000)
    assert best(outcomes) is None
    assert min(each.attempt.sparsity for each in outcomes) < 0.6
    assert len(outcomes) < 10


def test_no_time_no_attempt():
    assert next_attempt([], max_drop=1, left=0) is None


def test_outcomes_survive_json():
    made = outcome(Attempt(3, 0.9, "02-80", 60.0), 0.7)
    assert Outcome.from_json(made.to_json()) == made
