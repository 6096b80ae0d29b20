"""Factors that give the inputs of a matrix like ranges before they are rounded, from texts of a task."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import onnx_ir as ir
import onnxruntime
from onnx_ir.passes.common import InlinePass

from kaprune_edge.checkpoints import max_tokens
from kaprune_edge.export import sparse_linear
from kaprune_edge.export.domain import is_ours
from kaprune_edge.export.graph import constant
from kaprune_edge.export.packed import PackedMatrix, packed_matrices
from kaprune_edge.export.passes import quantization
from kaprune_edge.export.source import Source
from kaprune_edge.sparsity.packing import BlockSparseRows, unpack
from kaprune_edge.tasks import Task
from kaprune_edge.tasks.tokenization import tokenize
from kaprune_runtime.errors import InputError
from kaprune_runtime.session import run

__all__ = [
    "Calibration",
    "Feeds",
    "Probe",
    "draw_rows",
    "find_factors",
    "quantize_calibrated",
    "round_rows",
]

LONGEST = 128
"""Tokens at which a row is cut off."""
ROWS = 128
"""Training rows that ranges are taken from, and as many others to judge by."""
SHARES = (0.5, 0.75)
"""How much of the differences between inputs' ranges to hand on to the weights."""

Feeds = Mapping[str, np.ndarray]
"""int64 [1, length] for each input of a model."""


@dataclass(frozen=True)
class Calibration:
    """What calibration gained, on rows that no range was taken from."""

    matrices: int
    """Those whose inputs have factors, since rounding hurts less so."""
    difference_before: float
    """Mean difference of a logit from the source, rounded without factors."""
    difference: float
    """The same with them."""


def quantize_calibrated(source: Source, task: Task, embeddings: str | None) -> tuple[ir.Model, Calibration]:
    """Round a model's weights, with factors for the inputs of packed matrices if these bring logits closer.

    Args:
        source: Its model is optimized; it is used up.
        task: Gives training rows.
        embeddings: As in `quantization`.

    Raises:
        InputError: No matrix is packed.
    """
    measured, judged = draw_rows(source, task)
    factors = find_factors(source.model, measured, judged)
    plain, fitted = source.model.clone(), source.model
    for model, own in ((plain, {}), (fitted, factors)):
        rounding = quantization(weights="int8", embeddings=embeddings, factors=own)
        assert rounding is not None
        rounding(model)
    exact = [source.reference(feeds) for feeds in judged]
    before, after = (_difference(model, judged, exact) for model in (plain, fitted))
    if after < before:
        return fitted, Calibration(len(factors), before, after)
    return plain, Calibration(0, before, before)


def draw_rows(source: Source, task: Task) -> tuple[list[Feeds], list[Feeds]]:
    """Choose training rows of a task, `ROWS` to take ranges from and as many others to judge by."""
    order = np.random.default_rng(0).permutation(len(task.train))[: 2 * ROWS]
    longest = min(LONGEST, max_tokens(source.config))
    rows = tokenize(task.train.select(order), task, source.tokenizer, longest)
    names = [_name(value) for value in source.model.graph.inputs]
    feeds: list[Feeds] = [{name: _read(row, name) for name in names} for row in rows]
    return feeds[: len(feeds) // 2], feeds[len(feeds) // 2 :]


def find_factors(
    model: ir.Model, measured: Sequence[Feeds], judged: Sequence[Feeds]
) -> dict[str, np.ndarray]:
    """Find factors for the inputs of those packed matrices that are less off with them when rounded.

    Input k is divided by s[k] = largest |x[k]| ** share / largest |W[:, k]| ** (1 - share), column k of W
    multiplied by it (Xiao et al. 2023, "SmoothQuant", equation 4). Matrices that multiply the same have the
    same factors.

    Args:
        model: Optimized, nothing rounded.
        measured: Rows without padding that give the ranges of inputs.
        judged: Others that choose the share, or none, by the error of the products.

    Returns:
        1 / s, float32 [K], by the name of a matrix's values.

    Raises:
        InputError: No matrix is packed.
    """
    probe = Probe(model)
    largest = {x: np.zeros(weight.shape[1], np.float32) for x, weight in probe.weights.items()}
    for x, tokens in probe.run(measured):
        np.maximum(largest[x], np.abs(tokens).max(axis=0), out=largest[x])
    choices = {x: _choices(weight, largest[x]) for x, weight in probe.weights.items()}
    errors = {x: np.zeros(1 + len(SHARES)) for x in choices}
    for x, tokens in probe.run(judged):
        exact = tokens @ probe.weights[x].T
        for index, (factors, rounded) in enumerate(choices[x]):
            errors[x][index] += np.square(round_rows(tokens * factors) @ rounded.T - exact).sum()
    uses = Counter(chain.from_iterable(probe.names.values()))
    found: dict[str, np.ndarray] = {}
    for x, names in probe.names.items():
        best = int(np.argmin(errors[x]))
        # A matrix that multiplies several things cannot have the factors of each.
        if best > 0 and all(uses[name] == 1 for name in names):
            found |= dict.fromkeys(names, choices[x][best][0])
    return found


def _choices(weight: np.ndarray, largest: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Give factors, and what the weight is rounded to with them: first none, then those of each share."""
    columns = np.abs(weight).max(axis=0)
    # No range counts as smaller than a thousandth of the largest.
    x, w = (np.maximum(each, max(each.max() / 1000, 1e-6)) for each in (largest, columns))
    factors = [np.ones_like(x), *(w ** (1 - share) / x**share for share in SHARES)]
    return [(each, round_rows(weight / each)) for each in factors]


class Probe:
    """A model that tells what its packed matrices multiply."""

    def __init__(self, model: ir.Model) -> None:
        """Take the fused operators apart.

        Raises:
            InputError: No matrix is packed.
        """
        matrices = {_name(each.values): each for node in model.graph for each in packed_matrices(node)}
        if not matrices:
            raise InputError("no matrix is sparse enough to be packed and calibrated; leave out --calibrate")
        probe = model.clone()
        InlinePass(criteria=lambda function: function.name != sparse_linear.OP_TYPE)(probe)
        reads: dict[ir.Value, list[str]] = {}
        for x, values in (node.inputs[:2] for node in probe.graph if is_ours(node, sparse_linear.OP_TYPE)):
            assert x is not None
            reads.setdefault(x, []).append(_name(values))
        probe.graph.outputs[:] = list(reads)
        self._session = _load(probe)
        self.names = {_name(x): names for x, names in reads.items()}
        """Of the values of all matrices that multiply an x, by its name."""
        self.weights = {
            x: np.concatenate([_expand(matrices[name]) for name in names]) for x, names in self.names.items()
        }
        """These matrices one below the other, [N, K]."""

    def run(self, rows: Sequence[Feeds]) -> Iterator[tuple[str, np.ndarray]]:
        """Give what matrices multiply, [tokens, K], by name, row by row."""
        for feeds in rows:
            for name, x in zip(self.weights, self._session.run(None, dict(feeds)), strict=True):
                yield name, x.reshape(-1, x.shape[-1])


def round_rows(matrix: np.ndarray) -> np.ndarray:
    """Round each row to multiples of 1/127 of its largest magnitude."""
    steps = np.maximum(np.abs(matrix).max(axis=1, keepdims=True), np.float32(1e-30)) / np.float32(127)
    return np.rint(matrix / steps) * steps


def _read(row: Mapping[str, Sequence[int]], name: str) -> np.ndarray:
    """Give one input; a tokenizer that makes no segments means the first."""
    return np.array([row.get(name) or [0] * len(row["input_ids"])], np.int64)


def _difference(model: ir.Model, rows: Sequence[Feeds], exact: Sequence[np.ndarray]) -> float:
    """Average how far a model's logits are from others."""
    loaded = _load(model)
    return float(
        np.mean([np.abs(run(loaded, row) - logits).mean() for row, logits in zip(rows, exact, strict=True)])
    )


def _load(model: ir.Model) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(ir.to_proto(model).SerializeToString())


def _expand(matrix: PackedMatrix) -> np.ndarray:
    content = [constant(value) for value in (matrix.values, *matrix.indices)]
    return unpack(BlockSparseRows(matrix.shape, *(each for each in content if each is not None)))


def _name(value: ir.Value | None) -> str:
    return (value and value.name) or ""
