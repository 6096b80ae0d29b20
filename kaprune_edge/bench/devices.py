"""Machines that models are timed on: each entry of `DEVICES` starts a worker there."""

import sys
from collections.abc import Callable, Sequence

from kaprune_edge.bench.comparison import Entrant
from kaprune_edge.bench.worker import Worker
from kaprune_runtime.errors import InputError

Start = Callable[[Entrant, Sequence[str]], Worker]
"""Loads a model in a process on some machine, given options of `python -m kaprune_runtime worker`."""


def start_local(entrant: Entrant, options: Sequence[str]) -> Worker:
    """Load a model in a process on this machine; see `Worker` for the errors."""
    # -P: files in the current folder must not stand in for installed modules.
    command = [sys.executable, "-P", "-m", "kaprune_runtime", "worker", *options, "--", str(entrant.folder)]
    return Worker(entrant.name, command)


DEVICES: dict[str, Start] = {"local": start_local}


def find_device(name: str) -> Start:
    """Look up how workers are started on a device.

    Raises:
        InputError: There is no such device.
    """
    if name not in DEVICES:
        raise InputError(f"unknown device '{name}'; use {', '.join(DEVICES)}")
    return DEVICES[name]
