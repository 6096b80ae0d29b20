import shlex
import shutil
import signal
import sys
from pathlib import Path
from typing import NamedTuple

import huggingface_hub
import pytest

import kaprune_runtime.__main__ as runtime
from kaprune_edge.workflow import export
from kaprune_edge_cli.app import main


class Finished(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def unreachable_hub(monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", "http://127.0.0.1:9")


@pytest.fixture
def run(capsys, monkeypatch):
    """Run a command line in this process, from its entry point on."""

    def run(line):
        signal.signal(signal.SIGINT, signal.default_int_handler)  # which an earlier command leaves ignored
        program, *arguments = shlex.split(line)
        monkeypatch.setattr(sys, "argv", [program, *arguments])
        with pytest.raises(SystemExit) as exited:
            main() if program == "kaprune-edge" else sys.exit(runtime.main())
        return Finished(exited.value.code, *capsys.readouterr())

    return run


@pytest.fixture(scope="session")
def goods(checkpoint, tmp_path_factory):
    """A folder with a model, its deployment and labelled rows."""
    folder = tmp_path_factory.mktemp("goods")
    shutil.copytree(checkpoint(), folder / "model")
    export(folder / "model", folder / "deployment")
    rows = [("a warm and funny film", "good"), ("a dull and flat plot", "bad")] * 8
    table = "".join(f"{text},{label}\n" for text, label in rows)
    for name in ("train.csv", "eval.csv"):
        (folder / name).write_text(f"text,label\n{table}")
    return folder


@pytest.fixture
def place(goods, tmp_path, monkeypatch):
    """The current folder, a copy of the goods."""
    folder = Path(shutil.copytree(goods, tmp_path / "place"))
    monkeypatch.chdir(folder)
    return folder
