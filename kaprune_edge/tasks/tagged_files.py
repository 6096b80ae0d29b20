"""Words with tags, from the hub or from the user's own files."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from datasets import Dataset, Features, List, Value

from kaprune_edge.tasks.conll import read_columns
from kaprune_edge.tasks.files import read_json_lines
from kaprune_edge.tasks.hub import fetch
from kaprune_edge.tasks.labels import one_spelling
from kaprune_edge.tasks.tagging import TaggingTask
from kaprune_edge.tasks.task import class_ids
from kaprune_runtime.errors import InputError
from kaprune_runtime.tagging import OUTSIDE

CONLL2003_TAGS = (
    *(OUTSIDE, "B-PER", "I-PER", "B-ORG", "I-ORG"),
    *("B-LOC", "I-LOC", "B-MISC", "I-MISC"),
)
"""In the order of their ids on the hub."""
HUB_ID = "lhoestq/conll2003"

_ENTITY_METRICS = ("f1", "precision", "recall", "accuracy")
_JSON = (".jsonl", ".json")

_ASCII = " \t\r\n"
"""White space at the ends of a word; a word may be another kind of space, such as U+00A0."""

_Row = tuple[list[str], list[str]]


def load_conll2003() -> TaggingTask:
    """Load names of persons, organizations, places and others in news (CoNLL-2003, English) from the hub.

    Raises:
        InputError: The hub cannot be reached and its cache does not hold it.
    """
    splits = fetch(HUB_ID, "conll2003", instead="its files: tags:TRAIN,EVAL")
    train, evaluation = (
        _table(split["tokens"], split["ner_tags"]) for split in (splits["train"], splits["validation"])
    )
    return TaggingTask("conll2003", ("tokens",), CONLL2003_TAGS, train, evaluation, _ENTITY_METRICS)


def load_tagged(train: Path, evaluation: Path) -> TaggingTask:
    """Load a task from two files of sentences whose words have tags.

    A `.jsonl` or `.json` file holds an object a line with `tokens` and `tags`, lists of equal length. Any
    other file is in the columns of CoNLL; see `read_columns`.

    Args:
        train: The rows to learn from; they define the tags.
        evaluation: The rows to be judged on.

    Raises:
        InputError: A file is missing or malformed, or has a tag that training rows lack.
    """
    files = [(path, list(_read(path))) for path in (train, evaluation)]
    one_spelling(
        (tag for _, rows in files for _, tags in rows for tag in tags), f"{train.name} and {evaluation.name}"
    )
    names = tuple(sorted({tag for _, tags in files[0][1] for tag in tags}, key=_order))
    tables = [
        _table([words for words, _ in rows], [class_ids(tags, names, str(path)) for _, tags in rows])
        for path, rows in files
    ]
    return TaggingTask(
        name=f"tags:{train.name},{evaluation.name}",
        text_columns=("tokens",),
        label_names=names,
        train=tables[0],
        evaluation=tables[1],
        metrics=_ENTITY_METRICS if OUTSIDE in names else ("accuracy",),
    )


def _order(tag: str) -> tuple[bool, str, str]:
    """Put the outside tag first and the tags of a label together."""
    return tag != OUTSIDE, tag[2:], tag


def _table(tokens: Sequence[list[str]], labels: Sequence[list[int]]) -> Dataset:
    features = Features({"tokens": List(Value("string")), "label": List(Value("int64"))})
    return Dataset.from_dict({"tokens": tokens, "label": labels}, features=features)


def _read(path: Path) -> Iterator[_Row]:
    return _read_json(path) if path.suffix.lower() in _JSON else read_columns(path)


def _read_json(path: Path) -> Iterator[_Row]:
    for number, row in read_json_lines(path):
        words, tags = (_strings(row.get(key), f"line {number} of {path}", key) for key in ("tokens", "tags"))
        if len(words) != len(tags):
            raise InputError(
                f"line {number} of {path} has {len(words)} tokens but {len(tags)} tags; give each token one"
            )
        if words:
            yield words, tags


def _strings(value: object, place: str, key: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) and item.strip(_ASCII) for item in value):
        raise InputError(
            f"{place} has no list of words under '{key}'; give '{{\"tokens\": [...], \"tags\": [...]}}'"
        )
    return [item.strip(_ASCII) for item in value]
