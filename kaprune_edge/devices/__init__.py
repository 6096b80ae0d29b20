"""Machines that run models: this one, and others that are reached through OpenSSH or adb."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from kaprune_edge.devices.adb import adb_door
from kaprune_edge.devices.conversation import Conversation
from kaprune_edge.devices.device import Device
from kaprune_edge.devices.door import Door
from kaprune_edge.devices.local import LocalDevice, LocalProcess
from kaprune_edge.devices.process import Exit, Process
from kaprune_edge.devices.python_agent import PythonAgent
from kaprune_edge.devices.runner_agent import RunnerAgent
from kaprune_edge.devices.ssh import ssh_door
from kaprune_edge.devices.with_python import DeviceWithPython
from kaprune_edge.devices.without_python import DeviceWithoutPython
from kaprune_runtime.errors import InputError

__all__ = [
    "DOORS",
    "LOCAL",
    "Conversation",
    "Device",
    "Exit",
    "LocalDevice",
    "LocalProcess",
    "Process",
    "open_device",
]

LOCAL = "local"
DOORS: dict[str, Callable[[str], Door]] = {"ssh": ssh_door, "adb": adb_door}
"""Scheme of an address -> what reads it."""


@contextmanager
def open_device(
    address: str,
    *,
    python: str = "python3",
    onnxruntime: str | Path | None = None,
    library: str | Path | None = None,
) -> Iterator[Device]:
    """Reach a device; leaving the context ends what runs there and removes what was copied.

    Args:
        address: `local`, `ssh://[USER@]HOST[:PORT][/FOLDER]` or `adb://SERIAL[/FOLDER]`. In FOLDER copies are
            kept, so that the next time only files that changed are sent; without it nothing stays.
        python: Command or path of the Python there.
        onnxruntime: ONNX Runtime's shared library for the device. Given this, nothing there needs Python: a
            program of ours runs the models.
        library: Operator library for the device, or a wheel that holds it; without Python there, with
            `kaprune-runner` beside it. Where None, this machine's own or one that a deployment carries,
            whichever is for the device's processor.

    Raises:
        InputError: The address is none, or a library is given for this machine.
        KapruneError: The device cannot be reached, or lacks Python or a package.
    """
    if address == LOCAL:
        if chosen := onnxruntime or library or (python != "python3" and python):
            raise InputError(f"{chosen} is for another machine; name that with --device")
        yield LocalDevice()
        return
    find_door = DOORS.get(address.partition("://")[0])
    if find_door is None:
        raise InputError(
            f"unknown device '{address}'; use {LOCAL}, {', '.join(f'{each}://...' for each in DOORS)}"
        )
    door = find_door(address)
    onnxruntime, library = (Path(path) if path is not None else None for path in (onnxruntime, library))
    if onnxruntime is None:
        with PythonAgent(door, python) as connection:
            yield DeviceWithPython(connection, library)
    else:
        with RunnerAgent(door, library) as connection:
            yield DeviceWithoutPython(connection, onnxruntime, library)
