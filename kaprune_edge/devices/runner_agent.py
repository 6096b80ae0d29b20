"""A connection to `kaprune-runner`, the program for devices without Python (runtimes/native/runner)."""

import shlex
from pathlib import Path
from typing import Any

from kaprune_edge.devices.baggage import find_runner
from kaprune_edge.devices.connection import Connection
from kaprune_edge.devices.door import Door

_GREETING = b"kaprune runner "
_SHELL = "sh"
# Asks for a folder and for the program's size, a line each, then for the program. In double quotes alone and
# in one line: every login shell takes it as one argument in single ones.
_BOOTSTRAP = (
    'echo "kaprune runner $(uname -m)"; read -r kept && read -r size || exit 1; '
    '[ -z "$kept" ] || mkdir -p "$kept/files" || exit 1; '
    'for place in "$kept" "$TMPDIR" /var/tmp /data/local/tmp /tmp; do '
    '[ -n "$place" ] && [ -w "$place" ] && break; done; '
    'folder=$(mktemp -d "$place/kaprune-XXXXXX") || exit 1; runner=$folder/kaprune-runner; '
    'mkdir "$folder/files" && head -c "$size" >"$runner" && chmod 700 "$runner" && '
    '[ "$(wc -c <"$runner")" -eq "$size" ] && "$runner" "$folder" "${kept:-$folder}/files"; '
    'code=$?; rm -rf "$folder"; exit $code'
)


class RunnerAgent(Connection):
    """Starts with nothing on the device but a POSIX shell."""

    def __init__(self, door: Door, library: Path | None) -> None:
        """Bring the program there and start it.

        Args:
            door: How the device is reached.
            library: Operator library for the device, beside which the program lies, or a wheel that holds
                both; where None, this machine's own.

        Raises:
            InputError: The program that was chosen is not for the device.
            KapruneError: The device cannot be reached, or there is no such program for it.
        """
        self._library = library
        super().__init__(door, f"exec {_SHELL} -c {shlex.quote(_BOOTSTRAP)}")

    def _begin(self, folder: str) -> dict[str, Any]:
        while _GREETING not in (line := self._read_line()):
            pass
        machine = line.rpartition(_GREETING)[2].strip().decode("ascii", "replace")
        runner = find_runner(machine, self._library)
        self._send(f"{folder}\n{len(runner)}\n".encode(), [runner])
        return self._answer()

    def _explain(self, reason: str) -> str:
        return f"the runner does not start on {self.name} ({reason}); it needs space, and a C++ runtime"
