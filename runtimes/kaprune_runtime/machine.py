"""What a measurement was made on."""

import os
import platform
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import onnxruntime

from kaprune_runtime.errors import KapruneError
from kaprune_runtime.operators import instruction_set
from kaprune_runtime.processors import processors

_FEATURES = ("avx2", "fma", "avx_vnni", "avx512f", "avx512_vnni", "asimd", "asimddp", "i8mm", "sve")

_ARM_CORES = {
    "0xd03": "Cortex-A53",
    "0xd04": "Cortex-A35",
    "0xd05": "Cortex-A55",
    "0xd08": "Cortex-A72",
    "0xd09": "Cortex-A73",
    "0xd0a": "Cortex-A75",
    "0xd0b": "Cortex-A76",
    "0xd0c": "Neoverse N1",
    "0xd0d": "Cortex-A77",
    "0xd40": "Neoverse V1",
    "0xd41": "Cortex-A78",
    "0xd44": "Cortex-X1",
    "0xd46": "Cortex-A510",
    "0xd47": "Cortex-A710",
    "0xd49": "Neoverse N2",
    "0xd4f": "Neoverse V2",
}
"""Part number -> name of Arm's own cores (implementer 0x41), from the MIDR_EL1 of their reference manuals."""


@dataclass(frozen=True)
class Machine:
    """A device and the software that runs models on it."""

    processor: str
    features: tuple[str, ...]
    """The vector instructions among those that kernels are written for, named as Linux names them."""
    cores: int
    """Cores that this process may use."""
    cores_present: int
    """Cores that the machine has."""
    memory_bytes: int
    system: str
    python: str | None
    """None where models run without."""
    onnxruntime: str
    kernels: str | None
    """Instruction set of the sparse kernels that run here; None where the operator library does not load."""


def describe_machine(root: Path = Path("/"), machine: str = platform.machine()) -> Machine:
    """Describe the machine that this process runs on.

    Args:
        root: Where the system's files are.
        machine: What `uname -m` says.
    """
    cpuinfo, found = _read_cpuinfo(root), processors(root)
    flags = cpuinfo.get("flags", cpuinfo.get("Features", "")).split()
    return Machine(
        processor=cpuinfo.get("model name") or _arm_processor(root, cpuinfo) or machine,
        features=tuple(feature for feature in _FEATURES if feature in flags),
        cores=found.usable,
        cores_present=found.present,
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        system=platform.platform(),
        python=platform.python_version(),
        onnxruntime=onnxruntime.__version__,
        kernels=_kernels(),
    )


def int8_saturates(machine: str, features: Collection[str]) -> bool:
    """Tell whether ONNX Runtime's products of unsigned and signed bytes saturate on a processor.

    x86 without VNNI adds two such products in 16 bits, which large weights overflow.

    Args:
        machine: What `uname -m` says.
        features: Its vector instructions, named as Linux names them.
    """
    return machine in ("x86_64", "AMD64") and not {"avx_vnni", "avx512_vnni"} & set(features)


def _kernels() -> str | None:
    try:
        return instruction_set()
    except KapruneError:
        return None


def _read_cpuinfo(root: Path) -> dict[str, str]:
    """Read the first core's entries of /proc/cpuinfo; empty where there is none."""
    try:
        first = (root / "proc/cpuinfo").read_text(encoding="utf-8").split("\n\n")[0]
    except OSError:
        return {}
    return {
        key.strip(): value.strip() for key, _, value in (line.partition(":") for line in first.splitlines())
    }


def _arm_processor(root: Path, cpuinfo: Mapping[str, str]) -> str:
    """Name the board as its device tree does, such as a Raspberry Pi's, and the core."""
    try:
        board = (root / "proc/device-tree/model").read_text(encoding="utf-8").rstrip("\0")
    except OSError:
        board = ""
    core = _ARM_CORES.get(cpuinfo.get("CPU part", "")) if cpuinfo.get("CPU implementer") == "0x41" else None
    return ", ".join(filter(None, (board, core)))
