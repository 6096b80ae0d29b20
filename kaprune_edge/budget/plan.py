"""The sparsity of each matrix, for a share of the weights or a latency, evenly or by sensitivity."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
from torch import Tensor
from transformers import PreTrainedModel

from kaprune_edge.budget.allocation import allocate, allocate_evenly
from kaprune_edge.budget.latency import linear_milliseconds, model_milliseconds
from kaprune_edge.budget.sensitivity import measure_errors
from kaprune_edge.encoder import encoder_matrices
from kaprune_edge.progress import Progress
from kaprune_edge.sparsity.patterns import Blocks, Pattern
from kaprune_runtime.errors import InputError

MEASURED = np.array([1, 0.5, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01])
"""Shares of the weights kept at which times are measured."""
KEPT = np.geomspace(MEASURED[0], MEASURED[-1], 81)
"""Shares to choose from; times between the measured ones are interpolated linearly."""
ROUNDS = 5
"""Whole models to measure at most: one at an even plan, the others at the plan that follows from the last."""
TOLERANCE = 0.02
"""By how much a measured latency may miss the one asked for, as a share of it."""


@dataclass(frozen=True)
class Plan:
    """What pruning is to reach."""

    sparsity: Mapping[str, float]
    """Matrix -> share of its weights to remove."""
    milliseconds: float | None = None
    """Of the whole model on a text as measured here, where a latency was asked for."""

    def to_json(self) -> dict[str, object]:
        """Give what `Plan(**...)` takes."""
        return asdict(self)


def check_latency(model: PreTrainedModel, pattern: Pattern, milliseconds: float) -> None:
    """Refuse a latency that needs more weights gone than can go.

    Args:
        model: Of the shape that is to be pruned, trained or not.
        pattern: Which weights go together.
        milliseconds: For a text of 128 tokens on one thread, in float32.

    Raises:
        InputError: The model is not as fast at the least kept share.
    """
    fastest = model_milliseconds(model, pattern, dict.fromkeys(encoder_matrices(model), 1 - KEPT[-1]))
    if fastest > milliseconds * (1 + TOLERANCE):
        raise _out_of_reach(milliseconds, fastest)


class Planner:
    """Measures what a division of the sparsity needs to know, each at most once."""

    def __init__(
        self,
        model: PreTrainedModel,
        batches: Sequence[Mapping[str, Tensor]],
        pattern: Blocks,
        progress: Progress,
    ) -> None:
        """Remember what to measure.

        Args:
            model: Dense, and fine-tuned.
            batches: Tokenized text with `attention_mask`, without labels.
            pattern: Which weights go together.
            progress: Told of every measurement.
        """
        self._model = model
        self._batches = batches
        self._pattern = pattern
        self._progress = progress
        self._matrices = encoder_matrices(model)

    def for_weights(self, sparsity: float) -> Plan:
        """Divide a share of all weights by sensitivity.

        Raises:
            InputError: More is to go than the measured range has.
        """
        sizes = np.array([[weight.numel()] for weight in self._matrices.values()])
        block = self._pattern.rows * self._pattern.columns
        costs = np.round(sizes * KEPT / block) * block
        levels = allocate(self._errors(), costs, (1 - sparsity) * sizes.sum() * (1 + 1e-9))
        if levels is None:
            raise InputError(
                f"sparsity {sparsity:g} is beyond what is divided by sensitivity, {1 - KEPT[-1]:g}; "
                "lower it or take --budget uniform"
            )
        return self._plan(levels)

    def for_latency(self, milliseconds: float, *, by_sensitivity: bool) -> Plan:
        """Remove as little as lets the whole model run in a given time on this machine.

        A model's time is that of its matrices one by one and a rest, which depends on the plan: whole models
        are measured until the plan that follows from the last one is that one, and the best is taken.

        Args:
            milliseconds: For a text of 128 tokens on one thread, in float32.
            by_sensitivity: Whether matrices that suffer less are pruned further than others.

        Raises:
            InputError: Not even the least kept share is as fast.
        """
        times = self._times()
        errors = self._errors() if by_sensitivity else None
        levels = np.full(len(times), np.abs(KEPT - 0.1).argmin())
        plans: list[Plan] = []
        self._progress.start("whole models", ROUNDS)
        for done in range(1, ROUNDS + 1):
            plan = self._plan(levels)
            whole = model_milliseconds(self._model, self._pattern, plan.sparsity)
            plans.append(replace(plan, milliseconds=whole))
            self._progress.advance(done, milliseconds=whole)
            rest = whole - float(times[np.arange(len(levels)), levels].sum())
            left = milliseconds - rest
            found = allocate_evenly(times, left) if errors is None else allocate(errors, times, left)
            if found is None or (found == levels).all():
                break
            levels = found
        most = milliseconds * (1 + TOLERANCE)
        best = max(plans, key=lambda plan: _merit(plan, most))
        if found is None and not _merit(best, most)[0]:
            raise _out_of_reach(milliseconds, rest + times[:, -1].sum())
        return best

    def _plan(self, levels: np.ndarray) -> Plan:
        return Plan(dict(zip(self._matrices, (1 - KEPT[levels]).tolist(), strict=True)))

    def _errors(self) -> np.ndarray:
        """Errors of all matrices at all levels, [matrices, levels]."""
        self._progress.start("sensitivity", len(self._batches))
        return measure_errors(self._model, self._batches, self._pattern, KEPT, self._progress.advance)

    def _times(self) -> np.ndarray:
        """Milliseconds of all matrices at all levels, [matrices, levels]."""
        shapes = [(weight.shape[0], weight.shape[1]) for weight in self._matrices.values()]
        self._progress.start("kernel times", len(set(shapes)))
        times = {}
        for done, shape in enumerate(sorted(set(shapes)), 1):
            measured = [linear_milliseconds(shape, self._pattern, 1 - kept) for kept in MEASURED]
            times[shape] = np.minimum.accumulate(measured)
            self._progress.advance(done)
        return np.stack([np.interp(-KEPT, -MEASURED, times[shape]) for shape in shapes])


def _out_of_reach(milliseconds: float, fastest: float) -> InputError:
    return InputError(
        f"a latency of {milliseconds:g} ms is out of reach; with {KEPT[-1]:.0%} of its weights "
        f"the model takes about {fastest:.2g} ms here"
    )


def _merit(plan: Plan, most: float) -> tuple[bool, float]:
    """Rank plans: the slowest of those that are fast enough first, then the fastest of the others."""
    assert plan.milliseconds is not None
    meets = plan.milliseconds <= most
    return meets, plan.milliseconds if meets else -plan.milliseconds
