"""Execution providers that run here, by name and from a plugin library, and what the table says of them."""

import os
import platform
import subprocess
import sys
from io import StringIO
from pathlib import Path

import filelock
import onnxruntime
import pytest
from rich.console import Console

from kaprune_edge.bench import bench, render
from kaprune_edge.bench.providers import choose
from kaprune_runtime import Classifier, InputError

CACHE = Path(__file__).parents[2] / "build" / "providers"
CPU, AZURE, XNNPACK = (f"{name}ExecutionProvider" for name in ("CPU", "Azure", "XNNPACK"))
QUICK = {"sequence_length": 16, "rounds": 2, "runs": 2}

pytestmark = pytest.mark.skipif(
    (sys.platform, platform.machine()) != ("linux", "x86_64"), reason="the packages are for x86-64 Linux"
)


@pytest.fixture(scope="session")
def installed():
    """Install a package beside the environment, once for all runs of the tests."""

    def install(requirement):
        folder = CACHE / requirement.replace("==", "-")
        CACHE.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(folder.with_suffix(".lock")):
            if not folder.exists():
                unfinished = folder.with_suffix(".unfinished")
                command = ["pip", "install", "--quiet", "--no-deps", "--upgrade", "--target", unfinished]
                subprocess.run([sys.executable, "-m", *command, requirement], check=True)
                unfinished.rename(folder)
        return folder

    return install


@pytest.fixture(scope="module")
def sparse(sparse_deployment):
    return sparse_deployment()


def draw(comparison):
    console = Console(file=StringIO(), width=140)
    console.print(render(comparison))
    return " ".join(console.file.getvalue().split())


@pytest.fixture
def openvino(installed, monkeypatch):
    """Have workers import an onnxruntime that was built with OpenVINO."""
    folder = installed("onnxruntime-openvino==1.24.1")
    monkeypatch.setenv("PYTHONPATH", str(folder), prepend=os.pathsep)
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["OpenVINOExecutionProvider", CPU])


def test_a_provider_takes_all_but_the_sparse_operators(sparse, openvino):
    comparison = bench([sparse], providers=["cpu", "openvino"], **QUICK)
    cpu, other = (row.timing.placement for row in comparison.rows)
    assert set(cpu) == {CPU}
    assert set(other) == {CPU, "OpenVINOExecutionProvider"}
    assert other[CPU] == {"SparseAttention": 2, "SparseFeedForward": 2}
    assert comparison.machine.onnxruntime == "1.24.1"
    text = draw(comparison)
    total = sum(map(sum, (nodes.values() for nodes in other.values())))
    assert f"OpenVINO {total - 4} of {total} " in text
    assert (
        f"OpenVINO left these nodes of {sparse} to the CPU: 2 SparseAttention, 2 SparseFeedForward." in text
    )


def test_a_plugin_that_takes_nothing(sparse, installed):
    (library,) = installed("onnxruntime-ggml==0.2.0").rglob("libonnxruntime_ggml.so")
    comparison = bench([sparse], providers=[str(library)], **QUICK)
    assert set(comparison.rows[0].timing.placement) == {CPU}
    assert f"onnxruntime_ggml took no node of {sparse}: the CPU ran all of it." in draw(comparison)
    texts = ["a warm and funny film", "dull"]
    assert Classifier(sparse, provider=str(library))(texts) == Classifier(sparse)(texts)


def test_what_is_no_plugin(sparse):
    with pytest.raises(InputError, match=r"onnxruntime cannot load .*libkaprune\.so: "):
        Classifier(sparse, provider=str(sparse / "libkaprune.so"))


def test_providers_are_chosen_by_any_of_their_names():
    there = [XNNPACK, AZURE, CPU]
    wanted = ["cpu", "XNNPACK", XNNPACK, "/opt/libother.so"]
    assert choose(wanted, there) == ([CPU, XNNPACK, "/opt/libother.so"], [])
    assert choose([], there) == (
        [CPU, XNNPACK],
        [f"{AZURE} is left out: it sends the work to a remote service"],
    )
    with pytest.raises(
        InputError, match="has no provider 'QNN'; choose from XNNPACK, Azure, CPU, or name the path"
    ):
        choose(["QNN"], there)
