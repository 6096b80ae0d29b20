"""Programs for a device, and what is left of them there."""

import time
from pathlib import Path

import psutil


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
