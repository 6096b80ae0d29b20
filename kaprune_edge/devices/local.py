"""This machine as a device."""

import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import onnxruntime

from kaprune_edge.devices.process import Exit
from kaprune_edge.progress import Progress
from kaprune_runtime import Classifier
from kaprune_runtime.machine import describe_machine, int8_saturates
from kaprune_runtime.providers import CPU


class LocalProcess:
    """A process on this machine."""

    def __init__(self, command: Sequence[str]) -> None:
        """Start it."""
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            encoding="utf-8",
            start_new_session=True,  # Ctrl-C is for this process alone, which then ends its workers.
        )

    def write(self, line: str) -> None:
        """Send a line; one that has ended ignores it."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line)
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # `read` tells.

    def read(self) -> str | Exit:
        """Wait for the next line, or the end."""
        assert self._process.stdout is not None
        if (line := self._process.stdout.readline()).endswith("\n"):
            return line
        code = self._process.wait()
        self._errors.seek(0)
        return Exit(code, (self._errors.read().strip().splitlines() or [""])[-1])

    def end(self) -> None:
        """Kill it, unless it has ended."""
        self._process.kill()
        self._process.communicate()
        self._errors.close()


class LocalDevice:
    """This machine: nothing needs to be brought anywhere."""

    def __init__(self) -> None:
        self.providers: Sequence[str] = onnxruntime.get_available_providers()
        self.int8_saturates = int8_saturates(platform.machine(), describe_machine().features)

    def prepare(self, folders: Sequence[Path], progress: Progress) -> None:
        """Do nothing."""

    def start(self, command: str, options: Sequence[str], folder: Path) -> LocalProcess:
        """Start a command of the runtime."""
        # -P: files in the current folder must not stand in for installed modules.
        return LocalProcess(
            [sys.executable, "-P", "-m", "kaprune_runtime", command, *options, "--", str(folder)]
        )

    def classifier(
        self, folder: Path, *, threads: int = 1, provider: str = CPU
    ) -> AbstractContextManager[Classifier]:
        """Load a deployment in this process for classifying texts."""
        return nullcontext(Classifier(folder, threads=threads, provider=provider))
