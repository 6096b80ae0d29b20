"""The nine tasks of GLUE (Wang et al., 2019): columns, classes, metrics, and their source on the hub.

The test sets have no public labels, so the development sets are for evaluation.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from datasets import Dataset

from kaprune_edge.tasks.hub import fetch
from kaprune_edge.tasks.task import Task, rows

HUB_ID = "nyu-mll/glue"


@dataclass(frozen=True)
class GlueTask:
    """What the benchmark fixes about one of its tasks; names as on the hub."""

    config: str
    text_columns: tuple[str, ...]
    label_names: tuple[str, ...]
    metrics: tuple[str, ...] = ("accuracy",)
    evaluation_split: str = "validation"

    def task(self, name: str, train: Dataset, evaluation: Dataset) -> Task:
        """Join the definition with rows."""
        return Task(name, self.text_columns, self.label_names, train, evaluation, self.metrics)


_PAIR = ("sentence1", "sentence2")
_NLI = ("entailment", "neutral", "contradiction")

GLUE: Mapping[str, GlueTask] = {
    "cola": GlueTask("cola", ("sentence",), ("unacceptable", "acceptable"), ("matthews",)),
    "sst2": GlueTask("sst2", ("sentence",), ("negative", "positive")),
    "mrpc": GlueTask("mrpc", _PAIR, ("not_equivalent", "equivalent"), ("f1", "accuracy")),
    "qqp": GlueTask("qqp", ("question1", "question2"), ("not_duplicate", "duplicate"), ("f1", "accuracy")),
    "stsb": GlueTask("stsb", _PAIR, (), ("pearson", "spearman")),
    "mnli": GlueTask("mnli", ("premise", "hypothesis"), _NLI, evaluation_split="validation_matched"),
    "mnli-mm": GlueTask("mnli", ("premise", "hypothesis"), _NLI, evaluation_split="validation_mismatched"),
    "qnli": GlueTask("qnli", ("question", "sentence"), ("entailment", "not_entailment")),
    "rte": GlueTask("rte", _PAIR, ("entailment", "not_entailment")),
    "wnli": GlueTask("wnli", _PAIR, ("not_entailment", "entailment")),
}


def load_glue_from_hub(name: str) -> Task:
    """Load a GLUE task from the Hugging Face hub, or from its local cache.

    Args:
        name: A key of `GLUE`.

    Raises:
        InputError: The hub cannot be reached and its cache does not hold the task.
    """
    glue = GLUE[name]
    splits = fetch(
        HUB_ID, f"glue/{name}", config=glue.config, instead=f"the folder of a GLUE download: glue/{name}:DIR"
    )
    return glue.task(
        f"glue/{name}", _plain(splits["train"], glue), _plain(splits[glue.evaluation_split], glue)
    )


def _plain(split: Dataset, glue: GlueTask) -> Dataset:
    columns = split.to_dict()
    return rows({column: columns[column] for column in glue.text_columns}, columns["label"])
