"""The near end of a connection to `kaprune_runtime.agent`, which runs on a device for as long as it lasts."""

import json
import shlex
import subprocess
import tempfile
import threading
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Self

from kaprune_edge.devices.door import Door, last_line
from kaprune_runtime import agent
from kaprune_runtime.errors import KapruneError

_PULSE = 10.0
"""Seconds between signs of life; the agent gives up after `agent.LONGEST_SILENCE`."""
_GOODBYE = 15.0
"""Seconds that the agent is given to clean up."""
# In double quotes alone: every login shell takes it as one argument in single ones.
_BOOTSTRAP = (
    'import sys; sys.version_info < (3, 11) and sys.exit("it is Python %d.%d" % sys.version_info[:2]); '
    "s = sys.stdin.buffer; exec(s.read(int(s.readline())))"
)


class Connection:
    """Requests to a device and answers, in turn; leaving the context removes all that was made there."""

    def __init__(self, door: Door, python: str) -> None:
        """Start the agent.

        Args:
            door: How the device is reached.
            python: Command or path of the device's Python.

        Raises:
            KapruneError: The device cannot be reached, or its Python is missing or too old.
        """
        self.name = door.name
        self.python = python
        self._door = door
        self._sending = threading.Lock()
        self._messages: defaultdict[int, deque[dict[str, Any]]] = defaultdict(deque)
        self._connected = False
        self._over = threading.Event()
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
        command = f"exec {shlex.quote(python)} -c {shlex.quote(_BOOTSTRAP)}"
        try:
            self._client = subprocess.Popen(
                [*door.program, command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                start_new_session=True,  # Ctrl-C is for this process alone, which then says goodbye.
            )
        except FileNotFoundError as error:
            raise KapruneError(f"{door.program[0]} is not installed on this machine; install it") from error
        try:
            source = Path(agent.__file__).read_bytes()
            self._send(b"%d\n" % len(source), [source])
            self._skip_to_greeting()
            self.about = self.ask({"folder": door.folder, "python": python})
            self._connected = True
        except BaseException:
            self.close()
            raise
        threading.Thread(target=self._pulse, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Have the agent clean up and end."""
        self._over.set()
        try:
            with suppress(subprocess.TimeoutExpired, OSError):
                self._client.communicate(timeout=_GOODBYE)
        finally:
            self._client.kill()
            self._client.wait()
            self._errors.close()

    def tell(self, request: Mapping[str, Any]) -> None:
        """Send a request that is not answered.

        Raises:
            KapruneError: The connection broke.
        """
        self._send(json.dumps(request).encode() + b"\n")

    def ask(self, request: Mapping[str, Any], payload: Iterable[bytes] = ()) -> dict[str, Any]:
        """Send a request, and bytes that belong to it; wait for the answer.

        Raises:
            KapruneError: The device cannot do it, or the connection broke.
        """
        self._send(json.dumps(request).encode() + b"\n", payload)
        while "process" in (message := self._receive()):
            self._messages[message["process"]].append(message)
        return message

    def message(self, process: int) -> dict[str, Any]:
        """Wait for what a process says next.

        Raises:
            KapruneError: It could not be started, or the connection broke.
        """
        while not (waiting := self._messages[process]):
            message = self._receive()
            self._messages[message["process"]].append(message)
        return waiting.popleft()

    def _send(self, head: bytes, payload: Iterable[bytes] = ()) -> None:
        try:
            self._write(head, payload)
        except BrokenPipeError:
            self._raise_why()

    def _write(self, head: bytes, payload: Iterable[bytes] = ()) -> None:
        assert self._client.stdin is not None
        with self._sending:
            self._client.stdin.write(head)
            for piece in payload:
                self._client.stdin.write(piece)
            self._client.stdin.flush()

    def _receive(self) -> dict[str, Any]:
        message = json.loads(self._read_line())
        if "problem" in message:
            raise KapruneError(f"{self.name}: {message['problem']}")
        return message

    def _read_line(self) -> bytes:
        assert self._client.stdout is not None
        if not (line := self._client.stdout.readline()).endswith(b"\n"):
            self._raise_why()
        return line

    def _skip_to_greeting(self) -> None:
        while not self._read_line().endswith(agent.GREETING):
            pass

    def _pulse(self) -> None:
        with suppress(OSError, ValueError):  # Broken, or closed: whoever reads next tells.
            while not self._over.wait(_PULSE):
                self._write(b'{"do": "nothing"}\n')

    def _raise_why(self) -> NoReturn:
        """Tell in one line what ended the connection."""
        try:
            code = self._client.wait(_GOODBYE)
        except subprocess.TimeoutExpired:
            code = 0
        self._errors.seek(0)
        errors = self._errors.read()
        reason, line = self._door.explain(code, errors), last_line(errors)
        if self._connected:
            raise KapruneError(f"lost the connection to {self.name}: {reason or line or 'it was closed'}")
        if reason is not None:
            raise KapruneError(f"cannot reach {self.name}: {reason}")
        raise KapruneError(
            f"{self.python} does not start on {self.name} ({line or f'exit code {code}'}); "
            "name Python 3.11 or newer there with --device-python"
        )
