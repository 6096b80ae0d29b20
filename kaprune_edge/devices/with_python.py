"""A device that has Python and what the runtime requires."""

import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from importlib.metadata import requires
from pathlib import Path

from packaging.requirements import Requirement

from kaprune_edge.devices.baggage import find_library, runtime_files
from kaprune_edge.devices.classifier import RemoteClassifier
from kaprune_edge.devices.process import Exit
from kaprune_edge.devices.python_agent import PythonAgent
from kaprune_edge.devices.remote import Content, RemoteDevice, RemoteProcess
from kaprune_runtime.errors import KapruneError
from kaprune_runtime.machine import int8_saturates
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
try:
    with open("/proc/cpuinfo", encoding="utf-8") as cpuinfo:
        flags = next((line.split() for line in cpuinfo if line.startswith("flags")), [])
except OSError:
    flags = []
print(json.dumps([found, onnxruntime.get_available_providers() if onnxruntime else [], flags]))
"""


class DeviceWithPython(RemoteDevice):
    """Runs `python -m kaprune_runtime` there, from this machine's source."""

    def __init__(self, connection: PythonAgent, library: Path | None) -> None:
        """Check what is installed there.

        Args:
            connection: Leads there.
            library: Operator library for the device, or a wheel that holds it; None looks for one.

        Raises:
            KapruneError: The device lacks a package, or has one too old.
        """
        super().__init__(connection)
        self._python, self._library = connection.python, library
        self.providers, flags = self._check_packages()
        self.int8_saturates = int8_saturates(connection.about["machine"], flags)

    def start(self, command: str, options: Sequence[str], folder: Path) -> RemoteProcess:
        """Start a command of the runtime on a prepared deployment."""
        return self._run("-P", "-m", "kaprune_runtime", command, *options, "--", self._folders[folder])

    def classifier(
        self, folder: Path, *, threads: int = 1, provider: str = CPU
    ) -> AbstractContextManager[RemoteClassifier]:
        """Load a prepared deployment there for classifying texts."""
        process = self.start("classifier", [f"--threads={threads}", f"--provider={provider}"], folder)
        return RemoteClassifier(folder, process)

    def _runtime(self, folders: Sequence[Path]) -> Mapping[str, Content]:
        return runtime_files(find_library(self._connection.about["machine"], self._library, folders))

    def _check_packages(self) -> tuple[Sequence[str], Sequence[str]]:
        """Compare what is installed with what the runtime requires.

        Returns:
            The execution providers, and the processor's flags where Linux tells those of x86.
        """
        name, python = self._connection.name, self._python
        needed = [Requirement(each) for each in requires("kaprune-edge-runtime") or ()]
        said = self._run("-P", "-c", _PROBE, *(requirement.name for requirement in needed)).read()
        if isinstance(said, Exit):
            raise KapruneError(f"{name} cannot run models: {said.error or f'exit code {said.code}'}")
        found, providers, flags = json.loads(said)
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
        return providers, flags
