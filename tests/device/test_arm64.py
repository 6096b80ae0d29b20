"""Real 64-bit Arm Python, onnxruntime and wheel in emulation; `make test-arm64` sets them up."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from device_processes import executable

from kaprune_edge.bench import bench
from kaprune_edge.devices import open_device
from kaprune_edge.progress import Silent
from kaprune_edge.workflow import evaluate
from kaprune_runtime import Classifier, KapruneError

pytestmark = pytest.mark.arm64

CHECKOUT = Path(__file__).parents[2]
PYTHON = str(CHECKOUT / "build" / "arm64-root" / "python")
TEXTS = ["a warm and funny film", "dull", "what a lovely evening ! not worth the price", "flat acting " * 9]


@pytest.fixture
def wheel():
    (wheel,) = (CHECKOUT / "dist").glob("kaprune_edge_runtime-*-py3-none-manylinux_*_aarch64.whl")
    return wheel


EXPORTS = {
    "float32": {"target": "arm64"},
    "int8": {"target": "arm64", "quantize": "int8"},
    "int8 with embeddings": {"target": "arm64", "quantize": "int8", "embeddings": "int8"},
    "int4 embeddings": {"target": "arm64", "embeddings": "int4"},
}
each_export = pytest.mark.parametrize("options", EXPORTS.values(), ids=EXPORTS)


@each_export
def test_from_text_to_label_as_on_this_machine(sparse_deployment, options):
    folder = sparse_deployment(**options)
    command = [PYTHON, "-m", "kaprune_runtime", "predict", folder, *TEXTS, "--json"]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    there = [json.loads(line) for line in done.stdout.splitlines()]
    here = Classifier(folder)(TEXTS)
    assert [each["label"] for each in there] == [each.label for each in here]
    scores = [list(each["scores"].values()) for each in there]
    np.testing.assert_allclose(scores, [list(each.scores.values()) for each in here], rtol=0, atol=1e-5)
    assert "without sparse kernels" not in done.stderr


@each_export
def test_over_ssh_as_on_this_machine(server, sparse_deployment, wheel, options):
    folder = sparse_deployment(**options)
    with open_device("ssh://device", python=PYTHON, library=wheel) as device:
        device.prepare([folder], Silent())
        with device.classifier(folder) as there:
            logits = there.logits(TEXTS)
    np.testing.assert_allclose(logits, Classifier(folder).logits(TEXTS), rtol=0, atol=1e-5)


def test_a_benchmark_on_the_device_over_ssh(server, deployment, wheel, task_spec):
    options = {"device": "ssh://device", "device_python": PYTHON, "device_library": wheel}
    comparison = bench([deployment], sequence_length=16, rounds=2, runs=2, **options)
    assert comparison.machine.kernels == "neon_dotprod"
    assert "aarch64" in comparison.machine.system
    assert comparison.rows[0].timing.median_ms > 0
    there = evaluate(str(deployment), task_spec, **options)
    assert there["metrics"] == evaluate(str(deployment), task_spec)["metrics"]


# In the root there is a C library, and no Python is asked for.
EMULATED = """[ "$1" = -c ] || exec /bin/sh "$@"
script="$(printf %s "$2" | sed 's|uname -m|echo aarch64|; s|"$runner" "$folder"|QEMU &|')"
exec /bin/sh -c "$script"
"""


def test_a_device_without_python(server, deployment, sparse_deployment, wheel, tmp_path, monkeypatch):
    root = Path(PYTHON).parent / "root"
    (onnxruntime,) = root.glob("usr/lib/python3/dist-packages/onnxruntime/capi/libonnxruntime.so*")
    executable(tmp_path / "sh", EMULATED.replace("QEMU", f"qemu-aarch64-static -cpu cortex-a76 -L {root}"))
    monkeypatch.setattr("kaprune_edge.devices.runner_agent._SHELL", str(tmp_path / "sh"))
    deployments = [deployment, sparse_deployment(**EXPORTS["int8 with embeddings"])]
    with open_device("ssh://device", onnxruntime=onnxruntime, library=wheel) as device:
        device.prepare(deployments, Silent())
        for folder in deployments:
            with device.classifier(folder) as there:
                logits = there.logits(TEXTS)
            np.testing.assert_allclose(logits, Classifier(folder).logits(TEXTS), rtol=0, atol=1e-5)
    options = {"device": "ssh://device", "device_onnxruntime": onnxruntime, "device_library": wheel}
    comparison = bench([deployment], sequence_length=16, rounds=2, runs=2, **options)
    assert comparison.machine.kernels == "neon_dotprod"
    assert "aarch64" in comparison.machine.system


def test_without_a_library_for_it_the_device_is_refused(server, deployment):
    with (
        open_device("ssh://device", python=PYTHON) as device,
        pytest.raises(KapruneError, match="no operator library for aarch64 processors here; build one"),
    ):
        device.prepare([deployment], Silent())
