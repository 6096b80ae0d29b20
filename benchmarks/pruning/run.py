"""Times steps of pruning while distilling beside steps of plain distillation.

`python benchmarks/pruning/run.py`: an encoder learns from itself on sentences of movie reviews. Learners take
turns in one process, the same batches each; a turn of one that prunes draws its masks anew once. Writes
results.json and the table of README.md.
"""

import argparse
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import cycle, islice
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModelForSequenceClassification, BertConfig, PreTrainedModel, set_seed

from kaprune_edge.assets import default_model
from kaprune_edge.checkpoints import load_classifier, load_tokenizer
from kaprune_edge.distillation.batches import LengthBuckets, padding
from kaprune_edge.distillation.teaching import distillation_loss
from kaprune_edge.encoder import encoder_matrices
from kaprune_edge.pruning.criterion import Criterion
from kaprune_edge.pruning.magnitude import Magnitude
from kaprune_edge.pruning.movement import Movement
from kaprune_edge.pruning.pruner import Pruner
from kaprune_edge.recipe import LossWeights
from kaprune_edge.sparse_training import PackedMatrices
from kaprune_edge.sparsity.patterns import Blocks
from kaprune_edge.tasks import Task, load_task, tokenize
from kaprune_runtime.machine import describe_machine

HERE = Path(__file__).parent
START, END = "<!-- table -->\n", "<!-- end of table -->\n"
BATCH_SIZE, TOKENS = 32, 32
PLAIN = "plain distillation"

Batch = Mapping[str, Tensor]


@dataclass(frozen=True)
class Setting:
    """What learners of a race have in common."""

    encoder: str
    precision: str
    steps: int
    """In a turn; ten lie about between two of the paper's 100 prunings in a training of 1,500 steps."""

    def model(self, task: Task) -> PreTrainedModel:
        """Make a student or teacher without dropout."""
        if self.encoder == "MiniLM-L6":
            return load_classifier(str(default_model()), task, fine_tuned=False, dropout=0)
        config = BertConfig(attention_probs_dropout_prob=0, hidden_dropout_prob=0)
        return AutoModelForSequenceClassification.from_config(config)


SETTINGS = [
    Setting("MiniLM-L6", "float32", steps=10),
    Setting("MiniLM-L6", "bfloat16", steps=10),
    Setting("BERT-base's shape", "bfloat16", steps=5),
]


class Learner:
    """A student with a teacher and an optimizer of its own."""

    def __init__(self, setting: Setting, task: Task, criterion: Criterion | None, sparsity: float) -> None:
        set_seed(0)
        student, teacher = (setting.model(task) for _ in range(2))
        layers = range(1, teacher.config.num_hidden_layers + 1)
        self._bfloat16 = setting.precision == "bfloat16"
        self._student = student.train()
        self._packed = PackedMatrices(student)
        self._loss = distillation_loss(student, teacher, layers, LossWeights(), setting.precision)
        self._optimizer = torch.optim.AdamW(student.parameters(), lr=1e-5, fused=True)
        self._criterion = criterion
        self._sparsity = sparsity
        self._pruner = Pruner(encoder_matrices(student), Blocks())

    def learn(self, batches: list[Batch]) -> float:
        """Take the steps of a turn; returns the seconds of each."""
        start = time.perf_counter()
        if self._criterion is not None:
            self._packed.unpack(self._optimizer)
            self._pruner.prune(dict.fromkeys(self._pruner.matrices, self._sparsity), self._criterion)
            if not self._criterion.needs_all_gradients:
                self._packed.pack(self._pruner.masks, self._optimizer)
        for batch in batches:
            with torch.autocast("cpu", torch.bfloat16, enabled=self._bfloat16):
                loss = self._loss(self._student, batch, 0)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self._student.parameters(), 1)
            if self._criterion is not None:
                self._criterion.observe(self._pruner.matrices)
            self._optimizer.step()
            if self._criterion is not None:
                self._pruner.apply(but=self._packed.names)
            self._optimizer.zero_grad()
        return (time.perf_counter() - start) / len(batches)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--turns", type=int, default=10)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    task = load_task("demo/movie-reviews")
    races = [race(setting, task, arguments.turns) for setting in SETTINGS]
    results = {"machine": asdict(describe_machine()), "races": races}
    (HERE / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    readme = HERE / "README.md"
    before, rest = readme.read_text().split(START)
    readme.write_text(before + START + table(results) + END + rest.split(END)[1])


def race(setting: Setting, task: Task, turns: int) -> dict[str, Any]:
    """Let the learners of a setting take turns; the first one of each is to warm up."""
    learners = {
        PLAIN: Learner(setting, task, None, 0),
        "magnitude, 90 %": Learner(setting, task, Magnitude(), 0.90),
        "magnitude, 95 %": Learner(setting, task, Magnitude(), 0.95),
        "movement, 95 %": Learner(setting, task, Movement(), 0.95),
    }
    seconds: dict[str, list[float]] = {name: [] for name in learners}
    batches = make_batches(task)
    for turn in range(turns + 1):
        chosen = list(islice(batches, setting.steps))
        for name, learner in learners.items():
            taken = learner.learn(chosen)
            if turn:
                seconds[name].append(taken)
    return {"encoder": setting.encoder, "precision": setting.precision, "seconds_a_step": seconds}


def make_batches(task: Task) -> Iterator[Batch]:
    tokenizer = load_tokenizer(str(default_model()))
    rows = tokenize(task.train, task, tokenizer, TOKENS)
    order = list(LengthBuckets(rows["length"], BATCH_SIZE, seed=0))
    inputs = rows.select_columns([*tokenizer.model_input_names, "labels"])
    collate = padding(inputs, tokenizer)
    starts = range(0, len(order) - BATCH_SIZE + 1, BATCH_SIZE)
    return (
        dict(collate([inputs[index] for index in order[start : start + BATCH_SIZE]]))
        for start in cycle(starts)
    )


def table(results: dict[str, Any]) -> str:
    races = results["races"]
    names = list(races[0]["seconds_a_step"])
    lines = [
        f"{results['machine']['processor']}, one thread, {BATCH_SIZE} rows of at most {TOKENS} tokens. "
        f"Medians of {len(races[0]['seconds_a_step'][PLAIN])} turns; half the interquartile range after ±:",
        "",
        f"| encoder | precision | {PLAIN}, ms | {' | '.join(f'{name}, times that' for name in names[1:])} |",
        f"| --- | --- {'| --: ' * len(names)}|",
    ]
    for each in races:
        seconds = each["seconds_a_step"]
        cells = [each["encoder"], each["precision"], f"{1000 * median(seconds[PLAIN]):.0f}"]
        for name in names[1:]:
            ratios = [own / plain for own, plain in zip(seconds[name], seconds[PLAIN], strict=True)]
            low, _, high = quantiles(ratios, n=4)
            cells.append(f"{median(ratios):.2f} ± {(high - low) / 2:.2f}")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
