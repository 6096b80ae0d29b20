"""Fine-tunes a teacher from a linear probe; its learning rate and its best epoch are chosen on rows held out.

Kumar et al., "Fine-Tuning can Distort Pretrained Features and Underperform Out-of-Distribution" (ICLR 2022),
section 4: the head alone first, then everything.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from kaprune_edge.artifacts import write_json
from kaprune_edge.checkpoints import load_classifier, save_tokenizer
from kaprune_edge.distillation.step_time import step_seconds
from kaprune_edge.distillation.teaching import label_loss
from kaprune_edge.distillation.training import CHECKPOINTS_PER_TRAINING, Lessons, train
from kaprune_edge.fine_tuning.best_epoch import BestEpoch, epoch_folder, read_standings, write_standings
from kaprune_edge.fine_tuning.features import FIRST, MEAN, pooling, read_features
from kaprune_edge.fine_tuning.head import aim_head, head_features, set_probe
from kaprune_edge.fine_tuning.judge import Judge, Standing
from kaprune_edge.fine_tuning.probe import Probe, fit_probe
from kaprune_edge.fine_tuning.words import score_words
from kaprune_edge.processes import on_main
from kaprune_edge.progress import Progress
from kaprune_edge.recipe import FineTuning, Training
from kaprune_edge.tasks import Task, tokenize

RATES = (3e-5, 1e-4, 3e-4)
"""Learning rates to choose from."""
_WARMUP = 0.1
_EPOCHS, _FEWEST_STEPS, _MOST_EPOCHS = 3, 150, 50
_TRIAL_EPOCHS, _TRIAL_STEPS = 1 / 6, (30, 150)
_MOST_PROBED = 10_000
"""Training rows that the probe and the bag of words learn from."""
_TRIAL_SHARE, _SHORTEST_TRIAL = 0.1, 10
"""Most steps of a trial where time is limited, as a share of all; a trial of fewer steps tells nothing."""
_USUAL_RATE = 1e-4
"""Where there is no time for trials."""
_START = "start.json"
_LENGTH = "length.json"
_TRIALS = "trials.json"


@dataclass(frozen=True)
class ProbedFineTuning:
    """Fine-tuning of an encoder on labels, in a folder that an interruption leaves in place."""

    source: str
    """Pretrained checkpoint."""
    task: Task
    """Its evaluation rows are those to choose by; `hold_out` makes such a task."""
    tokenizer: PreTrainedTokenizerBase
    training: FineTuning
    seed: int
    folder: Path
    """What resuming needs."""
    progress: Progress
    on_save: Callable[[], None] = lambda: None
    """Called before a checkpoint counts as whole."""
    seconds: float | None = None
    """Time for all training steps; None trains as long as it helps."""

    def run(self) -> tuple[PreTrainedModel, Mapping[str, Any]]:
        """Fine-tune.

        Returns:
            The model, and the figures it was chosen by: metrics of the rows held out.
        """
        start = on_main(self._start)()
        length = on_main(self._length)()
        trials = self._try_rates(length.trial_steps)
        rate = max(trials, key=lambda rate: trials[rate], default=_USUAL_RATE)
        best = self._fine_tune(rate, length.epochs, Standing(*start["standing"]))
        model = self._load(best.best)
        reached = {
            "held_out_rows": len(self.task.evaluation),
            "metric": self.task.metrics[0],
            **{name: start[name] for name in ("bag_of_words", "linear_probe")},
            "learning_rates": {f"{rate:g}": standing.score for rate, standing in trials.items()},
            "learning_rate": rate,
            "passes": round(length.epochs, 2),
            "epochs": [best.standings[epoch].score for epoch in sorted(best.standings)],
            "best_epoch": best.best,
            "teacher": best.standings[best.best].score,
        }
        return model, {**reached, "note": _note(reached)}

    def _start(self) -> dict[str, Any]:
        """Put a linear probe into the head, and keep the model and its figures."""
        record, kept = self.folder / _START, epoch_folder(self.folder, 0)
        if not record.exists():
            model = load_classifier(self.source, self.task, fine_tuned=False, dropout=self.training.dropout)
            few = self._few()
            figures = {"bag_of_words": score_words(few, self.progress), **self._probe(model, few)}
            model.save_pretrained(kept)
            save_tokenizer(self.tokenizer, kept)
            write_json(record, figures)
        return json.loads(record.read_text(encoding="utf-8"))

    def _few(self) -> Task:
        """The task, with no more training rows than a probe needs."""
        rows = self.task.train
        chosen = np.random.default_rng(self.seed).permutation(len(rows))[:_MOST_PROBED]
        return replace(self.task, train=rows.select(np.sort(chosen)))

    def _probe(self, model: PreTrainedModel, few: Task) -> dict[str, Any]:
        """Aim the head at the feature that predicts best, and put a probe over what it makes of it."""
        parts = tokenize(few.train, few, self.tokenizer, self.training.max_length), self.judge.rows
        labels = [np.asarray(part["labels"]) for part in parts]
        features = [read_features(model, part, self.tokenizer, self.progress) for part in parts]
        known = pooling(self.source)
        probes = {
            kind: fit_probe([part[kind] for part in features], labels, few, self.progress)
            for kind in ((known,) if known else (MEAN, FIRST))
        }
        kind = max(probes, key=lambda kind: probes[kind].score)
        aim_head(model, features[0][FIRST], features[0][kind])
        seen = [head_features(model, part[FIRST]) for part in features]
        probe: Probe = fit_probe(seen, labels, few, self.progress)
        set_probe(model, probe)
        self.progress.start("judge probe", len(labels[1]))
        standing = self.judge(model, self.progress)
        return {"linear_probe": probes[kind].score, "feature": kind, "standing": standing}

    def _length(self) -> "_Length":
        """Choose how long to train, and keep it."""
        record = self.folder / _LENGTH
        if not record.exists():
            write_json(record, asdict(self._choose_length()))
        return _Length(**json.loads(record.read_text(encoding="utf-8")))

    def _choose_length(self) -> "_Length":
        fewest, most = _TRIAL_STEPS
        trial_steps = min(max(self._steps(_TRIAL_EPOCHS), fewest), most)
        epochs: float = min(max(_EPOCHS, -(-_FEWEST_STEPS // self._steps(1))), _MOST_EPOCHS)
        if self.seconds is None:
            return _Length(trial_steps, epochs)
        step = step_seconds(
            self._load(0), label_loss, self._rows, self.tokenizer, self.training.batch_size, self.seed
        )
        steps = max(round(self.seconds / step), 1)
        trial_steps = min(trial_steps, round(_TRIAL_SHARE * steps))
        if trial_steps < _SHORTEST_TRIAL:
            trial_steps = 0
        steps -= trial_steps * len(RATES)
        return _Length(trial_steps, min(epochs, max(steps, 1) / self._steps(1)))

    def _try_rates(self, steps: int) -> dict[float, Standing]:
        """Train a little at every rate; not at all where there is no time."""
        record = self.folder / _TRIALS
        trials: dict[float, Standing] = on_main(read_standings)(record, float)
        for rate in RATES if steps else ():
            if rate not in trials:
                model = self._load(0)
                short = self.training.at(steps / self._steps(1), rate, _WARMUP)
                train(model, label_loss, self._lessons(short, "trial", 0), f"try learning rate {rate:g}")
                self.progress.start(f"judge rate {rate:g}", len(self.task.evaluation))
                trials[rate] = on_main(self.judge)(model, self.progress)
                on_main(write_standings)(record, trials)
        return trials

    def _fine_tune(self, rate: float, epochs: float, start: Standing) -> BestEpoch:
        model = self._load(0)
        best = BestEpoch(model, self.judge, start, self.folder, self.progress)
        chosen = self.training.at(epochs, rate, _WARMUP)
        lessons = self._lessons(chosen, "", CHECKPOINTS_PER_TRAINING, best.figures)
        train(model, label_loss, lessons, "fine-tune teacher", callbacks=[best])
        return best

    def _lessons(
        self, training: Training, name: str, saves: int, figures: Callable[[], Mapping[str, float]] = dict
    ) -> Lessons:
        return Lessons(
            rows=self._rows,
            tokenizer=self.tokenizer,
            training=training,
            seed=self.seed,
            checkpoints=self.folder / name,
            progress=self.progress,
            on_epoch=figures,
            on_save=self.on_save,
            saves=saves,
        )

    def _load(self, epoch: int) -> PreTrainedModel:
        return load_classifier(str(epoch_folder(self.folder, epoch)), self.task, fine_tuned=True)

    def _steps(self, epochs: float) -> int:
        return max(round(epochs * -(-len(self.task.train) // self.training.batch_size)), 1)

    @cached_property
    def _rows(self) -> Dataset:
        return tokenize(self.task.train, self.task, self.tokenizer, self.training.max_length)

    @cached_property
    def judge(self) -> Judge:
        """What scores models on the rows held out."""
        return Judge(self.task, self.tokenizer, self.training.max_length)


@dataclass(frozen=True)
class _Length:
    """How long to train."""

    trial_steps: int
    """At each learning rate."""
    epochs: float


def _note(figures: Mapping[str, Any]) -> str | None:
    """Say that a teacher is worse than what is far cheaper, if it is."""
    rivals = {"a linear probe of the encoder": "linear_probe", "a bag of words": "bag_of_words"}
    name = max(rivals, key=lambda name: figures[rivals[name]])
    best = figures[rivals[name]]
    if figures["teacher"] >= best:
        return None
    return (
        f"the teacher learnt too little: {figures['metric']} {100 * figures['teacher']:.1f} on "
        f"{figures['held_out_rows']} rows held out, {name} {100 * best:.1f}; give it more labelled "
        "rows, a larger MODEL, or a longer --max-length if texts are cut off"
    )
