"""One file, run by the native library and by ONNX Runtime alone."""

import os
import subprocess
import sys
import warnings

import numpy as np
import onnx
import onnxruntime
import pytest

import kaprune_runtime
from kaprune_edge import workflow
from kaprune_runtime import KapruneError, instruction_set, library_path, session

KERNELS = ("avx512_vnni", "avx512", "avx2_vnni", "avx2", "neon_i8mm", "neon_dotprod", "neon", "portable")


PATTERNS = {
    "4x1": [(4, 1)],
    "unstructured": [(1, 1)],
    "1x4": [(1, 4)],
    "4x4 and 4x1": [(4, 4), (4, 1)],  # matrices in turn: query, key and value share an input
    "4x1 and 1x4": [(4, 1), (1, 4)],
}


@pytest.fixture(
    scope="module",
    params=[
        ("4x1", None),
        ("unstructured", None),
        ("4x1", "int8"),
        ("unstructured", "int8"),
        ("1x4", "int8"),
        ("4x4 and 4x1", "int8"),
        ("4x1 and 1x4", "int8"),
        ("4x1", "calibrated int8"),
        ("unstructured", "calibrated int8"),
        ("4x1 and 1x4", "calibrated int8"),
    ],
    ids=lambda param: " ".join(filter(None, param)),
)
def deployment(request, sparse_checkpoint, task_spec, tmp_path_factory):
    pattern, rounding = request.param
    checkpoint, _ = sparse_checkpoint(blocks=PATTERNS[pattern])
    folder = tmp_path_factory.mktemp("deployment") / "out"
    calibrate = task_spec if rounding == "calibrated int8" else None
    workflow.export(checkpoint, folder, quantize=rounding and "int8", calibrate=calibrate)
    return folder


def test_both_ways_give_the_same_logits(deployment):
    native, portable = session(deployment, threads=2), session(deployment, portable=True)
    random = np.random.default_rng(0)
    for batch, length in [(1, 1), (1, 16), (3, 40), (2, 29), (2, 30), (2, 31), (2, 32)]:
        ids = random.integers(5, 30, (batch, length))
        feeds = {
            "input_ids": ids,
            "attention_mask": (np.arange(length) < random.integers(0, length + 1, (batch, 1))).astype(
                np.int64
            ),
            "token_type_ids": np.zeros_like(ids),
        }
        feeds["attention_mask"][-1] *= random.integers(-3, 4)  # 0: a row of nothing but padding
        expected = portable.run(None, feeds)[0]
        np.testing.assert_allclose(native.run(None, feeds)[0], expected, rtol=0, atol=1e-5)


def test_the_native_library_really_runs(deployment, tmp_path):
    options = onnxruntime.SessionOptions()
    options.register_custom_ops_library(str(library_path()))
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    onnxruntime.InferenceSession(deployment / "model.onnx", options)
    types = {
        node.op_type
        for node in onnx.load(tmp_path / "optimized.onnx").graph.node
        if node.domain == "ai.kaprune"
    }
    assert types  # the portable way leaves none


def test_without_the_library_one_warning_and_the_same_results(deployment, monkeypatch, tmp_path):
    ones = np.ones((1, 4), np.int64)
    feeds = {"input_ids": ones, "attention_mask": ones, "token_type_ids": ones * 0}
    expected = session(deployment, portable=True).run(None, feeds)[0]
    monkeypatch.setenv("KAPRUNE_LIBRARY", str(tmp_path / "missing.so"))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        results = [session(deployment).run(None, feeds)[0] for _ in range(2)]
    assert [str(warning.message) for warning in caught] == [
        f"running without sparse kernels, slower: {tmp_path / 'missing.so'} does not exist; "
        "unset or correct KAPRUNE_LIBRARY"
    ]
    for result in results:
        np.testing.assert_array_equal(result, expected)


def test_the_library_names_its_kernels(monkeypatch, tmp_path):
    assert instruction_set() in KERNELS
    monkeypatch.setenv("KAPRUNE_LIBRARY", kaprune_runtime.__file__)
    with pytest.raises(KapruneError, match="does not load"):
        instruction_set()


@pytest.mark.parametrize("deployment", [("4x1", None)], indirect=True, ids=["4x1"])
@pytest.mark.parametrize("chosen", ["portable", "avx2048"])
def test_the_instruction_set_can_be_chosen(deployment, chosen):
    program = (
        "import sys, numpy, kaprune_runtime\n"
        "ones = numpy.ones((1, 9), numpy.int64)\n"
        "feeds = dict(input_ids=ones, attention_mask=ones, token_type_ids=ones * 0)\n"
        "run = lambda **how: kaprune_runtime.session(sys.argv[1], **how).run(None, feeds)[0]\n"
        "print(abs(run() - run(portable=True)).max() < 1e-5, kaprune_runtime.instruction_set())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(deployment)],
        env={**os.environ, "KAPRUNE_INSTRUCTION_SET": chosen},
        capture_output=True,
        text=True,
    )
    if chosen == "portable":
        assert done.stdout == "True portable\n", done.stderr
    else:
        assert "running without sparse kernels, slower:" in done.stderr
        assert done.stderr.endswith(
            "this machine does not run avx2048; unset or correct KAPRUNE_INSTRUCTION_SET\n"
        )
