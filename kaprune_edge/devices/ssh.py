"""Devices behind an OpenSSH server, reached with the system's client as the user has configured it."""

import re

from kaprune_edge.devices.door import Door, last_line
from kaprune_runtime.errors import InputError

_ADDRESS = re.compile(
    r"ssh://(?:(?P<user>\w[\w.-]*)@)?(?P<host>\w[\w.-]*|\[[0-9a-fA-F:.]+\])(?::(?P<port>\d{1,5}))?(?P<folder>/.*)?",
    re.ASCII,
)
_FAILED = 255
_ADVICE = {
    "Permission denied": "let your key in there (ssh-copy-id), or name the right one in ~/.ssh/config",
    "IDENTIFICATION HAS CHANGED": "make sure that it is the same machine, then `ssh-keygen -R` its old key",
    "Host key verification failed": "connect once with `ssh` by hand and check its key",
}


def ssh_door(address: str) -> Door:
    """Read `ssh://[USER@]HOST[:PORT][/FOLDER]`; HOST may be one of the user's ssh_config.

    Raises:
        InputError: The address is none.
    """
    found = _ADDRESS.fullmatch(address)
    if found is None or not 0 < int(found["port"] or 22) < 1 << 16:
        raise InputError(
            f"'{address}' is no address; write ssh://user@host, :port and /folder after it or not"
        )
    program = ["ssh", "-T", "-o", "BatchMode=yes", "-o", "ConnectTimeout=15", "-o", "ServerAliveInterval=10"]
    if found["user"]:
        program += ["-l", found["user"]]
    if found["port"]:
        program += ["-p", found["port"]]
    folder = (found["folder"] or "").rstrip("/")
    return Door(found["host"], [*program, "--", found["host"].strip("[]")], folder or None, _explain)


def _explain(code: int, errors: str) -> str | None:
    if code != _FAILED:
        return None
    advice = next(
        (advice for sign, advice in _ADVICE.items() if sign in errors), "see whether `ssh` gets there"
    )
    return f"{last_line(errors)}; {advice}"
