"""Folders that are written appear whole or not at all."""

import errno
import json
import os
import signal
import subprocess
import sys

import pytest
from safetensors import SafetensorError

from kaprune_edge.artifacts import check_new, interrupted, new_folder, resumable_folder, write_json
from kaprune_runtime.errors import InputError, KapruneError

WRITE_SLOWLY = """
import sys, time
from pathlib import Path
from kaprune_edge.artifacts import {kind}
with {kind}(Path(sys.argv[1]){options}) as folder:
    (folder / "half").write_text("half")
    print(flush=True)
    time.sleep(60)
"""


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def writer(path, kind, options=""):
    """Start a process that is in the middle of writing a folder."""
    code = WRITE_SLOWLY.format(kind=kind, options=options)
    process = subprocess.Popen(
        [sys.executable, "-c", code, path], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdout.readline()
    return process


def test_a_folder_gets_its_name_when_it_is_whole(tmp_path):
    with new_folder(tmp_path / "deep" / "new") as folder:
        write_json(folder / "content.json", {"a": [1, 2]})
        assert not (tmp_path / "deep" / "new").exists()
    assert json.loads((tmp_path / "deep" / "new" / "content.json").read_text()) == {"a": [1, 2]}
    assert names(tmp_path / "deep") == ["new"]


@pytest.mark.parametrize("error", [ValueError("bad"), KeyboardInterrupt(), KapruneError("failed")])
def test_an_exception_leaves_nothing_and_stays_what_it_is(tmp_path, error):
    with pytest.raises(type(error)) as raised, new_folder(tmp_path / "new") as folder:
        (folder / "half").touch()
        raise error
    assert raised.value is error
    assert names(tmp_path) == []


def test_an_interrupt_leaves_nothing(tmp_path):
    process = writer(tmp_path / "new", "new_folder")
    assert names(tmp_path) == [".new.partial"]
    process.send_signal(signal.SIGINT)
    process.wait(10)
    assert names(tmp_path) == []


def test_what_a_killed_process_left_is_no_obstacle(tmp_path):
    process = writer(tmp_path / "new", "new_folder")
    process.kill()
    process.wait(10)
    assert not (tmp_path / "new").exists()
    with new_folder(tmp_path / "new") as folder:
        assert names(folder) == []
    assert names(tmp_path) == ["new"]


@pytest.mark.parametrize("make", [new_folder, lambda path: resumable_folder(path, resume=False)])
def test_an_existing_output_is_refused_untouched(tmp_path, make):
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "precious").write_text("precious")
    with (
        pytest.raises(InputError, match="exists; choose another --output or delete it"),
        make(tmp_path / "old"),
    ):
        pass
    assert names(tmp_path) == ["old"]
    assert (tmp_path / "old" / "precious").read_text() == "precious"


def test_an_output_that_cannot_be_written_is_refused_at_once(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="file is a file; choose another --output"):
        check_new(tmp_path / "file" / "new")
    if os.geteuid() != 0:
        tmp_path.chmod(0o555)
        with pytest.raises(InputError, match="cannot be written to; choose another --output"):
            check_new(tmp_path / "deep" / "new")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OSError(errno.ENOSPC, "x"), "the disk is full; free some space"),
        (OSError(errno.EDQUOT, "x"), "the disk is full; free some space"),
        (SafetensorError("I/O error: No space left on device (os error 28)"), "the disk is full; free some"),
        (OSError(errno.EROFS, "x"), "cannot write .*: Read-only file system; choose another --output"),
        (PermissionError(errno.EACCES, "x"), "cannot write .*: Permission denied; choose another --output"),
    ],
)
def test_a_failing_disk_is_explained(tmp_path, error, message):
    with pytest.raises(KapruneError, match=message), new_folder(tmp_path / "new"):
        raise error
    assert names(tmp_path) == []


@pytest.mark.parametrize("kind", ["new_folder", "resumable_folder"])
def test_two_writers_do_not_mix(tmp_path, kind):
    options = {"new_folder": "", "resumable_folder": ", resume=False"}[kind]
    process = writer(tmp_path / "new", kind, options)
    again = new_folder(tmp_path / "new") if not options else resumable_folder(tmp_path / "new", resume=True)
    with pytest.raises(KapruneError, match=r"another process is writing .*; let it finish or"), again:
        pass
    assert names(tmp_path / ".new.partial") == ["half"]
    process.kill()
    process.wait(10)


def test_an_interrupted_run_stays_for_resuming(tmp_path):
    with pytest.raises(KeyboardInterrupt), resumable_folder(tmp_path / "run", resume=False) as folder:
        (folder / "half").touch()
        raise KeyboardInterrupt
    assert names(tmp_path) == [".run.partial"]
    with (
        pytest.raises(InputError, match="was interrupted; continue with --resume or delete"),
        resumable_folder(tmp_path / "run", resume=False),
    ):
        pass
    with resumable_folder(tmp_path / "run", resume=True) as folder:
        assert folder == interrupted(tmp_path / "run")
    assert names(tmp_path / "run") == ["half"]
    assert names(tmp_path) == ["run"]


def test_there_must_be_something_to_resume(tmp_path):
    with (
        pytest.raises(InputError, match=r"no interrupted run for .*; start it without --resume"),
        resumable_folder(tmp_path / "run", resume=True),
    ):
        pass
    assert names(tmp_path) == []
