"""Everything that can go wrong with an OpenSSH server: one line says it, and nothing is left there."""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress

import psutil
import pytest
from device_processes import Watch, refused, what_is_left

from kaprune_edge.bench import bench
from kaprune_edge.devices import open_device
from kaprune_edge.progress import Silent
from kaprune_runtime import InputError, KapruneError

DEVICE = "ssh://device"
QUICK = {"sequence_length": 16, "rounds": 2, "runs": 2}


def connect(python, address=DEVICE, **options):
    with open_device(address, python=python, **options):
        pytest.fail("connected")


def test_a_key_that_is_not_let_in(server, pythons):
    server.use_key("stranger_key")
    try:
        said = refused(KapruneError, connect, python=pythons[0])
    finally:
        server.use_key("user_key")
    assert said.startswith("cannot reach device: ")
    assert "Permission denied (publickey); let your key in there (ssh-copy-id)" in said


@pytest.mark.parametrize(
    ("known", "advice"),
    [
        ("", "Host key verification failed; connect once with `ssh` by hand and check its key"),
        ("stranger_key.pub", "Host key verification failed; make sure that it is the same machine"),
    ],
)
def test_a_host_key_that_is_unknown_or_another(server, pythons, known, advice):
    file = server.folder / "known_hosts"
    right = file.read_text()
    other = (server.folder / known).read_text() if known else ""
    file.write_text(other and f"[127.0.0.1]:{server.port} {other}")
    try:
        assert advice in refused(KapruneError, connect, python=pythons[0])
    finally:
        file.write_text(right)


def test_nobody_listens(server, pythons):
    said = refused(KapruneError, connect, python=pythons[0], address="ssh://device:1")
    assert "port 1: Connection refused; see whether `ssh` gets there" in said


def test_a_device_without_the_packages_says_how_to_install_them(server, pythons):
    said = refused(KapruneError, connect, python=pythons[1])
    assert said.startswith("device lacks numpy")
    assert "tokenizers" in said
    assert f"install there: {pythons[1]} -m pip install 'numpy>=" in said


def test_a_device_without_python(server):
    said = refused(KapruneError, connect, python="/nowhere/python3")
    assert said.startswith("/nowhere/python3 does not start on device (")
    assert "); name Python 3.11 or newer there with --device-python" in said


def test_a_python_that_is_too_old(server, pythons, tmp_path):
    old = tmp_path / "python"
    patched = 'script="$(printf %s "$2" | sed "s/(3, 11)/(9, 0)/")"\n'
    old.write_text(f'#!/bin/sh\n{patched}exec {sys.executable} -c "$script"\n')
    old.chmod(0o755)
    assert "it is Python 3." in refused(KapruneError, connect, python=str(old))


def test_more_threads_than_cores(server, deployment, pythons):
    options = {"device": DEVICE, "device_python": pythons[0], "threads": 10**6}
    said = refused(InputError, bench, deployments=[deployment], **options, **QUICK)
    assert said == f"the machine has {os.cpu_count()} cores; give 1 to {os.cpu_count()} threads"


def test_no_operator_library_for_the_processor(server, deployment, pythons, tmp_path):
    library = tmp_path / "libkaprune.so"
    library.write_bytes(b"\x7fELF" + bytes(14) + (8).to_bytes(2, "little"))  # MIPS
    with open_device(DEVICE, python=pythons[0], library=library) as device:
        said = refused(InputError, device.prepare, folders=[deployment], progress=Silent())
    assert said.startswith(f"{library} is not for {os.uname().machine} processors")


def test_a_disk_that_is_too_small_is_refused_before_copying(server, deployment, pythons, small_disk):
    with open_device(f"{DEVICE}{small_disk}", python=pythons[0]) as device:
        said = refused(KapruneError, device.prepare, folders=[deployment], progress=Silent())
    assert said.startswith(f"device has 0 MB free in {small_disk}, ")


def test_a_disk_that_fills_up_while_copying(server, deployment, pythons, small_disk, monkeypatch):
    monkeypatch.setattr("kaprune_edge.devices.remote.RemoteDevice._check_space", lambda *_: None)
    with open_device(f"{DEVICE}{small_disk}", python=pythons[0]) as device:
        said = refused(KapruneError, device.prepare, folders=[deployment], progress=Silent())
    assert said == "device: No space left on device"
    assert [path.name for path in small_disk.iterdir()] == ["files"]


def sessions(server):
    return [process for process in psutil.Process(server.process.pid).children() if process.is_running()]


class InTheMidst(Silent):
    """Calls back in the midst of a file of several pieces."""

    def __init__(self, then):
        self.then, self.done = then, 0

    def advance(self, done, **figures):
        if done - self.done == 1 << 20:
            self.then()
        self.done = done


@pytest.fixture
def large(deployment, tmp_path):
    """A deployment with a file of several pieces."""
    folder = tmp_path / "large"
    shutil.copytree(deployment, folder)
    (folder / "README.md").write_bytes(os.urandom(8 << 20))
    return folder


@pytest.mark.parametrize("how", ["connection", "interrupt"])
def test_copying_that_is_cut_off_leaves_no_part_of_a_file(server, large, pythons, tmp_path, how):
    def cut():
        if how == "interrupt":
            raise KeyboardInterrupt
        for process in sessions(server):
            process.kill()

    kept = tmp_path / "kept"
    with (
        pytest.raises(KeyboardInterrupt if how == "interrupt" else KapruneError),
        open_device(f"{DEVICE}{kept}", python=pythons[0]) as device,
    ):
        device.prepare([large], InTheMidst(cut))
    assert what_is_left(server.device) == ([], [])
    assert [path.name for path in kept.iterdir()] == ["files"]
    for path in (kept / "files").iterdir():
        assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name
        assert path.stat().st_size < 8 << 20


def test_a_connection_that_is_killed(server, deployment, pythons):
    def kill():
        for process in sessions(server):
            process.kill()

    options = {"device": DEVICE, "device_python": pythons[0], "progress": Watch(kill)}
    said = refused(KapruneError, bench, deployments=[deployment], **options, **QUICK)
    assert said.startswith("lost the connection to device: ")


def test_an_interrupt(server, deployment, pythons):
    def interrupt():
        assert list(server.device.iterdir())
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bench([deployment], device=DEVICE, device_python=pythons[0], progress=Watch(interrupt), **QUICK)


PROGRAM = """
import sys
from pathlib import Path
from kaprune_edge.devices import Conversation, open_device
from kaprune_edge.progress import Silent
folder = Path(sys.argv[1])
with open_device("ssh://device", python=sys.argv[2]) as device:
    device.prepare([folder], Silent())
    with Conversation("model", device.start("worker", ["--sequence-length=16"], folder)) as worker:
        worker.hear()
        print("loaded", flush=True)
        worker.ask({"runs": 10**7})
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_program_that_is_ended_in_the_midst_of_a_run(server, deployment, pythons, number):
    command = [sys.executable, "-c", PROGRAM, deployment, pythons[0]]
    program = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
    )
    assert program.stdout.readline() == b"loaded\n"
    assert list(server.device.iterdir())
    os.killpg(program.pid, number)
    assert program.wait(timeout=60) != 0


def test_a_worker_that_is_killed(server, deployment, pythons):
    def kill():
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if "kaprune_runtime" in process.cmdline() and process.cwd().startswith(str(server.device)):
                    process.kill()

    options = {"device": DEVICE, "device_python": pythons[0], "progress": Watch(kill)}
    said = refused(KapruneError, bench, deployments=[deployment], **options, **QUICK)
    assert f"the process that ran {deployment} was killed (SIGKILL)" in said


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("toaster", "unknown device 'toaster'; use local, ssh://..., adb://..."),
        ("http://device", "unknown device"),
        ("ssh://", "is no address; write ssh://user@host"),
        ("ssh://-oProxyCommand=touch", "is no address"),
        ("ssh://-l@device", "is no address"),
        ("ssh://device:22:22", "is no address"),
        ("ssh://device:0", "is no address"),
        ("ssh://device:65536", "is no address"),
        ("ssh://device;touch x", "is no address"),
        ("adb://", "is no address; write adb:// and a serial number"),
        ("adb://-s", "is no address"),
    ],
)
def test_an_address_that_is_none(address, message):
    assert message in refused(InputError, connect, python="python3", address=address)
