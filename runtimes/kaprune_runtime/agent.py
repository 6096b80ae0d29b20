"""The device's end of a connection: takes files, runs processes, and leaves nothing behind.

The machine that connects sends this file as source and has the device's Python run it, so it imports the
standard library alone. A request is a line of words, as `encode` writes them, an answer one of JSON. The
first request says where to keep files (nowhere, if that word is empty) and which Python runs the processes:

| request | answer |
| --- | --- |
| `begin FOLDER PYTHON` | `{"machine": "aarch64", "folder": "...", "free": bytes}` |
| `missing SHA256...` | `{"missing": [sha256, ...]}` |
| `put SHA256 SIZE`, then as many bytes | `{}` |
| `place FOLDER [SHA256 NAME]...`, the names with folders or not | `{}` |
| `start PROCESS ARGUMENT...`, with a number for the process | |
| `write PROCESS TEXT` | |
| `end PROCESS` | |
| `nothing` | |

A request that fails is answered with `{"problem": "no space left on device"}`. What a process writes comes as
`{"process", "line"}`, its end as `{"process", "code", "error": last line of standard error}`. When the
connection ends, or has been silent for a minute, a shell that outlives this process ends all others and
removes what was made. Processes start in the folder that files are placed in, and import modules from it.

`runtimes/native/runner` speaks the same where there is no Python, but for the first request.
"""

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote, unquote

GREETING = b"kaprune agent 1\n"
"""Comes before the first answer; what login scripts print comes before it."""
LONGEST_SILENCE = 60.0
"""Seconds after which the other machine counts as gone."""

_PIECE = 1 << 20
_SAFE = "/:,[]{}()=+"
_SWEEP = 'trap "" HUP INT TERM; cat >/dev/null; kill -TERM 0; rm -rf "$0"'


def encode(*words: str) -> bytes:
    """Write a request: words between single spaces, spaces in them and all but ASCII as %XX."""
    return " ".join(quote(word, safe=_SAFE) for word in words).encode("ascii") + b"\n"


def _decode(line: bytes) -> list[str]:
    return [unquote(word) for word in line.decode("ascii").removesuffix("\n").split(" ")]


class Agent:
    """Serves one connection."""

    def __init__(self, requests: BinaryIO, answers: BinaryIO) -> None:
        """Make a folder for this connection, and start the shell that removes it."""
        self._requests, self._answers = requests, answers
        self._writing = threading.Lock()
        self._processes: dict[str, subprocess.Popen[str]] = {}
        _, kept, self._python = _decode(requests.readline())
        if kept:
            Path(kept, "files").mkdir(parents=True, exist_ok=True)
        self.folder = Path(tempfile.mkdtemp(prefix="kaprune-", dir=kept or _temporary_folder()))
        self._files = Path(kept) / "files" if kept else self.folder / "files"
        self._files.mkdir(exist_ok=True)
        self._sweeper = subprocess.Popen(
            ["sh", "-c", _SWEEP, self.folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            process_group=0,  # that all processes started below join
        )

    def serve(self) -> None:
        """Answer requests until there are no more."""
        free = shutil.disk_usage(self.folder).free
        self._answer({"machine": platform.machine(), "folder": str(self.folder), "free": free})
        while (line := self._hear(self._requests.readline)).endswith(b"\n"):
            verb, *words = _decode(line)
            try:
                answer = getattr(self, f"_{verb}")(*words)
            except OSError as error:
                answer = _problem(error)
            if answer is not None:
                self._answer(answer)

    def sweep(self) -> None:
        """End all processes and remove all files but those to keep."""
        assert self._sweeper.stdin is not None
        self._sweeper.stdin.close()
        self._sweeper.wait()

    def _hear(self, read: Callable[[], bytes]) -> bytes:
        silence = threading.Timer(LONGEST_SILENCE, os._exit, [1])  # the sweeper does the rest
        silence.daemon = True
        silence.start()
        try:
            return read()
        finally:
            silence.cancel()

    def _nothing(self) -> None:
        pass

    def _missing(self, *files: str) -> dict[str, Any]:
        return {"missing": [sha256 for sha256 in files if not self._is_whole(sha256)]}

    def _is_whole(self, sha256: str) -> bool:
        try:
            with (self._files / sha256).open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest() == sha256
        except FileNotFoundError:
            return False

    def _put(self, sha256: str, length: str) -> dict[str, Any]:
        size, problem = int(length), None
        path = self.folder / "partial"
        with path.open("wb", buffering=0) as file:
            while size:
                piece = self._hear(partial(self._requests.read, min(size, _PIECE)))
                if not piece:
                    raise EOFError
                size -= len(piece)
                try:
                    while piece and problem is None:
                        piece = piece[file.write(piece) :]
                except OSError as error:  # The rest is to be read all the same.
                    problem = error
        if problem is not None:
            path.unlink()
            raise problem
        path.rename(self._files / sha256)
        return {}

    def _place(self, folder: str, *files: str) -> dict[str, Any]:
        for sha256, name in zip(files[::2], files[1::2], strict=True):
            path = self.folder / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                path.hardlink_to(self._files / sha256)
            except OSError:  # Android forbids links.
                shutil.copyfile(self._files / sha256, path)
        return {}

    def _start(self, process: str, *arguments: str) -> None:
        errors = tempfile.TemporaryFile("w+", dir=self.folder, encoding="utf-8", errors="replace")  # noqa: SIM115
        started = self._processes[process] = subprocess.Popen(
            [self._python, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            cwd=self.folder,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(filter(None, (str(self.folder), os.environ.get("PYTHONPATH")))),
                "PYTHONDONTWRITEBYTECODE": "1",
                "ORT_DISABLE_TELEMETRY": os.environ.get("ORT_DISABLE_TELEMETRY", "1"),
                "TMPDIR": str(self.folder),
            },
            text=True,
            encoding="utf-8",
            process_group=self._sweeper.pid,
        )

        def forward() -> None:
            assert started.stdout is not None
            with errors:
                for line in started.stdout:
                    self._answer({"process": int(process), "line": line})
                code = started.wait()
                errors.seek(0)
                last = (errors.read().strip().splitlines() or [""])[-1]
                self._answer({"process": int(process), "code": code, "error": last})

        threading.Thread(target=forward, daemon=True).start()

    def _write(self, process: str, line: str) -> None:
        stdin = self._processes[process].stdin
        assert stdin is not None
        with suppress(BrokenPipeError):  # A process that ended is told of by `forward`.
            stdin.write(line)
            stdin.flush()

    def _end(self, process: str) -> None:
        self._processes[process].kill()

    def _answer(self, answer: Mapping[str, Any]) -> None:
        # Where nobody listens any more, nobody asks either, and `serve` ends.
        with self._writing, suppress(BrokenPipeError):
            self._answers.write(json.dumps(answer).encode() + b"\n")
            self._answers.flush()


def _problem(error: OSError) -> dict[str, Any]:
    return {"problem": f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror)}


def _temporary_folder() -> str:
    """Choose a folder on disk rather than in memory, where temporary files often are."""
    for folder in (os.environ.get("TMPDIR"), "/var/tmp", "/data/local/tmp"):
        if folder and os.access(folder, os.W_OK | os.X_OK):
            return folder
    return tempfile.gettempdir()


def main() -> None:
    """Serve the connection on standard input and output."""
    answers = sys.stdout.buffer
    answers.write(GREETING)
    answers.flush()
    try:
        agent = Agent(sys.stdin.buffer, answers)
    except OSError as error:
        answers.write(json.dumps(_problem(error)).encode() + b"\n")
        return
    try:
        with suppress(EOFError):
            agent.serve()
    finally:
        agent.sweep()


if __name__ == "__main__":
    main()
