"""A device at the other end of a connection."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from itertools import chain, count
from pathlib import Path

from kaprune_edge.devices.connection import Connection
from kaprune_edge.devices.process import Exit
from kaprune_edge.progress import Progress
from kaprune_runtime.errors import KapruneError

_PIECE = 1 << 20
_SPARE_BYTES = 16_000_000
"""Left free on the device's disk."""

Content = Path | bytes


class RemoteProcess:
    """A process that the device's agent starts."""

    def __init__(self, connection: Connection, number: int, arguments: Sequence[str]) -> None:
        """Start it."""
        self._connection, self._number = connection, number
        connection.tell("start", str(number), *arguments)

    def write(self, line: str) -> None:
        """Send a line; one that has ended ignores it."""
        self._connection.tell("write", str(self._number), line)

    def read(self) -> str | Exit:
        """Wait for the next line, or the end."""
        message = self._connection.message(self._number)
        return message["line"] if "line" in message else Exit(message["code"], message["error"])

    def end(self) -> None:
        """Kill it, unless it has ended."""
        self._connection.tell("end", str(self._number))


class RemoteDevice(ABC):
    """A machine that is lent a runtime and deployments for as long as the connection lasts."""

    providers: Sequence[str]
    """Execution providers of its onnxruntime."""
    int8_saturates: bool
    """See `Device`."""

    def __init__(self, connection: Connection) -> None:
        """Begin with nothing there.

        Args:
            connection: Leads there.
        """
        self._connection = connection
        self._numbers = count()
        self._has_runtime = False
        self._folders: dict[Path, str] = {}

    @abstractmethod
    def _runtime(self, folders: Sequence[Path]) -> Mapping[str, Content]:
        """Give what runs deployments there, by path."""

    def prepare(self, folders: Sequence[Path], progress: Progress) -> None:
        """Bring deployments there, and the runtime first; files that are there already are not sent again."""
        places: dict[str, dict[str, Content]] = {}
        if not self._has_runtime:
            places["."] = dict(self._runtime(folders))
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
            names = chain.from_iterable((sha256, name) for name, (sha256, _) in files.items())
            self._connection.ask("place", place, *names)

    def _run(self, *arguments: str) -> RemoteProcess:
        return RemoteProcess(self._connection, next(self._numbers), arguments)

    def _send_missing(self, contents: Mapping[str, Content], progress: Progress) -> None:
        missing = self._connection.ask("missing", *contents)["missing"]
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

            self._connection.ask("put", sha256, str(size), payload=pieces())
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
