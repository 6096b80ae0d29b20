"""The near end of a connection to an agent, which runs on a device for as long as it lasts."""

import json
import subprocess
import tempfile
import threading
from abc import ABC, abstractmethod
from collections import defaultdict, deque
from collections.abc import Iterable
from contextlib import suppress
from types import TracebackType
from typing import Any, NoReturn, Self

from kaprune_edge.devices.door import Door, last_line
from kaprune_runtime import agent
from kaprune_runtime.errors import KapruneError

_PULSE = 10.0
"""Seconds between signs of life; the agent gives up after `agent.LONGEST_SILENCE`."""
_GOODBYE = 15.0
"""Seconds that the agent is given to clean up."""


class Connection(ABC):
    """Requests to a device and answers, in turn; leaving the context removes all that was made there.

    Requests and answers are those of `kaprune_runtime.agent`.
    """

    def __init__(self, door: Door, command: str) -> None:
        """Start the agent.

        Args:
            door: How the device is reached.
            command: What any login shell there is given to do first.

        Raises:
            InputError: What the agent needs is not for the device.
            KapruneError: The device cannot be reached, or the agent does not start there.
        """
        self.name = door.name
        self._door = door
        self._sending = threading.Lock()
        self._messages: defaultdict[int, deque[dict[str, Any]]] = defaultdict(deque)
        self._connected = False
        self._over = threading.Event()
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
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
            self.about = self._begin(door.folder or "")
            self._connected = True
        except BaseException:
            self.close()
            raise
        threading.Thread(target=self._pulse, daemon=True).start()

    @abstractmethod
    def _begin(self, folder: str) -> dict[str, Any]:
        """Bring the agent there; give its first answer.

        Args:
            folder: Where it keeps files; empty for nowhere.
        """

    @abstractmethod
    def _explain(self, reason: str) -> str:
        """Say what to do about an agent that did not start."""

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

    def tell(self, *request: str) -> None:
        """Send a request that is not answered.

        Raises:
            KapruneError: The connection broke.
        """
        self._send(agent.encode(*request))

    def ask(self, *request: str, payload: Iterable[bytes] = ()) -> dict[str, Any]:
        """Send a request, and bytes that belong to it; wait for the answer.

        Raises:
            KapruneError: The device cannot do it, or the connection broke.
        """
        self._send(agent.encode(*request), payload)
        return self._answer()

    def _answer(self) -> dict[str, Any]:
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

    def _pulse(self) -> None:
        with suppress(OSError, ValueError):  # Broken, or closed: whoever reads next tells.
            while not self._over.wait(_PULSE):
                self._write(agent.encode("nothing"))

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
        raise KapruneError(self._explain(line or f"exit code {code}"))
