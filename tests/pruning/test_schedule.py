import pytest

from kaprune_edge.pruning.schedule import Schedule


def course(schedule, total, final=0.9):
    return [schedule.sparsity(step, total, final) for step in range(1, total + 1)]


@pytest.mark.parametrize("total", [1, 7, 100, 1000])
@pytest.mark.parametrize("kind", ["cubic", "linear"])
@pytest.mark.parametrize("fixed", [0, 0.3])
def test_sparsity_rises_to_the_end_and_stays(kind, total, fixed):
    steps = course(Schedule(course=kind, fixed_share=fixed), total)
    drawn = [sparsity for sparsity in steps if sparsity is not None]
    assert drawn == sorted(drawn)
    assert drawn[-1] == 0.9
    last = max(index for index, sparsity in enumerate(steps) if sparsity is not None)
    assert last + 1 == max(1, round((1 - fixed) * total))


def test_a_hundred_pruning_steps_follow_zhu_and_guptas_cube():
    steps = course(Schedule(fixed_share=0), 1000)
    drawn = {index + 1: sparsity for index, sparsity in enumerate(steps) if sparsity is not None}
    assert len(drawn) == 100
    for step, sparsity in drawn.items():
        assert sparsity == pytest.approx(0.9 + (0 - 0.9) * (1 - step / 1000) ** 3)


def test_the_linear_course_is_even():
    steps = course(Schedule(course="linear", pruning_steps=4, fixed_share=0.5), 80)
    assert [sparsity for sparsity in steps if sparsity is not None] == pytest.approx(
        [0.225, 0.45, 0.675, 0.9]
    )
