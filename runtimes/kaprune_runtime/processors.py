"""How many processors this process may use, of those that the machine has."""

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from kaprune_runtime.errors import InputError

QUOTA = "a control group's quota"


@dataclass(frozen=True)
class Processors:
    """What the machine has, and what the system lets this process use of it."""

    present: int
    usable: int
    limits: tuple[str, ...]
    """What makes `usable` less than `present`."""

    def __str__(self) -> str:
        """Say how many there are, and how many may be used: `8 cores`, `1 of 8 cores (its affinity)`."""
        cores = f"{self.present} core{'s' * (self.present > 1)}"
        return f"{self.usable} of {cores} ({' and '.join(self.limits)})" if self.limits else cores

    @property
    def threads(self) -> str:
        """As many threads as can be used, in words: `1 thread` or `1 to 8 threads`."""
        return "1 thread" if self.usable == 1 else f"1 to {self.usable} threads"


def processors(root: Path = Path("/")) -> Processors:
    """Count processors as the system grants them: by affinity, and by the quotas of control groups.

    A quota of one and a half processors counts as two.

    Args:
        root: Where the system's files are.
    """
    present = os.cpu_count() or 1
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else present
    quota = min(_quotas(root), default=math.inf)
    usable = max(1, min(allowed, math.ceil(quota) if math.isfinite(quota) else allowed))
    limits = ["its affinity"] * (allowed < present) + [QUOTA] * (usable < allowed)
    return Processors(present, usable, tuple(limits))


def check_some(threads: int) -> None:
    """Raise InputError unless `threads` is at least 1 (ONNX Runtime takes 0 for all cores)."""
    if threads < 1:
        raise InputError(f"{threads} threads cannot run anything; give 1 or more")


def check_threads(threads: int) -> None:
    """Raise InputError unless one run in this process may use so many threads."""
    check_some(threads)
    found = processors()
    if threads <= found.usable:
        return
    if found.limits:
        raise InputError(
            f"this process may use {found.usable} of the machine's {found.present} cores, by "
            f"{' and '.join(found.limits)}; give {found.threads}"
        )
    raise InputError(f"the machine has {found.present} cores; give {found.threads}")


def _quotas(root: Path) -> Iterator[float]:
    """Give the quota, in processors, of every control group that this process is in."""
    for line in _lines(root / "proc/self/cgroup"):
        number, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        if number == "0" and not controllers:
            for folder in _folders(root / "sys/fs/cgroup", group):
                limit = " ".join(_lines(folder / "cpu.max")).split()
                yield from _ratio(limit)
        elif "cpu" in controllers.split(","):
            for mount in (root / "sys/fs/cgroup" / controllers, root / "sys/fs/cgroup/cpu"):
                for folder in _folders(mount, group):
                    limit = [*_lines(folder / "cpu.cfs_quota_us"), *_lines(folder / "cpu.cfs_period_us")]
                    yield from _ratio(limit)


def _folders(mount: Path, group: str) -> Iterator[Path]:
    """Give the folders of a group and of all above it.

    Inside a container the mount may be the group itself, and a path by its outer name is not there.
    """
    parts = [part for part in PurePosixPath(group).parts if part not in ("/", "..")]
    for count in range(len(parts), -1, -1):
        yield mount.joinpath(*parts[:count])


def _ratio(limit: list[str]) -> Iterator[float]:
    """Give quota / period; nothing where there is no limit (`max`, -1) or it cannot be read."""
    try:
        quota, period = map(int, limit)
    except ValueError:
        return
    if quota > 0 and period > 0:
        yield quota / period


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
