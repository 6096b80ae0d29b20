import pytest

from kaprune_edge.pruning.schedule import Schedule


def course(schedule, total, final=0.9):
    """Steps done -> sparsity, where masks are drawn."""
    steps = {step: schedule.share(step, total) for step in range(total)}
    return {step: share * final for step, share in steps.items() if share is not None}


@pytest.mark.parametrize("total", [1, 7, 100, 1000])
@pytest.mark.parametrize("kind", ["cubic", "linear"])
@pytest.mark.parametrize("fixed", [0, 0.3])
@pytest.mark.parametrize("times", [1, 3, 100])
def test_sparsity_rises_from_the_first_step_to_its_end_and_stays(kind, total, fixed, times):
    drawn = course(Schedule(course=kind, fixed_share=fixed, pruning_steps=times), total)
    ramp = max(1, round((1 - fixed) * total))
    assert list(drawn.values()) == sorted(set(drawn.values()))
    assert drawn[max(drawn)] == 0.9
    assert min(drawn) == 0
    assert max(drawn) < ramp
    assert len(drawn) == min(times, ramp)


@pytest.mark.parametrize("times", [1, 3, 100])
def test_it_is_settled_from_the_last_masks_on(times):
    schedule = Schedule(pruning_steps=times)
    last = max(course(schedule, 50))
    assert [schedule.is_settled(step, 50) for step in range(50)] == [False] * last + [True] * (50 - last)


def test_a_hundred_pruning_steps_follow_zhu_and_guptas_cube():
    drawn = course(Schedule(fixed_share=0, pruning_steps=100), 1000)
    assert list(drawn) == list(range(0, 1000, 10))
    for step, sparsity in drawn.items():
        assert sparsity == pytest.approx(0.9 + (0 - 0.9) * (1 - (step + 10) / 1000) ** 3)


def test_the_linear_course_is_even():
    drawn = course(Schedule(course="linear", pruning_steps=4, fixed_share=0.5), 80)
    assert drawn == pytest.approx({0: 0.225, 10: 0.45, 20: 0.675, 30: 0.9})


def test_one_pruning_step_is_the_first():
    assert course(Schedule(pruning_steps=1), 50) == {0: 0.9}
