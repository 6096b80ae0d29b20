"""The same library binary, and the same runner, in several releases of onnxruntime."""

import os
import subprocess
import sys

import numpy as np
import pytest
from nodes import linear_model, linear_parts, sparse_weight

from kaprune_edge.devices.door import Door
from kaprune_edge.devices.runner_agent import RunnerAgent
from kaprune_edge.devices.without_python import DeviceWithoutPython
from kaprune_edge.progress import Silent
from kaprune_runtime import Classifier, library_path

RELEASES = ("1.20.1", "1.22.1", "1.27.0", "1.31.1")
RUN = """
import sys
import numpy, onnxruntime
library, model, inputs, outputs, release = sys.argv[1:]
assert onnxruntime.__version__ == release, onnxruntime.__version__
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 2
options.register_custom_ops_library(library)
session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
numpy.save(outputs, session.run(None, {"X": numpy.load(inputs)})[0])
"""


@pytest.mark.parametrize("release", RELEASES)
def test_a_release_loads_and_runs_the_library(installed, release, tmp_path):
    weight = sparse_weight(64, 96, (4, 1))
    tensors, attributes = linear_parts(weight, (4, 1))
    (tmp_path / "model.onnx").write_bytes(linear_model(tensors, attributes))
    x = np.random.default_rng(0).standard_normal((3, 17, 96), np.float32)
    np.save(tmp_path / "x.npy", x)
    files = [tmp_path / name for name in ("model.onnx", "x.npy", "y.npy")]
    environment = {**os.environ, "PYTHONPATH": str(installed(release))}
    command = [sys.executable, "-c", RUN, library_path(), *files, release]
    done = subprocess.run([*map(str, command)], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    expected = x.astype(np.float64) @ weight.T + tensors["bias"]
    np.testing.assert_allclose(np.load(files[2]), expected, rtol=0, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("release", RELEASES)
def test_the_runner_runs_a_deployment_in_a_release(installed, release, sparse_deployment):
    folder, texts = sparse_deployment(), ["a warm and funny film", "dull"]
    (onnxruntime,) = (installed(release) / "onnxruntime" / "capi").glob(f"libonnxruntime.so.{release}")
    with RunnerAgent(Door("here", ["sh", "-c"], None, lambda *_: None), None) as connection:
        device = DeviceWithoutPython(connection, onnxruntime, None)
        device.prepare([folder], Silent())
        with device.classifier(folder) as there:
            logits = there.logits(texts)
    np.testing.assert_allclose(logits, Classifier(folder).logits(texts), rtol=0, atol=1e-5)
