import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import onnxruntime as python_onnxruntime
import pytest
from device_processes import executable, what_is_left
from ssh_server import SSHD, SshServer


@pytest.fixture(scope="session")
def deployment(sparse_deployment):
    return sparse_deployment()


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


@pytest.fixture(scope="session")
def onnxruntime():
    """ONNX Runtime's shared library, which the wheel carries beside that for Python."""
    (library,) = (Path(python_onnxruntime.__file__).parent / "capi").glob("libonnxruntime.so*")
    return library


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 100 kB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", disk]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting a file system needs root")
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)
