"""Runs a command to be killed before any change of its files, and resumes it: prints what went wrong.

A program of its own, because it forks: a child for each kill and one for each resumption.
"""

import os
import shutil
import sys
import traceback
from pathlib import Path

import short_runs
import torch

from kaprune_edge.training_run import TrainingRun

CHANGES = {"os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "open"}
KILLED = 77


class Killer:
    """An audit hook that counts changes of files in a folder and ends the process before one of them."""

    def __init__(self, folder, at=None):
        self.count, self._folder, self._at = 0, str(folder), at

    def __call__(self, event, arguments):
        if event not in CHANGES or (event == "open" and not self._writes(*arguments)):
            return
        path = arguments[0]
        inside = isinstance(path, str | os.PathLike) and os.fspath(path).startswith(self._folder)
        in_open_folder = event in ("os.remove", "os.rmdir") and arguments[-1] != -1
        if inside or in_open_folder:
            self.count += 1
            if self.count == self._at:
                os._exit(KILLED)

    @staticmethod
    def _writes(path, mode, flags):
        return bool(flags & (os.O_WRONLY | os.O_RDWR))


def in_child(work):
    """Call something in a fork of this process; returns its exit code."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    try:
        work()
        sys.stdout.flush()
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        os._exit(1)


def killed(recipe, output, at, *, resume=False):
    """Run until the change of files with this number, none for 0; returns whether it was killed."""

    def work():
        killer = Killer(output.parent, at)
        sys.addaudithook(killer)
        short_runs.run(recipe, output, resume=resume)
        (output.parent.parent / "changes").write_text(str(killer.count))

    return in_child(work) == KILLED


def trained(recipe, output):
    """Make a run that was killed before a finished training was written out."""

    def work():
        TrainingRun.finish = lambda *_: os._exit(KILLED)
        short_runs.run(recipe, output)

    assert in_child(work) == KILLED


def check(recipe, whole, output, name):
    """Resume what was killed, and print what is wrong with it."""
    if not output.exists():
        begun = (output.parent / ".run.partial").exists()
        if in_child(lambda: short_runs.run(recipe, output, resume=begun)):
            print(f"wrong: {name} is stuck")
            return
    if not short_runs.same_weights(whole, output):
        print(f"wrong: {name} has other weights")
    more = set(short_runs.files(output)) - set(short_runs.files(whole)) - {"complete"}
    if more:
        print(f"wrong: {name} has {more}")


def main(kind, model, task, folder, sampled):
    """Try some places of the training, and all but a few where it is written out, cleared and named."""
    torch.set_num_threads(1)
    recipe, whole, count = (
        getattr(short_runs, kind)(model, task),
        folder / "whole" / "run",
        folder / "changes",
    )
    assert not killed(recipe, whole, 0)
    changes = int(count.read_text())
    for at in range(changes // (sampled + 1), changes, changes // (sampled + 1)):
        output = folder / f"training-{at}" / "run"
        assert killed(recipe, output, at)
        check(recipe, whole, output, f"training {at}/{changes}")
    trained(recipe, folder / "trained" / "run")
    ended = folder / "ended" / "run"
    shutil.copytree(folder / "trained", ended.parent)
    assert not killed(recipe, ended, 0, resume=True)
    changes = int(count.read_text())
    for at in range(1, changes + 1, 1 + changes // (3 * sampled)):
        output = folder / f"ending-{at}" / "run"
        shutil.copytree(folder / "trained", output.parent)
        assert killed(recipe, output, at, resume=True)
        check(recipe, whole, output, f"ending {at}/{changes}")
    print(f"{changes} changes")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], Path(sys.argv[4]), int(sys.argv[5]))
