"""Programs for a device, what is left of them there, and what a run says meanwhile."""

import time
from pathlib import Path

import psutil
import pytest

from kaprune_edge.progress import Silent


def executable(path, script):
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def what_is_left(folder):
    """Wait until all files and processes of a device are gone; give those that are not."""
    deadline = time.monotonic() + 60
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


class Watch(Silent):
    """Notes the stages, and calls back at every round."""

    def __init__(self, on_round=lambda: None):
        self.stages, self.on_round = {}, on_round

    def start(self, stage, total):
        self.stage = stage
        self.stages[stage] = total

    def advance(self, done, **figures):
        if self.stage.startswith("timing"):
            self.on_round()


def refused(error, call, **options):
    """Call what must fail with one line; gives the line."""
    with pytest.raises(error) as caught:
        call(**options)
    assert type(caught.value) is error
    assert "\n" not in str(caught.value)
    return str(caught.value)
