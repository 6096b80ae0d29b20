"""What all machines that run models have in common."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from kaprune_edge.devices.classifier import RemoteClassifier
from kaprune_edge.devices.process import Process
from kaprune_edge.progress import Progress
from kaprune_runtime import Classifier
from kaprune_runtime.providers import CPU


class Device(Protocol):
    """A machine that runs `python -m kaprune_runtime`."""

    providers: Sequence[str]
    """Execution providers that its onnxruntime was built with."""
    int8_saturates: bool
    """Whether ONNX Runtime's int8 sums saturate on its processor; assumed of an x86 that does not tell."""

    def prepare(self, folders: Sequence[Path], progress: Progress) -> None:
        """Bring deployments there, all that are not yet.

        Raises:
            KapruneError: There is no space for them, or the connection broke.
        """

    def start(self, command: str, options: Sequence[str], folder: Path) -> Process:
        """Start a command of the runtime on a prepared deployment.

        Args:
            command: Such as `worker`.
            options: Its options.
            folder: A deployment on this machine.

        Raises:
            KapruneError: The connection broke.
        """

    def classifier(
        self, folder: Path, *, threads: int = 1, provider: str = CPU
    ) -> AbstractContextManager[Classifier | RemoteClassifier]:
        """Load a prepared deployment for classifying texts.

        Args:
            folder: The deployment on this machine.
            threads: Threads of one run.
            provider: Execution provider.

        Raises:
            InputError: The deployment is damaged, or the provider is not there.
            KapruneError: The provider did not start, or the connection broke.
        """
