"""A device that has no Python: a program of ours runs the models, and texts become token ids here."""

import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from kaprune_edge.devices.baggage import LIBRARY, find_library, read_for
from kaprune_edge.devices.conversation import Conversation
from kaprune_edge.devices.process import Exit, Process
from kaprune_edge.devices.remote import Content, RemoteDevice, RemoteProcess
from kaprune_edge.devices.runner_agent import RunnerAgent
from kaprune_runtime import Classifier
from kaprune_runtime.condition import describe_condition
from kaprune_runtime.deployment import MODEL, read_config, verify
from kaprune_runtime.latency import sample_inputs
from kaprune_runtime.machine import describe_machine, int8_saturates
from kaprune_runtime.providers import CPU

_INPUTS = ("input_ids", "attention_mask", "token_type_ids")


class DeviceWithoutPython(RemoteDevice):
    """Runs `kaprune-runner` there, on the CPU provider of an ONNX Runtime library that it is brought."""

    providers: Sequence[str] = (CPU,)

    def __init__(self, connection: RunnerAgent, onnxruntime: Path, library: Path | None) -> None:
        """Read what is to be brought there.

        Args:
            connection: Leads there.
            onnxruntime: ONNX Runtime's shared library for the device.
            library: Operator library for the device, or a wheel that holds it; None looks for one.

        Raises:
            InputError: `onnxruntime` is none, or for other processors.
        """
        super().__init__(connection)
        self.int8_saturates = int8_saturates(connection.about["machine"], ())
        self._library = library
        self._onnxruntime = read_for(connection.about["machine"], onnxruntime, onnxruntime.name)

    def start(self, command: str, options: Sequence[str], folder: Path) -> "TimedModel":
        """Load a prepared deployment for timing; `command` is `worker`, the only one."""
        given = dict(option.removeprefix("--").split("=", 1) for option in options)
        verify(folder, MODEL)
        feeds = sample_inputs(
            _INPUTS, read_config(folder), int(given["batch-size"]), int(given["sequence-length"])
        )
        return TimedModel(self._load(folder, int(given["threads"])), feeds)

    def classifier(
        self, folder: Path, *, threads: int = 1, provider: str = CPU
    ) -> AbstractContextManager["RunnerClassifier"]:
        """Load a prepared deployment there for classifying texts."""
        verify(folder, MODEL)
        return RunnerClassifier(folder, self._load(folder, threads))

    def _load(self, folder: Path, threads: int) -> RemoteProcess:
        return self._run(f"{self._folders[folder]}/{MODEL}", str(threads))

    def _runtime(self, folders: Sequence[Path]) -> Mapping[str, Content]:
        library = find_library(self._connection.about["machine"], self._library, folders)
        return {LIBRARY: library, "libonnxruntime.so": self._onnxruntime}


class TimedModel:
    """Speaks as `kaprune_runtime.worker.serve_timing` does, for a runner."""

    def __init__(self, process: Process, feeds: Mapping[str, np.ndarray]) -> None:
        """Begin with a runner that loads the model, and the inputs of every run."""
        self._process, self._feeds = process, feeds

    def write(self, line: str) -> None:
        """Ask for runs."""
        self._process.write(_request(json.loads(line)["runs"], self._feeds))

    def read(self) -> str | Exit:
        """Wait for the next answer, or the end."""
        said = self._process.read()
        if isinstance(said, Exit):
            return said
        answer = json.loads(said)
        return json.dumps(answer | _describe(answer)) + "\n"

    def end(self) -> None:
        """Kill it, unless it has ended."""
        self._process.end()


class RunnerClassifier(Conversation, Classifier):
    """Tokenizes here, and has the runs done there."""

    def __init__(self, folder: Path, process: Process) -> None:
        """Read the tokenizer, and wait until the model is loaded.

        Args:
            folder: The deployment on this machine.
            process: A runner that loads it.

        Raises:
            InputError: The deployment is damaged.
            KapruneError: The runner failed, or the connection broke.
        """
        Conversation.__init__(self, str(folder), process)
        self._inputs = _INPUTS
        try:
            self._read(folder)
            self.hear()
        except BaseException:
            process.end()
            raise

    def _run(self, feeds: Mapping[str, np.ndarray]) -> np.ndarray:
        self._process.write(_request(0, feeds))
        return np.array(self.hear()["logits"], np.float32)


def _request(runs: int, feeds: Mapping[str, np.ndarray]) -> str:
    rows, columns = feeds[_INPUTS[0]].shape
    ids = [number for name in _INPUTS for number in feeds[name].ravel().tolist()]
    return json.dumps([runs, rows, columns, *ids], separators=(",", ":")) + "\n"


def _describe(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Read the system's files that came along as if they were this machine's."""
    with TemporaryDirectory(prefix="kaprune-") as folder:
        root = Path(folder)
        for name, content in answer["files"].items():
            path = root / name.lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
        described: dict[str, Any] = {"condition": asdict(describe_condition(root))}
        if "about" in answer:
            there = answer["about"]
            software = {"python": None, "onnxruntime": answer["onnxruntime"], "kernels": answer["kernels"]}
            machine = describe_machine(root, machine=there.pop("machine"))
            described |= {"placement": None, "machine": asdict(replace(machine, **there, **software))}
        return described
