"""A process that holds one loaded model and waits for its turn to be timed."""

from collections.abc import Mapping

import numpy as np

from kaprune_edge.devices import Conversation, Process
from kaprune_runtime.condition import Condition
from kaprune_runtime.machine import Machine


class Worker(Conversation):
    """Speaks with `python -m kaprune_runtime worker`; leaving the context ends it."""

    def __init__(self, name: str, process: Process) -> None:
        """Wait until the model is loaded.

        Args:
            name: What error messages call the model.
            process: Runs the worker.

        Raises:
            InputError: The worker refused the model or an argument.
            KapruneError: The worker failed or was killed, or the connection to it broke.
        """
        super().__init__(name, process)
        try:
            loaded = self.hear()
        except BaseException:
            process.end()
            raise
        self.load_seconds: float = loaded["load_seconds"]
        self.placement: Mapping[str, Mapping[str, int]] | None = loaded["placement"]
        self.machine = Machine(**loaded["machine"])
        self.condition_before = self.condition = Condition(**loaded["condition"])
        self.peak_bytes = 0

    def time(self, runs: int) -> np.ndarray:
        """Time runs, one after the other.

        Returns:
            Milliseconds, float64 [runs].

        Raises:
            KapruneError: The worker failed or was killed, or the connection to it broke.
        """
        reply = self.ask({"runs": runs})
        self.peak_bytes = reply["peak_bytes"]
        self.condition = Condition(**reply["condition"])
        return np.array(reply["nanoseconds"]) / 1e6
