"""Keeps the epoch of a training that does best on rows held out, through interruptions too."""

import json
import math
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from transformers import PreTrainedModel, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from kaprune_edge.artifacts import write_json
from kaprune_edge.fine_tuning.judge import Standing
from kaprune_edge.processes import on_main
from kaprune_edge.progress import Progress

_RECORD = "epochs.json"


def epoch_folder(folder: Path, epoch: int) -> Path:
    """Name the checkpoint of an epoch; 0 is what the training starts from."""
    return folder / f"epoch-{epoch}"


class BestEpoch(TrainerCallback):
    """Judges a model after every epoch of its training."""

    def __init__(
        self,
        model: PreTrainedModel,
        judge: Callable[[PreTrainedModel, Progress], Standing],
        start: Standing,
        folder: Path,
        progress: Progress,
    ) -> None:
        """Watch the training of `model`, which stands at `start`, and keep checkpoints in `folder`."""
        self._model = model
        self._judge = judge
        self._progress = progress
        self._folder = folder
        self.standings: dict[int, Standing] = {0: start, **on_main(read_standings)(folder / _RECORD, int)}

    @property
    def best(self) -> int:
        """The epoch that did best, the earliest of equals."""
        return max(sorted(self.standings), key=lambda epoch: self.standings[epoch])

    def figures(self) -> Mapping[str, float]:
        """The latest score, and the best."""
        return {
            "held_out": self.standings[max(self.standings)].score,
            "best": self.standings[self.best].score,
        }

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """Judge, and keep the model if it is the best so far."""
        epoch = math.ceil(round(state.epoch or 0, 3))  # the last one may be a part of an epoch
        self.standings[epoch] = on_main(self._judge)(self._model, _Beside(self._progress, state.global_step))
        on_main(self._keep)(epoch)

    def _keep(self, epoch: int) -> None:
        if self.best == epoch:
            self._model.save_pretrained(epoch_folder(self._folder, epoch))
        write_standings(self._folder / _RECORD, self.standings)
        for other in set(self.standings) - {0, self.best}:
            shutil.rmtree(epoch_folder(self._folder, other), ignore_errors=True)


def read_standings(file: Path, name: Callable) -> dict:
    """Read what `write_standings` wrote, if it did; `name` makes the names what they were."""
    if not file.exists():
        return {}
    content = json.loads(file.read_text(encoding="utf-8"))
    return {name(text): Standing(*standing) for text, standing in content.items()}


def write_standings(file: Path, standings: Mapping) -> None:
    """Write standings by name, whole or not at all."""
    write_json(file, {str(name): standing for name, standing in standings.items()})


class _Beside:
    """Progress of what happens between two steps of a stage."""

    def __init__(self, progress: Progress, step: int) -> None:
        self._progress = progress
        self._step = step

    def start(self, stage: str, total: int) -> None:
        """Stay in the stage."""

    def advance(self, done: int, **figures: float | str) -> None:
        """Tell that it goes on."""
        self._progress.advance(self._step, judged=str(done), **figures)

    def tell(self, line: str) -> None:
        """Tell it."""
        self._progress.tell(line)
