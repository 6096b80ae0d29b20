"""Questions and answers, a line of JSON each, with a command of `python -m kaprune_runtime` on a device."""

import json
import signal
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from kaprune_edge.devices.process import Exit, Process
from kaprune_runtime.errors import InputError, KapruneError


class Conversation:
    """Leaving the context ends the process."""

    def __init__(self, name: str, process: Process) -> None:
        """Begin with a process that has just been started.

        Args:
            name: What messages call the model that it runs.
            process: The process.
        """
        self._name, self._process = name, process

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.end()

    def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Send a request and wait for the answer; see `hear` for the errors."""
        self._process.write(json.dumps(request) + "\n")
        return self.hear()

    def hear(self) -> dict[str, Any]:
        """Wait for an answer.

        Raises:
            InputError: The process refused the model or an argument.
            KapruneError: The process failed or was killed, or the connection broke.
        """
        said = self._process.read()
        if not isinstance(said, Exit):
            return json.loads(said)
        if said.code < 0:
            raise KapruneError(
                f"the process that ran {self._name} was killed ({signal.Signals(-said.code).name}); "
                "if memory ran out, compare fewer models at a time"
            )
        message = said.error.removeprefix("error: ") or "without a word"
        if said.code == 2:
            raise InputError(message)
        raise KapruneError(f"the process that ran {self._name} failed: {message}")
