"""Folders that are written appear whole or not at all."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from safetensors import SafetensorError
from safetensors.torch import load_file

from kaprune_edge.artifacts import (
    check_new,
    check_resumable,
    interrupted,
    new_folder,
    resumable_file,
    resumable_folder,
    write_json,
)
from kaprune_edge.workflow import bench, evaluate
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
    assert names(tmp_path) == [".new.scratch", ".new.writing"]
    process.send_signal(signal.SIGINT)
    process.wait(60)
    assert names(tmp_path) == []


def test_what_a_killed_process_left_is_no_obstacle(tmp_path):
    process = writer(tmp_path / "new", "new_folder")
    process.kill()
    process.wait(60)
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
    assert names(tmp_path / {"new_folder": ".new.scratch"}.get(kind, ".new.partial")) == ["half"]
    process.kill()
    process.wait(60)


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


def appearing(path, kind):
    """Let something take a name in the middle of the work."""
    if kind == "folder":
        path.mkdir()
        (path / "precious").write_text("precious")
    elif kind == "empty folder":
        path.mkdir()
    elif kind == "link to nowhere":
        path.symlink_to("nowhere")
    else:
        path.write_text("precious")


@pytest.mark.parametrize("kind", ["folder", "empty folder", "file", "link to nowhere"])
@pytest.mark.parametrize("resumable", [False, True])
def test_what_appears_meanwhile_is_not_replaced_and_the_work_is_kept(tmp_path, kind, resumable):
    output = tmp_path / "new"
    make = resumable_folder(output, resume=False) if resumable else new_folder(output)
    with (
        pytest.raises(KapruneError, match="new appeared meanwhile and stays as it is; ") as raised,
        make as staging,
    ):
        (staging / "work").write_text("work")
        appearing(output, kind)
    assert (staging / "work").read_text() == "work"
    if kind == "folder":
        assert names(output) == ["precious"]
    elif kind == "file":
        assert output.read_text() == "precious"
    if not resumable:
        assert str(staging) in str(raised.value)
        return
    output.rename(tmp_path / "theirs")
    with resumable_folder(output, resume=True):
        pass
    assert names(output) == ["work"]


@pytest.mark.parametrize("kind", ["file", "folder", "link to nowhere"])
def test_a_file_does_not_replace_what_appears_meanwhile(tmp_path, kind):
    output = tmp_path / "new.jsonl"
    with (
        pytest.raises(KapruneError, match="finish with --resume"),
        resumable_file(output, resume=False) as file,
    ):
        file.write_text("work")
        appearing(output, kind)
    assert file.read_text() == "work"
    output.rename(tmp_path / "theirs")
    with resumable_file(output, resume=True):
        pass
    assert output.read_text() == "work"
    assert names(tmp_path) == ["new.jsonl", "theirs"]


def test_a_file_system_without_hard_links_replaces_nothing_either(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    with resumable_file(tmp_path / "new", resume=False) as file:
        file.write_text("work")
    assert (tmp_path / "new").read_text() == "work"
    with (
        pytest.raises(KapruneError, match="appeared meanwhile"),
        resumable_file(tmp_path / "other", resume=False) as file,
    ):
        file.write_text("work")
        appearing(tmp_path / "other", "file")
    assert (tmp_path / "other").read_text() == "precious"


@pytest.mark.parametrize("check", [check_new, lambda path: check_resumable(path, resume=False)])
@pytest.mark.parametrize(
    ("name", "message"),
    [
        (".", "exists; choose another --output$"),
        ("", "exists; choose another --output$"),
        ("..", "exists; choose another --output$"),
        ("/", "exists; choose another --output$"),
        ("absent/..", "is no name for an output"),
        ("nul\0l", "is no name for an output"),
        ("\ud800", "is no name for an output"),
        ("x" * 256, "the name of x* is too long; choose a shorter --output"),
        ("x" * 256 + "/new", "is too long; choose a shorter --output"),
        ("absent/" + "x" * 256 + "/new", "is too long; choose a shorter --output"),
        ("file/new", "file is a file; choose another --output"),
        ("file", "file exists; choose another --output or delete it"),
        ("dangling", "dangling exists; choose another --output or delete it"),
        ("dangling/new", "dangling is a link to nowhere; choose another --output"),
        ("loop/new", "loop is a link to nowhere; choose another --output"),
        ("/proc/new", "cannot make /proc/new .*; choose another --output|cannot be written to"),
    ],
)
def test_an_impossible_output_is_refused_before_the_work(tmp_path, monkeypatch, check, name, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(InputError, match=message):
        check(Path(name))
    assert names(tmp_path) == ["dangling", "file", "loop"]


@pytest.mark.parametrize("length", [2, 245, 250, 255])
@pytest.mark.parametrize("letter", ["x", "é"])
def test_names_up_to_the_longest_are_possible(tmp_path, length, letter):
    name = (letter * length).encode()[:length].decode(errors="ignore")
    check_new(tmp_path / "deep" / name)
    assert names(tmp_path) == []
    with new_folder(tmp_path / name):
        pass
    with resumable_folder(tmp_path / "deep" / name, resume=False):
        pass
    with resumable_file(tmp_path / "deeper" / name, resume=False) as file:
        file.touch()
    assert names(tmp_path) == sorted([name, "deep", "deeper"])
    assert names(tmp_path / "deep") == names(tmp_path / "deeper") == [name]


def test_an_output_is_not_what_it_is_made_from(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "link").symlink_to("model")
    for path in (tmp_path / "model", tmp_path / "link", tmp_path / "model" / ".." / "model"):
        with pytest.raises(InputError, match=r"is what the output is made from; choose another --output$"):
            check_new(path, str(tmp_path / "model"), None)


def test_the_folder_that_is_left_meanwhile_does_not_count(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with new_folder(Path("new")):
        os.chdir(tmp_path / "there")
    assert (names(tmp_path / "here"), names(tmp_path / "there")) == (["new"], [])


def test_a_folder_deleted_meanwhile_is_named(tmp_path):
    (tmp_path / "deep").mkdir()
    with (
        pytest.raises(KapruneError, match=r"deep was moved or deleted while new was made in it; try again"),
        new_folder(tmp_path / "deep" / "new") as staging,
    ):
        shutil.rmtree(tmp_path / "deep")
        (staging / "file").touch()


@pytest.mark.parametrize("kind", ["partial", "scratch"])
def test_what_somebody_else_put_in_the_way_is_not_used(tmp_path, kind):
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "precious").touch()
    (tmp_path / f".new.{kind}").symlink_to("theirs")
    make = new_folder if kind == "scratch" else lambda path: resumable_folder(path, resume=True)
    with pytest.raises(InputError, match="is not a folder of yours"), make(tmp_path / "new"):
        pass
    assert names(tmp_path / "theirs") == ["precious"]


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root gives files away")
def test_a_folder_of_another_user_is_not_used(tmp_path):
    (tmp_path / ".new.partial").mkdir()
    os.chown(tmp_path / ".new.partial", 12345, 12345)
    with (
        pytest.raises(InputError, match="not a folder of yours"),
        resumable_folder(tmp_path / "new", resume=True),
    ):
        pass


def test_an_export_does_not_clear_an_interrupted_training(tmp_path):
    with pytest.raises(KeyboardInterrupt), resumable_folder(tmp_path / "run", resume=False) as folder:
        (folder / "days of training").touch()
        raise KeyboardInterrupt
    with new_folder(tmp_path / "run"):
        pass
    assert names(tmp_path / ".run.partial") == ["days of training"]


def test_nothing_written_leaves_nothing_to_resume(tmp_path):
    with pytest.raises(ValueError, match="bad"), resumable_folder(tmp_path / "a" / "run", resume=False):
        raise ValueError("bad")
    assert names(tmp_path) == []


def test_a_live_run_is_not_called_interrupted(tmp_path):
    process = writer(tmp_path / "new", "resumable_folder", ", resume=False")
    for resume in (False, True):
        with pytest.raises(KapruneError, match="another process is writing"):
            check_resumable(tmp_path / "new", resume=resume)
    process.kill()
    process.wait(60)
    check_resumable(tmp_path / "new", resume=True)


def test_an_error_of_reading_is_not_called_one_of_writing(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"damaged!" * 8)
    for read in (
        lambda: load_file(tmp_path / "model.safetensors"),
        lambda: (tmp_path / "missing").read_text(),
        lambda: Path("/proc/self/mem").read_bytes(),
    ):
        with pytest.raises((SafetensorError, OSError)), new_folder(tmp_path / "new"):
            read()


GROW_TOO_FAR = """
import resource, sys
from pathlib import Path
import torch
from safetensors.torch import save_file
from kaprune_edge.artifacts import resumable_folder
from kaprune_runtime.errors import KapruneError

resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
writers = (
    lambda file: file.write_text("x" * 10**6),
    lambda file: save_file({"w": torch.zeros(10**6)}, file),
    lambda file: torch.save(torch.zeros(10**6), file),
)
for number, write in enumerate(writers):
    try:
        with resumable_folder(Path(sys.argv[1]), resume=number > 0) as folder:
            (folder / str(number)).touch()
            write(folder / "big")
    except KapruneError as error:
        print(error)
"""


def test_a_file_that_may_not_grow_is_one_line_and_stays_resumable(tmp_path):
    command = [sys.executable, "-c", GROW_TOO_FAR, tmp_path / "run"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    told = done.stdout.splitlines()
    assert len(told) == 3, done.stderr
    for line in told:
        assert line.startswith(f"cannot write {tmp_path / 'run'}: ")
        assert line.endswith(" and go on with --resume")
    assert names(tmp_path / ".run.partial") == ["0", "1", "2", "big"]


def test_no_place_for_temporary_files_is_one_line(monkeypatch):
    def none():
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr(tempfile, "gettempdir", none)
    for verb in (lambda: evaluate("x", "glue/sst2"), lambda: bench([Path("x")])):
        with pytest.raises(KapruneError, match=r"^no folder for temporary files can be .*; set TMPDIR"):
            verb()
