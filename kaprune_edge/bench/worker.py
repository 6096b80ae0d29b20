"""A process that holds one loaded model and waits for its turn to be timed."""

import json
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from types import TracebackType
from typing import Any, NoReturn, Self

import numpy as np

from kaprune_runtime.errors import InputError, KapruneError
from kaprune_runtime.machine import Machine


class Worker:
    """Speaks with `python -m kaprune_runtime worker`; leaving the context kills the process."""

    def __init__(self, name: str, command: Sequence[str]) -> None:
        """Start the process and wait until its model is loaded.

        Args:
            name: What error messages call the model.
            command: The program and its arguments.

        Raises:
            InputError: The worker refused the model or an argument.
            KapruneError: The worker failed or was killed.
        """
        self._name = name
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            start_new_session=True,  # Ctrl-C is for this process alone, which then ends its workers.
        )
        try:
            loaded = self._reply()
            self.load_seconds: float = loaded["load_seconds"]
            self.machine = Machine(**loaded["machine"])
            self.peak_bytes = 0
        except BaseException:
            self._end()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def time(self, runs: int) -> np.ndarray:
        """Time runs, one after the other.

        Returns:
            Milliseconds, float64 [runs].

        Raises:
            KapruneError: The worker failed or was killed.
        """
        try:
            print(json.dumps({"runs": runs}), file=self._process.stdin, flush=True)
        except BrokenPipeError:
            self._raise_its_error()
        reply = self._reply()
        self.peak_bytes = reply["peak_bytes"]
        return np.array(reply["nanoseconds"]) / 1e6

    def _reply(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        if not (line := self._process.stdout.readline()).endswith("\n"):
            self._raise_its_error()
        return json.loads(line)

    def _raise_its_error(self) -> NoReturn:
        code = self._process.wait()
        if code < 0:
            raise KapruneError(
                f"the process that ran {self._name} was killed ({signal.Signals(-code).name}); "
                "if memory ran out, compare fewer models at a time"
            )
        self._errors.seek(0)
        message = (self._errors.read().strip().splitlines() or ["without a word"])[-1].removeprefix("error: ")
        if code == 2:
            raise InputError(message)
        raise KapruneError(f"the process that ran {self._name} failed: {message}")

    def _end(self) -> None:
        self._process.kill()
        self._process.communicate()
        self._errors.close()
