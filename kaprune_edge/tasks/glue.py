"""The nine tasks of GLUE (Wang et al., 2019): columns, classes, metrics, and their source on the hub.

The test sets have no public labels, so the development sets are for evaluation.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import datasets
import httpx2
from datasets import Dataset, DatasetDict
from datasets.exceptions import DatasetsError
from datasets.packaged_modules.cache.cache import Cache
from huggingface_hub import HfApi

from kaprune_edge.tasks.task import Task, rows
from kaprune_runtime.errors import InputError

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
    try:
        splits = _fetch(glue.config)
    except (OSError, ValueError, httpx2.HTTPError, DatasetsError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(
            f"cannot load glue/{name} from the hub ({reason}); check the network, "
            f"or give the folder of a GLUE download: glue/{name}:DIR"
        ) from error
    return glue.task(
        f"glue/{name}", _plain(splits["train"], glue), _plain(splits[glue.evaluation_split], glue)
    )


def _fetch(config: str) -> DatasetDict:
    """Ask the hub once, or else its cache; `load_dataset` alone would try for half a minute before that."""
    try:
        HfApi().dataset_info(HUB_ID, timeout=5)
    except (OSError, httpx2.HTTPError) as unreachable:
        try:
            return Cache(
                repo_id=HUB_ID, dataset_name="glue", config_name=config, version="auto", hash="auto"
            ).as_dataset()
        except ValueError:
            raise unreachable from None
    return datasets.load_dataset(HUB_ID, config)


def _plain(split: Dataset, glue: GlueTask) -> Dataset:
    columns = split.to_dict()
    return rows({column: columns[column] for column in glue.text_columns}, columns["label"])
