import os
import shutil
import sys
import sysconfig
import time
from functools import cache
from pathlib import Path

import psutil
import pytest
import tiny
import torch
from ssh_server import SSHD, SshServer

from kaprune_edge.encoder import encoder_matrices
from kaprune_edge.export import export_model


@pytest.fixture(scope="session")
def sparse_deployment(tmp_path_factory):
    """Export (once each) a tiny model with a fifth of its 4x1 blocks, given options of the export."""

    @cache
    def make(**options):
        tokenizer = tiny.make_tokenizer("bert")
        model = tiny.make_model("bert", vocab_size=len(tokenizer))
        with torch.no_grad():
            for weight in encoder_matrices(model).values():
                kept = torch.rand(weight.shape[0] // 4, weight.shape[1]) < 0.2
                weight *= kept.repeat_interleave(4, dim=0)
        folder = tmp_path_factory.mktemp("deployment")
        model.save_pretrained(folder / "checkpoint")
        tokenizer.save_pretrained(folder / "checkpoint")
        return export_model(folder / "checkpoint", folder / "tiny", **options).folder

    return make


@pytest.fixture(scope="session")
def deployment(sparse_deployment):
    return sparse_deployment()


def executable(path, script):
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


@pytest.fixture(scope="session")
def pythons(tmp_path_factory):
    """A device's Python with the packages that the runtime needs (but not the runtime), and one without."""
    folder = tmp_path_factory.mktemp("pythons")
    packages = sysconfig.get_path("purelib")
    # -S: no .pth file, so the runtime of an editable installation is not found.
    bare = executable(folder / "bare", f'exec {sys.executable} -S "$@"')
    welcome = '[ "$1" = -c ] && echo Welcome!'  # as login scripts do
    paths = f'export PYTHONPATH="${{PYTHONPATH:+$PYTHONPATH:}}{packages}"'
    return executable(folder / "python", f'{welcome}\n{paths}\nexec {sys.executable} -S "$@"'), bare


@pytest.fixture(scope="session")
def running_server(tmp_path_factory):
    if SSHD is None or shutil.which("ssh") is None:
        pytest.skip("OpenSSH is not installed")
    with SshServer(tmp_path_factory.mktemp("ssh")).running() as server:
        yield server


@pytest.fixture
def server(running_server, monkeypatch):
    """A server that the `ssh` on the search path knows as `device`; nothing may be left there."""
    monkeypatch.setenv("PATH", f"{running_server.folder / 'bin'}{os.pathsep}{os.environ['PATH']}")
    yield running_server
    assert what_is_left(running_server.device) == ([], [])


def what_is_left(folder):
    """Wait until all files and processes of a device are gone; give those that are not."""
    deadline = time.monotonic() + 20
    while any(left := (list(folder.iterdir()), processes(folder))) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def processes(folder):
    """Find the processes of a device by the folder for temporary files that it gives them."""
    found = []
    for process in psutil.process_iter():
        try:
            if Path(process.environ().get("TMPDIR", "/")).is_relative_to(folder):
                found.append(process.cmdline())
        except psutil.Error:
            pass
    return found
