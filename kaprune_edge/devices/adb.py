"""Devices on the Android Debug Bridge, reached with the system's adb."""

import re

from kaprune_edge.devices.door import Door, last_line
from kaprune_runtime.errors import InputError

_ADDRESS = re.compile(r"adb://(?P<serial>\w[\w.:-]*)(?P<folder>/.*)?", re.ASCII)


def adb_door(address: str) -> Door:
    """Read `adb://SERIAL[/FOLDER]`, the serial number as `adb devices` lists it.

    Raises:
        InputError: The address is none.
    """
    found = _ADDRESS.fullmatch(address)
    if found is None:
        raise InputError(
            f"'{address}' is no address; write adb:// and a serial number that `adb devices` lists"
        )
    folder = (found["folder"] or "").rstrip("/")
    return Door(found["serial"], ["adb", "-s", found["serial"], "shell", "-T"], folder or None, _explain)


def _explain(_: int, errors: str) -> str | None:
    prefix, colon, reason = last_line(errors).partition(": ")
    if prefix not in ("error", "adb") or not colon:
        return None
    return f"{reason}; see whether `adb devices` lists it"
