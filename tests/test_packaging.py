"""Both distributions, built from a copy of the checkout and installed into a fresh folder."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]
FORBIDDEN = ("torch", "transformers", "onnx", "kaprune_edge")


def run(*command, **environment):
    environment = {**os.environ, **environment}
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, env=environment, timeout=600)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def sources(folder):
    return {path.relative_to(folder) for path in folder.rglob("*.py")}


def test_what_pip_installs(tmp_path):
    """One test, because the build takes long."""
    skip = shutil.ignore_patterns(".*", "build", "dist", "*.egg-info", "__pycache__")
    copy = shutil.copytree(CHECKOUT, tmp_path / "checkout", ignore=skip)
    target = tmp_path / "target"
    run(sys.executable, "-m", "pip", "install", "--no-deps", "--target", target, copy / "runtimes", copy)

    installed = {path.name for path in target.iterdir() if path.suffix != ".dist-info"}
    assert installed == {"kaprune_edge", "kaprune_edge_cli", "kaprune_runtime", "bin"}
    assert sources(target / "kaprune_edge") == sources(copy / "kaprune_edge")
    assert sources(target / "kaprune_edge_cli") == sources(copy / "cli")
    assert sources(target / "kaprune_runtime") == sources(copy / "runtimes" / "kaprune_runtime")
    assert {path.parent.name for path in target.glob("*/py.typed")} == {"kaprune_edge", "kaprune_runtime"}

    version = run(target / "bin" / "kaprune-edge", "--version", PYTHONPATH=str(target))
    assert {path.name for path in target.glob("*.dist-info")} == {
        f"kaprune_edge-{version}.dist-info",
        f"kaprune_edge_runtime-{version}.dist-info",
    }

    for package in ("kaprune_edge", "kaprune_edge_runtime"):
        metadata = target / f"{package}-{version}.dist-info"
        assert "License-Expression: Apache-2.0" in (metadata / "METADATA").read_text().splitlines()
        assert (metadata / "licenses" / "LICENSE").read_bytes() == (CHECKOUT / "LICENSE").read_bytes()

    import_without_training_frameworks = (
        f"import sys; sys.modules.update(dict.fromkeys({FORBIDDEN}))\n"  # None: importing it fails
        # Without the finders of editable installations, which come before the path.
        "sys.meta_path = [finder for finder in sys.meta_path if finder.__module__.startswith('_frozen')]\n"
        "import kaprune_runtime.__main__\n"
        "print(kaprune_runtime.__file__)"
    )
    imported = run(sys.executable, "-c", import_without_training_frameworks, PYTHONPATH=str(target))
    assert imported == str(target / "kaprune_runtime" / "__init__.py")
