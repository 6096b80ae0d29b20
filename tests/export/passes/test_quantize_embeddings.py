import subprocess
import sys

import graphs
import numpy as np
import onnx_ir as ir
import pytest

from kaprune_edge.export.passes.quantize_embeddings import QuantizeEmbeddings
from kaprune_runtime import InputError

GRAPH = """
word_rows = Gather (words, input_ids)
place_rows = Gather (places, position_ids)
type_rows = Gather (types, token_type_ids)
some = Add (word_rows, place_rows)
Y = Add (some, type_rows)
"""
SIGNATURE = (
    "(int64[b, s] input_ids, int64[1, s] position_ids, int64[b, s] token_type_ids) => (float[b, s, w] Y)"
)


def make(rows=500, width=96):
    """A graph of three tables, one row of each all zeros, one much larger than the others."""
    random = np.random.default_rng(0)
    tables = {
        name: random.standard_normal((count, width), np.float32) * np.float32(0.05)
        for name, count in (("words", rows), ("places", 64), ("types", 2))
    }
    for table in tables.values():
        table[0] = 0
        table[1] *= 100
    return graphs.parse(GRAPH, SIGNATURE, **tables), tables


def quantized(kind, **shape):
    model, tables = make(**shape)
    assert QuantizeEmbeddings(kind)(model).modified
    return model, tables


def feeds(rows=500):
    return {
        "input_ids": np.arange(rows).reshape(10, -1),
        "position_ids": np.arange(rows // 10)[None],
        "token_type_ids": np.arange(rows).reshape(10, -1) % 2,
    }


def content(model, name):
    return model.graph.initializers[name].const_value.numpy()


def int8_table(model, name):
    """Turn values and scales into floats, independently of the graph."""
    values = content(model, f"{name}.values")
    assert values.dtype == np.int8
    return values * content(model, f"{name}.scales")


def int4_table(model, name):
    codes, pairs = content(model, f"{name}.codes"), content(model, f"{name}.pairs")
    assert codes.dtype == np.uint8
    levels = pairs[:16, 0]
    columns = np.stack([levels[codes & 15], levels[codes >> 4]], axis=-1).reshape(len(codes), -1)
    scales = content(model, f"{name}.scales").astype(np.float32)
    return columns * np.repeat(scales[..., 0], columns.shape[1] // scales.shape[1], axis=1)


@pytest.mark.parametrize(("kind", "table"), [("int8", int8_table), ("int4", int4_table)])
@pytest.mark.parametrize("width", [96, 128, 78])
def test_the_graph_gives_the_rounded_tables(kind, table, width):
    model, tables = quantized(kind, width=width)
    given = feeds()
    expected = (
        table(model, "words")[given["input_ids"]]
        + int8_table(model, "places")[given["position_ids"]]
        + tables["types"][given["token_type_ids"]]
    )
    np.testing.assert_allclose(graphs.run(model, given), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("kind", "table", "bound"), [("int8", int8_table, 0.009), ("int4", int4_table, 0.1)])
def test_rounding_is_small(kind, table, bound):
    """The root of the mean squared error of each row, against the row's own; zeros stay zeros."""
    model, tables = quantized(kind)
    original, rounded = tables["words"], table(model, "words")
    assert not rounded[0].any()
    errors = np.linalg.norm(rounded - original, axis=1)[1:] / np.linalg.norm(original, axis=1)[1:]
    assert errors.max() < 1.5 * bound
    assert errors.mean() < bound


def test_int4_is_better_than_equal_steps():
    """Against the best of many equal step sizes for each group of 64."""
    model, tables = quantized("int4", rows=2000, width=128)
    original = tables["words"]
    groups = original.reshape(2000, -1, 64)
    largest = np.abs(groups).max(axis=-1, keepdims=True) + 1e-9
    steps = [share * largest / 7.5 for share in np.linspace(0.5, 1, 26)]
    equal = [((np.clip(np.rint(groups / step), -8, 7) * step - groups) ** 2).sum(-1) for step in steps]
    error = ((int4_table(model, "words") - original) ** 2).sum()
    assert error < 0.95 * np.min(equal, axis=0).sum()


def test_sizes():
    """1 and 1/2 bytes a weight, and the scales: 4 a row, 2 a group of 48."""
    (int8, _), (int4, _) = quantized("int8"), quantized("int4")
    sizes = {name: content(int8, f"words.{name}").nbytes for name in ("values", "scales")}
    assert sizes == {"values": 500 * 96, "scales": 500 * 4}
    sizes = {name: content(int4, f"words.{name}").nbytes for name in ("codes", "scales")}
    assert sizes == {"codes": 500 * 48, "scales": 500 * 2 * 2}
    for model in (int8, int4):
        assert {"words", "places"}.isdisjoint(model.graph.initializers)
        assert "types" in model.graph.initializers


def test_an_odd_width_stays_int8():
    model, _ = quantized("int4", width=97)
    assert int8_table(model, "words").shape == (500, 97)


def test_tables_that_are_read_otherwise_are_left_alone():
    model = graphs.parse(
        """rows = Gather (shared, input_ids)
        turned = Transpose <perm: ints = [1, 0]> (shared)
        Y = MatMul (rows, turned)
        other = Gather <axis: int = 1> (columns, input_ids)""",
        "(int64[b, s] input_ids) => (float[b, s, 500] Y)",
        **{name: np.ones((500, 96), np.float32) for name in ("shared", "columns")},
    )
    assert not QuantizeEmbeddings("int4")(model).modified


def test_an_unknown_kind_is_refused():
    with pytest.raises(InputError, match="unknown embeddings 'int3'; choose from int8, int4"):
        QuantizeEmbeddings("int3")


PEAK = """
import sys
import numpy, onnxruntime
session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
ids = numpy.ones((1, 8), numpy.int64)
session.run(None, {node.name: ids for node in session.get_inputs()})
print(*(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def peak_kilobytes(file):
    done = subprocess.run([sys.executable, "-c", PEAK, file], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.parametrize(("kind", "share"), [("int8", 0.30), ("int4", 0.18)])
def test_no_runtime_makes_the_table_dense(tmp_path, kind, share):
    """Peak memory falls as the file does: a table of 50 MB, loaded and run in a process of its own."""
    original, changed, empty = (tmp_path / name for name in ("original.onnx", "changed.onnx", "empty.onnx"))
    model, _ = make(rows=2**15, width=384)
    ir.save(model, original)
    QuantizeEmbeddings(kind)(model)
    ir.save(model, changed)
    ir.save(make(rows=64, width=384)[0], empty)
    assert changed.stat().st_size < share * original.stat().st_size
    base = peak_kilobytes(empty)
    assert peak_kilobytes(changed) - base < (share + 0.05) * (peak_kilobytes(original) - base)
