"""Both distributions, built from a copy of the checkout and installed into a fresh folder."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[1]
FORBIDDEN = ("torch", "transformers", "onnx", "kaprune_edge")


def run(*command, **environment):
    environment = {**os.environ, **environment}
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, env=environment, timeout=600)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("packaging")
    skip = shutil.ignore_patterns(".*", "build", "dist", "*.egg-info", "__pycache__")
    copy = shutil.copytree(CHECKOUT, folder / "checkout", ignore=skip)
    target = folder / "target"
    run(sys.executable, "-m", "pip", "install", "--no-deps", "--target", target, copy / "runtimes", copy)
    return target


def test_no_other_module_is_installed(installed):
    modules = {path.name for path in installed.iterdir() if not path.name.endswith(".dist-info")}
    assert modules == {"kaprune_edge", "kaprune_edge_cli", "kaprune_runtime", "bin"}


def sources(folder):
    return {path.relative_to(folder) for path in folder.rglob("*.py")}


def test_every_module_is_installed_and_typed(installed):
    assert sources(installed / "kaprune_edge") == sources(CHECKOUT / "kaprune_edge")
    assert sources(installed / "kaprune_edge_cli") == sources(CHECKOUT / "cli")
    assert sources(installed / "kaprune_runtime") == sources(CHECKOUT / "runtimes" / "kaprune_runtime")
    assert {path.parent.name for path in installed.glob("*/py.typed")} == {"kaprune_edge", "kaprune_runtime"}


def test_the_console_script_runs(installed):
    version = run(installed / "bin" / "kaprune-edge", "--version", PYTHONPATH=str(installed)).strip()
    assert {path.name for path in installed.glob("*.dist-info")} == {
        f"kaprune_edge-{version}.dist-info",
        f"kaprune_edge_runtime-{version}.dist-info",
    }


def test_the_runtime_needs_no_training_framework(installed):
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({FORBIDDEN}))\n"  # None: importing it fails
        "import kaprune_runtime.__main__\n"
        "print(kaprune_runtime.__file__)"
    )
    printed = run(sys.executable, "-c", code, PYTHONPATH=str(installed)).strip()
    assert printed == str(installed / "kaprune_runtime" / "__init__.py")
