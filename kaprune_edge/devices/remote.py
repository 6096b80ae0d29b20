"""A device at the other end of a connection."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from importlib.metadata import requires
from io import BytesIO
from itertools import count
from pathlib import Path

from packaging.requirements import Requirement

from kaprune_edge.devices.baggage import find_library, runtime_files
from kaprune_edge.devices.classifier import RemoteClassifier
from kaprune_edge.devices.connection import Connection
from kaprune_edge.devices.process import Exit
from kaprune_edge.progress import Progress
from kaprune_runtime.errors import KapruneError
from kaprune_runtime.providers import CPU

_PROBE = """
import json, sys
found = {}
for name in sys.argv[1:]:
    try:
        found[name] = __import__(name).__version__
    except ModuleNotFoundError:
        pass
    except ImportError as error:
        sys.exit(f"{name} does not load there: {error}")
onnxruntime = sys.modules.get("onnxruntime")
print(json.dumps([found, onnxruntime.get_available_providers() if onnxruntime else []]))
"""
_PIECE = 1 << 20
_SPARE_BYTES = 16_000_000
"""Left free on the device's disk."""

Content = Path | bytes


class RemoteProcess:
    """A process of the device's Python."""

    def __init__(self, connection: Connection, number: int, arguments: Sequence[str]) -> None:
        """Start it."""
        self._connection, self._number = connection, number
        connection.tell({"do": "start", "process": number, "arguments": arguments})

    def write(self, line: str) -> None:
        """Send a line; one that has ended ignores it."""
        self._connection.tell({"do": "write", "process": self._number, "line": line})

    def read(self) -> str | Exit:
        """Wait for the next line, or the end."""
        message = self._connection.message(self._number)
        return message["line"] if "line" in message else Exit(message["code"], message["error"])

    def end(self) -> None:
        """Kill it, unless it has ended."""
        self._connection.tell({"do": "end", "process": self._number})


class RemoteDevice:
    """A machine that is lent the runtime and deployments for as long as the connection lasts."""

    def __init__(self, connection: Connection, library: Path | None) -> None:
        """Check what is installed there.

        Args:
            connection: Leads there.
            library: Operator library for the device, or a wheel that holds it; None looks for one.

        Raises:
            KapruneError: The device lacks a package, or has one too old.
        """
        self._connection, self._library = connection, library
        self._numbers = count()
        self._has_runtime = False
        self._folders: dict[Path, str] = {}
        self.providers: Sequence[str] = self._check_packages()

    def prepare(self, folders: Sequence[Path], progress: Progress) -> None:
        """Bring deployments there, and the runtime first; files that are there already are not sent again."""
        places: dict[str, dict[str, Content]] = {}
        if not self._has_runtime:
            library = find_library(self._connection.about["machine"], self._library, folders)
            places["."] = dict(runtime_files(library))
            self._has_runtime = True
        for folder in folders:
            if folder not in self._folders:
                self._folders[folder] = f"{len(self._folders)}/{folder.resolve().name}"
                places[self._folders[folder]] = {
                    path.name: path for path in folder.iterdir() if path.is_file()
                }
        digests = {
            place: {name: (_sha256(content), content) for name, content in files.items()}
            for place, files in places.items()
        }
        self._send_missing(
            {sha: content for files in digests.values() for sha, content in files.values()}, progress
        )
        for place, files in digests.items():
            names = {name: sha256 for name, (sha256, _) in files.items()}
            self._connection.ask({"do": "place", "folder": place, "files": names})

    def start(self, command: str, options: Sequence[str], folder: Path) -> RemoteProcess:
        """Start a command of the runtime on a prepared deployment."""
        return self._run("-P", "-m", "kaprune_runtime", command, *options, "--", self._folders[folder])

    def classifier(
        self, folder: Path, *, threads: int = 1, provider: str = CPU
    ) -> AbstractContextManager[RemoteClassifier]:
        """Load a prepared deployment there for classifying texts."""
        process = self.start("classifier", [f"--threads={threads}", f"--provider={provider}"], folder)
        return RemoteClassifier(folder, process)

    def _run(self, *arguments: str) -> RemoteProcess:
        return RemoteProcess(self._connection, next(self._numbers), arguments)

    def _check_packages(self) -> Sequence[str]:
        """Compare what is installed with what the runtime requires; return the execution providers."""
        name, python = self._connection.name, self._connection.python
        needed = [Requirement(each) for each in requires("kaprune-edge-runtime") or ()]
        said = self._run("-P", "-c", _PROBE, *(requirement.name for requirement in needed)).read()
        if isinstance(said, Exit):
            raise KapruneError(f"{name} cannot run models: {said.error or f'exit code {said.code}'}")
        found, providers = json.loads(said)
        lacking = [
            str(each)
            for each in needed
            if each.name not in found or not each.specifier.contains(found[each.name], prereleases=True)
        ]
        if lacking:
            install = " ".join(f"'{each}'" for each in lacking)
            raise KapruneError(
                f"{name} lacks {', '.join(lacking)}; install there: {python} -m pip install {install}"
            )
        return providers

    def _send_missing(self, contents: Mapping[str, Content], progress: Progress) -> None:
        missing = self._connection.ask({"do": "missing", "files": list(contents)})["missing"]
        sizes = {sha256: _size(contents[sha256]) for sha256 in missing}
        if not missing:
            return
        self._check_space(sum(sizes.values()))
        progress.start(f"copying to {self._connection.name}", sum(sizes.values()))
        done = 0
        for sha256, size in sizes.items():

            def pieces(content: Content = contents[sha256], before: int = done) -> Iterator[bytes]:
                with content.open("rb") if isinstance(content, Path) else BytesIO(content) as file:
                    while piece := file.read(_PIECE):
                        yield piece
                        progress.advance(before + file.tell())

            self._connection.ask({"do": "put", "sha256": sha256, "size": size}, pieces())
            done += size

    def _check_space(self, needed: int) -> None:
        about = self._connection.about
        if needed + _SPARE_BYTES > about["free"]:
            raise KapruneError(
                f"{self._connection.name} has {about['free'] / 1e6:.0f} MB free in "
                f"{Path(about['folder']).parent}, {(needed + _SPARE_BYTES) / 1e6:.0f} are needed; "
                "free some, or name a folder on another disk there after the address"
            )
        about["free"] -= needed


def _size(content: Content) -> int:
    return content.stat().st_size if isinstance(content, Path) else len(content)


def _sha256(content: Content) -> str:
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    with content.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
