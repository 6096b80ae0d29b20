"""Whole runs over a real OpenSSH server on loopback, and everything that can go wrong with one."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import pytest
from device_processes import Watch, processes, refused

from kaprune_edge.bench import bench, render
from kaprune_edge.devices import open_device
from kaprune_edge.progress import Silent
from kaprune_edge.tasks import load_task
from kaprune_edge.workflow import evaluate
from kaprune_edge_cli.app import main
from kaprune_runtime import Classifier, InputError, KapruneError

DEVICE = "ssh://device"
QUICK = {"sequence_length": 16, "rounds": 2, "runs": 2}


def connect(python, address=DEVICE, **options):
    with open_device(address, python=python, **options):
        pytest.fail("connected")


def test_a_benchmark_runs_on_the_device(server, deployment, pythons, task_spec):
    seen, task = [], load_task(task_spec)
    watch = Watch(lambda: seen.append(len(processes(server.device))))
    comparison = bench(
        [deployment], task=task, device=DEVICE, device_python=pythons[0], progress=watch, **QUICK
    )
    row = comparison.rows[0]
    assert min(seen) >= 3  # agent, sweeper and worker
    assert 0 < row.timing.median_ms <= row.timing.p99_ms
    assert row.timing.peak_memory_bytes > 10e6
    assert sum(row.timing.placement["CPUExecutionProvider"].values()) > 10
    assert comparison.machine.kernels is not None
    assert comparison.device == DEVICE
    assert row.metrics == evaluate(str(deployment), task_spec)["metrics"]
    assert "sparse kernels for" in render(comparison).renderables[1].plain


def test_the_commands_take_a_device(server, deployment, pythons, task_spec, capsys, monkeypatch):
    def run(*command):
        monkeypatch.setattr(sys, "argv", ["kaprune-edge", *map(str, command)])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code, capsys.readouterr().out

    there = ("--device", DEVICE, "--device-python", pythons[0])
    for command in (
        ("predict", deployment, "dull", "a warm film"),
        ("evaluate", deployment, "--task", task_spec),
    ):
        here = run(*command)
        assert here[0] == 0
        assert run(*command, *there) == here
    code, out = run("bench", deployment, "--sequence-length=8", "--rounds=1", "--provider=cpu", *there)
    assert code == 0
    assert "1 text of 8 tokens" in out


def test_what_is_no_deployment_stays_here(checkpoint, task_spec):
    said = refused(InputError, evaluate, source=checkpoint(), task_spec=task_spec, device=DEVICE)
    assert said.endswith("is no deployment, and PyTorch runs here alone; export it first")


def test_texts_are_classified_as_here(server, deployment, pythons):
    texts, pairs = (
        ["a warm and funny film", "dull"] * 20,
        ["no end in sight", "the price of the ticket é"] * 20,
    )
    here, told = Classifier(deployment), []
    with open_device(DEVICE, python=pythons[0]) as device:
        device.prepare([deployment], Silent())
        with device.classifier(deployment) as there:
            logits = there.logits(texts, pairs, max_length=12, on_done=told.append)
            assert there(texts[:2]) == here(texts[:2])
            assert refused(InputError, there.logits, texts=texts, max_length=1000).startswith(
                "the model takes 3 to"
            )
    np.testing.assert_array_equal(logits, here.logits(texts, pairs, max_length=12))
    assert told == [32, 40]


def test_only_what_changed_is_sent_to_a_folder_that_is_kept(server, deployment, pythons, tmp_path):
    def sent():
        watch = Watch()
        with open_device(f"{DEVICE}{tmp_path}/kept", python=pythons[0]) as device:
            device.prepare([deployment], watch)
            device.prepare([deployment], watch)
        return watch.stages.get("copying to device", 0)

    everything = sum(path.stat().st_size for path in deployment.iterdir())
    assert sent() > everything
    assert sent() == 0
    (deployment / "README.md").write_text("changed")
    assert sent() == len("changed")
    model = max((tmp_path / "kept" / "files").iterdir(), key=lambda path: path.stat().st_size)
    model.write_bytes(model.read_bytes()[:-1])
    assert sent() == model.stat().st_size
    assert [path.name for path in (tmp_path / "kept").iterdir()] == ["files"]


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
        ("ssh://device;touch x", "is no address"),
        ("adb://", "is no address; write adb:// and a serial number"),
        ("adb://-s", "is no address"),
    ],
)
def test_an_address_that_is_none(address, message):
    assert message in refused(InputError, connect, python="python3", address=address)


def test_names_reach_the_device_as_they_are(server, deployment, pythons, tmp_path):
    """Neither a folder's nor a file's name is ever part of a shell's command line."""
    odd = tmp_path / "a $(touch pwned) 'b' \"c\""
    odd.mkdir()
    for path in deployment.iterdir():
        (odd / path.name).write_bytes(path.read_bytes())
    python = Path(tmp_path / "py thon '$(touch pwned)'")
    python.symlink_to(pythons[0])
    with open_device(DEVICE, python=str(python)) as device:
        device.prepare([odd], Silent())
        with device.classifier(odd) as there:
            assert there(["fine"]) == Classifier(odd)(["fine"])
    assert not list(Path.home().glob("pwned")) + list(tmp_path.rglob("pwned"))
