"""ONNX Runtime's telemetry is off in every process of ours."""

import os
import subprocess
import sys

import pytest

COMMANDS = {
    "the runtime": ["-c", "import kaprune_runtime"],
    "a module of the runtime": ["-c", "from kaprune_runtime.session import session"],
    "a module that imports onnxruntime first": ["-c", "import kaprune_edge.export.calibration"],
    "ONNX Runtime's quantizer": ["-c", "import kaprune_edge.export.quantize"],
    "the runtime's command": ["-m", "kaprune_runtime", "latency", "DEPLOYMENT", "--sequence-length", "5"],
    "the host's command": ["-m", "kaprune_edge_cli", "doctor"],
}


def traces(home, *arguments):
    """List what a Python process leaves in a home of its own; telemetry that is on leaves an identifier."""
    home.mkdir()
    hidden = ("ORT_DISABLE_TELEMETRY", "XDG_CACHE_HOME")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    subprocess.run([sys.executable, *arguments], env={**environment, "HOME": str(home)}, capture_output=True)
    return sorted(path.name for path in home.glob(".cache/Microsoft/**/.onnxruntime"))


@pytest.mark.parametrize("process", COMMANDS)
def test_nothing_is_left_behind(tiny, tmp_path, process):
    arguments = [str(tiny().folder) if word == "DEPLOYMENT" else word for word in COMMANDS[process]]
    assert traces(tmp_path / "ours", *arguments) == []


def test_without_us_there_would_be(tmp_path):
    if not traces(tmp_path / "plain", "-c", "import onnxruntime"):
        pytest.skip("this onnxruntime has no telemetry to switch off")


def test_the_user_has_the_last_word():
    program = "import os, kaprune_runtime; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "ORT_DISABLE_TELEMETRY": "0"},
        capture_output=True,
        text=True,
    )
    assert done.stdout == "0\n"
