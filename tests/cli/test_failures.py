"""What fails through no fault of the command line: exit code 1, and what was done is not lost."""

import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

PRUNE = "kaprune-edge prune model --task csv:train.csv,eval.csv --max-length 24 --epochs 1 --teacher-epochs 1"


@pytest.fixture
def small_disk(place, request):
    """A file system of so many kB (the fixture's parameter), 900 unless told."""
    disk = place / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={getattr(request, 'param', 900)}k", "tmpfs", disk]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting a file system needs root")
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


def complaint(finished):
    assert (finished.code, finished.out) == (1, "")
    return finished.err.splitlines()[-1]


@pytest.mark.parametrize("small_disk", [150, 600], indirect=True)
def test_a_full_disk_while_training_loses_nothing(small_disk, run):
    assert complaint(run(f"{PRUNE} -o disk/run")) == (
        "error: the disk is full; free some space for disk/run and go on with --resume"
    )
    subprocess.run(["mount", "-o", "remount,size=20m", small_disk], check=True)
    assert run(f"{PRUNE} -o disk/run --resume").code == 0
    assert [path.name for path in small_disk.iterdir()] == ["run"]


def test_a_full_disk_while_exporting_leaves_nothing(small_disk, run):
    (small_disk / "other").write_bytes(bytes(820_000))
    assert complaint(run("kaprune-edge export model -o disk/new")) == (
        "error: the disk is full; free some space for disk/new and try again"
    )
    assert [path.name for path in small_disk.iterdir()] == ["other"]


def test_a_training_that_diverges_says_so(place, run):
    assert "its training diverged; lower the learning rate" in complaint(
        run(f"{PRUNE} -o run --learning-rate 1e30")
    )
    assert not Path("run").exists()


def test_a_native_library_that_does_not_run_is_refused_at_once(place, run, monkeypatch):
    monkeypatch.setenv("KAPRUNE_LIBRARY", "train.csv")
    assert "train.csv does not load" in complaint(run(f"{PRUNE} -o run"))
    assert not list(place.glob(".run*"))


def test_a_read_only_disk_is_refused_at_once(small_disk, run):
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    finished = run(f"{PRUNE} -o disk/deep/run")
    assert finished == (2, "", f"error: {small_disk} cannot be written to; choose another --output\n")


def test_an_interrupted_training_goes_on_with_resume(place, run):
    def interrupt():
        while not list(place.glob(".run.partial/checkpoints/*/*/complete")):
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    options = "--batch-size 2 --epochs 10 --teacher-epochs 10"
    finished = run(f"{PRUNE} {options} -o run")
    assert (finished.code, finished.out) == (130, "")
    assert finished.err.endswith(f"error: stopped; go on with: {PRUNE} {options} -o run --resume\n")
    assert run(f"{PRUNE} {options} -o run --resume").code == 0
