"""What a measurement was made on."""

import os
import platform
from dataclasses import dataclass
from pathlib import Path

import onnxruntime

_FEATURES = ("avx2", "fma", "avx_vnni", "avx512f", "avx512_vnni", "asimd", "asimddp", "i8mm", "sve")


@dataclass(frozen=True)
class Machine:
    """A device and the software that runs models on it."""

    processor: str
    features: tuple[str, ...]
    """The vector instructions among those that kernels are written for, named as Linux names them."""
    cores: int
    """Cores that this process may use."""
    memory_bytes: int
    system: str
    python: str
    onnxruntime: str


def describe_machine() -> Machine:
    """Describe the machine that this process runs on."""
    cpuinfo = _read_cpuinfo()
    flags = cpuinfo.get("flags", cpuinfo.get("Features", "")).split()
    return Machine(
        processor=cpuinfo.get("model name") or _board() or platform.processor() or platform.machine(),
        features=tuple(feature for feature in _FEATURES if feature in flags),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        system=platform.platform(),
        python=platform.python_version(),
        onnxruntime=onnxruntime.__version__,
    )


def _read_cpuinfo() -> dict[str, str]:
    """Read the first core's entries of /proc/cpuinfo; empty where there is none."""
    try:
        first = Path("/proc/cpuinfo").read_text(encoding="utf-8").split("\n\n")[0]
    except OSError:
        return {}
    return {
        key.strip(): value.strip() for key, _, value in (line.partition(":") for line in first.splitlines())
    }


def _board() -> str:
    """Name the board as its device tree does, such as a Raspberry Pi's."""
    try:
        return Path("/proc/device-tree/model").read_text(encoding="utf-8").rstrip("\0")
    except OSError:
        return ""
