"""Devices on the Android Debug Bridge, reached with the system's adb."""

import re

from kaprune_edge.devices.door import Door
from kaprune_runtime.errors import InputError

_ADDRESS = re.compile(r"adb://(?P<serial>\w[\w.:-]*)(?P<folder>/.*)?", re.ASCII)
_REASON = re.compile(r"^(?:error|adb): (.+?)\.?$", re.MULTILINE)  # Lines of advice may follow it.


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
    found = _REASON.search(errors)
    return f"{found[1]}; see what `adb devices` says of it" if found else None
