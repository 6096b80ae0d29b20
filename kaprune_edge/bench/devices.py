"""Machines that models are timed on: each entry of `DEVICES` starts a worker there."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from kaprune_edge.bench.worker import Worker
from kaprune_runtime.errors import InputError


def start_local(folder: Path, options: Sequence[str]) -> Worker:
    """Load a deployment in a process on this machine; see `Worker` for the errors."""
    # -P: files in the current folder must not stand in for installed modules.
    command = [sys.executable, "-P", "-m", "kaprune_runtime", "worker", *options, "--", str(folder)]
    return Worker(folder.name, command)


DEVICES: dict[str, Callable[[Path, Sequence[str]], Worker]] = {"local": start_local}


def find_device(name: str) -> Callable[[Path, Sequence[str]], Worker]:
    """Look up how workers are started on a device.

    Raises:
        InputError: There is no such device.
    """
    if name not in DEVICES:
        raise InputError(f"unknown device '{name}'; use {', '.join(DEVICES)}")
    return DEVICES[name]
