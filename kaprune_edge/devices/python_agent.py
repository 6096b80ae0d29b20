"""A connection to `kaprune_runtime.agent`, run by the device's Python."""

import shlex
from pathlib import Path
from typing import Any

from kaprune_edge.devices.connection import Connection
from kaprune_edge.devices.door import Door
from kaprune_runtime import agent

# In double quotes alone: every login shell takes it as one argument in single ones.
_BOOTSTRAP = (
    'import sys; sys.version_info < (3, 11) and sys.exit("it is Python %d.%d" % sys.version_info[:2]); '
    "s = sys.stdin.buffer; exec(s.read(int(s.readline())))"
)


class PythonAgent(Connection):
    """Starts with nothing on the device but Python."""

    def __init__(self, door: Door, python: str) -> None:
        """Start the agent.

        Args:
            door: How the device is reached.
            python: Command or path of the device's Python.

        Raises:
            KapruneError: The device cannot be reached, or its Python is missing or too old.
        """
        self.python = python
        super().__init__(door, f"exec {shlex.quote(python)} -c {shlex.quote(_BOOTSTRAP)}")

    def _begin(self, folder: str) -> dict[str, Any]:
        source = Path(agent.__file__).read_bytes()
        self._send(b"%d\n" % len(source), [source])
        while not self._read_line().endswith(agent.GREETING):
            pass
        return self.ask("begin", folder, self.python)

    def _explain(self, reason: str) -> str:
        return (
            f"{self.python} does not start on {self.name} ({reason}); "
            "name Python 3.11 or newer there with --device-python, or do without by --device-onnxruntime"
        )
