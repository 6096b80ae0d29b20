"""Is this machine set up: what is installed, what it runs on, and what to mend."""

import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, distributions, requires, version
from pathlib import Path
from typing import Any

import onnxruntime
from packaging.requirements import Requirement

from kaprune_edge.assets import cache_folder
from kaprune_runtime import KapruneError, instruction_set
from kaprune_runtime.machine import Machine, describe_machine
from kaprune_runtime.processors import QUOTA, Processors, processors

_PACKAGES = ("kaprune-edge", "kaprune-edge-runtime")
_SHOWN = (*_PACKAGES, "torch", "transformers", "onnx", "onnxruntime", "tokenizers")
_NEEDED_DISK = 2_000_000_000


@dataclass(frozen=True)
class Problem:
    """Something amiss."""

    finding: str
    remedy: str


@dataclass(frozen=True)
class Diagnosis:
    """What was found."""

    machine: Machine
    processors: Processors
    versions: Mapping[str, str]
    providers: tuple[str, ...]
    """Execution providers of the installed onnxruntime."""
    kernels: str | None
    """Instruction set of the sparse kernels that run here; None where the operator library does not load."""
    cache: str
    cached: Mapping[str, int]
    """Bytes of each thing in the cache folder; the demo's model and data come there when first used."""
    problems: tuple[Problem, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON can hold it."""
        return asdict(self)


def diagnose() -> Diagnosis:
    """Look at the packages, the machine and the cache folder; changes nothing."""
    machine, cores, cache = describe_machine(), processors(), cache_folder()
    kernels, kernel_problems = _kernels()
    return Diagnosis(
        machine=machine,
        processors=cores,
        versions={name: found for name in _SHOWN if (found := _installed(name)) is not None},
        providers=tuple(onnxruntime.get_available_providers()),
        kernels=kernels,
        cache=str(cache),
        cached=_contents(cache),
        problems=(
            *_package_problems(),
            *_machine_problems(machine),
            *_thread_problems(cores),
            *kernel_problems,
            *_cache_problems(cache),
        ),
    )


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _kernels() -> tuple[str | None, tuple[Problem, ...]]:
    try:
        return instruction_set(), ()
    except KapruneError as error:
        finding, _, remedy = str(error).rpartition("; ")
        return None, (Problem(f"sparse models run slowly: {finding}", remedy),)


def _contents(cache: Path) -> dict[str, int]:
    if not cache.is_dir():
        return {}
    return {
        entry.name: sum(path.stat().st_size for path in entry.rglob("*") if path.is_file())
        for entry in sorted(cache.iterdir())
        if not entry.name.startswith(".")
    }


def _package_problems() -> Iterator[Problem]:
    """Compare what is installed with what the two packages ask for."""
    for package in _PACKAGES:
        for requirement in map(Requirement, requires(package) or ()):
            if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
                continue
            found = _installed(requirement.name)
            if found is None or not requirement.specifier.contains(found, prereleases=True):
                yield Problem(
                    f"{package} needs {requirement}, found {found or 'none'}", f"pip install '{requirement}'"
                )
    runtimes = sorted({name for found in distributions() if _is_onnxruntime(name := found.metadata["Name"])})
    if len(runtimes) > 1:
        yield Problem(
            f"{' and '.join(runtimes)} are installed over each other",
            f"pip uninstall {' '.join(runtimes)}, then install the one that you want",
        )


def _is_onnxruntime(name: str) -> bool:
    return name == "onnxruntime" or name.startswith(("onnxruntime-", "onnxruntime_"))


def _machine_problems(machine: Machine) -> Iterator[Problem]:
    if "x86_64" in machine.system and "avx2" not in machine.features:
        yield Problem(
            "this processor has no AVX2: training and latencies will be slow", "use a newer machine"
        )


def _thread_problems(cores: Processors) -> Iterator[Problem]:
    """Find a quota that PyTorch does not see: it starts a thread for each core that affinity allows."""
    if QUOTA in cores.limits and "OMP_NUM_THREADS" not in os.environ:
        yield Problem(
            f"PyTorch starts more threads than {QUOTA} lets run: training will be slow",
            f"set OMP_NUM_THREADS={cores.usable}",
        )


def _cache_problems(cache: Path) -> Iterator[Problem]:
    nearest = next(folder for folder in (cache, *cache.absolute().parents) if folder.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK):
        yield Problem(f"{nearest} cannot be written to", "set KAPRUNE_CACHE to a folder of your own")
    elif (free := shutil.disk_usage(nearest).free) < _NEEDED_DISK:
        yield Problem(
            f"{nearest} has {free / 1e9:.1f} GB free, a demo run takes up to {_NEEDED_DISK / 1e9:.0f}",
            "free some space, or set KAPRUNE_CACHE to a folder on another disk",
        )
