"""Times steps of pruning while distilling beside steps of plain distillation.

`python benchmarks/pruning/run.py`: MiniLM-L6 learns from itself on movie reviews, batches of 32. Rounds of
the learners take turns in one process; a round of a learner that prunes draws its masks anew once. Writes
results.json and the table of README.md.
"""

import argparse
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from itertools import cycle, islice
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import torch
from torch import Tensor
from transformers import set_seed

from kaprune_edge.assets import default_model
from kaprune_edge.distillation.batches import LengthBuckets, padding
from kaprune_edge.distillation.teaching import distillation_loss
from kaprune_edge.encoder import encoder_matrices
from kaprune_edge.models import load_classifier, load_tokenizer
from kaprune_edge.pruning.criterion import Criterion
from kaprune_edge.pruning.magnitude import Magnitude
from kaprune_edge.pruning.movement import Movement
from kaprune_edge.pruning.pruner import Pruner
from kaprune_edge.recipe import LossWeights
from kaprune_edge.sparsity.patterns import Blocks
from kaprune_edge.tasks import Task, load_task, tokenize
from kaprune_runtime.machine import describe_machine

HERE = Path(__file__).parent
START, END = "<!-- table -->\n", "<!-- end of table -->\n"
PLAIN = "plain distillation"
STEPS = 10
"""In a round: about what lies between two of the paper's 100 prunings in a training of 1,500 steps."""

Batch = Mapping[str, Tensor]


class Learner:
    """A student with a teacher and an optimizer of its own."""

    def __init__(self, task: Task, criterion: Criterion | None) -> None:
        set_seed(0)
        student, teacher = (
            load_classifier(str(default_model()), task, fine_tuned=False, dropout=0) for _ in range(2)
        )
        layers = range(1, teacher.config.num_hidden_layers + 1)
        self._student = student.train()
        self._loss = distillation_loss(student, teacher, layers, LossWeights())
        self._optimizer = torch.optim.AdamW(student.parameters(), lr=1e-5, fused=True)
        self._criterion = criterion
        self._pruner = Pruner(encoder_matrices(student), Blocks())

    def learn(self, batches: Iterator[Batch]) -> float:
        """Take the steps of a round; returns the seconds."""
        chosen = list(islice(batches, STEPS))
        start = time.perf_counter()
        if self._criterion is not None:
            self._pruner.prune(dict.fromkeys(self._pruner.matrices, 0.95), self._criterion)
        for batch in chosen:
            self._loss(self._student, batch).backward()
            torch.nn.utils.clip_grad_norm_(self._student.parameters(), 1)
            if self._criterion is not None:
                self._criterion.observe(self._pruner.matrices)
            self._optimizer.step()
            if self._criterion is not None:
                self._pruner.apply()
            self._optimizer.zero_grad()
        return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    task = load_task("demo/movie-reviews")
    learners = {
        PLAIN: Learner(task, None),
        "magnitude": Learner(task, Magnitude()),
        "movement": Learner(task, Movement()),
    }
    seconds: dict[str, list[float]] = {name: [] for name in learners}
    # Each learner meets the same batches.
    streams = {name: make_batches(task) for name in learners}
    for turn in range(arguments.rounds + 1):
        for name, learner in learners.items():
            taken = learner.learn(streams[name])
            if turn:
                seconds[name].append(taken / STEPS)
    results = {"machine": asdict(describe_machine()), "steps_a_round": STEPS, "seconds_a_step": seconds}
    (HERE / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    readme = HERE / "README.md"
    before, rest = readme.read_text().split(START)
    readme.write_text(before + START + table(results) + END + rest.split(END)[1])


def make_batches(task: Task) -> Iterator[Batch]:
    tokenizer = load_tokenizer(str(default_model()))
    rows = tokenize(task.train, task, tokenizer, 128)
    order = list(LengthBuckets(rows["length"], 32, seed=0))
    inputs = rows.select_columns([*tokenizer.model_input_names, "labels"])
    collate = padding(inputs, tokenizer)
    starts = range(0, len(order) - 31, 32)
    return (dict(collate([inputs[index] for index in order[start : start + 32]])) for start in cycle(starts))


def table(results: dict[str, Any]) -> str:
    machine, seconds = results["machine"], results["seconds_a_step"]
    lines = [
        f"{machine['processor']}, one thread, medians of {len(seconds[PLAIN])} rounds of "
        f"{results['steps_a_round']} steps; half the interquartile range after ±:",
        "",
        "| step | ms | times plain distillation |",
        "| --- | --: | --: |",
    ]
    for name, own in seconds.items():
        ratios = [each / plain for each, plain in zip(own, seconds[PLAIN], strict=True)]
        low, _, high = quantiles(ratios, n=4)
        spread = "" if name == PLAIN else f" ± {(high - low) / 2:.3f}"
        lines.append(f"| {name} | {1000 * median(own):.0f} | {median(ratios):.3f}{spread} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
