"""GLUE tasks from a folder in the layout of the official download."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from datasets import Dataset

from kaprune_edge.tasks.files import read_text
from kaprune_edge.tasks.glue import GLUE
from kaprune_edge.tasks.task import Task, class_ids, rows
from kaprune_runtime.errors import InputError


@dataclass(frozen=True)
class _Layout:
    """Where a task's rows are: tab-separated without quoting.

    Attributes:
        folder: The task's folder under the GLUE root.
        text: File column of each text column.
        label: File column of the label.
        files: Pairs of training and evaluation file; the first pair that is there counts.
        header: The columns of files that do not name them.
        digits: Whether labels are class ids and not class names.
        skip_ragged: Whether rows with another number of columns are known noise.
    """

    folder: str
    text: tuple[str, ...]
    label: str = "label"
    files: tuple[tuple[str, str], ...] = (("train.tsv", "dev.tsv"),)
    header: tuple[str, ...] = ()
    digits: bool = False
    skip_ragged: bool = False


_PAIR = ("sentence1", "sentence2")
_MRPC_FILES = (("train.tsv", "dev.tsv"), ("msr_paraphrase_train.txt", "msr_paraphrase_test.txt"))

_LAYOUTS: Mapping[str, _Layout] = {
    "cola": _Layout("CoLA", ("sentence",), header=("source", "label", "mark", "sentence"), digits=True),
    "sst2": _Layout("SST-2", ("sentence",), digits=True),
    "mrpc": _Layout("MRPC", ("#1 String", "#2 String"), "Quality", _MRPC_FILES, digits=True),
    "qqp": _Layout("QQP", ("question1", "question2"), "is_duplicate", digits=True, skip_ragged=True),
    "stsb": _Layout("STS-B", _PAIR, "score"),
    "mnli": _Layout("MNLI", _PAIR, "gold_label", (("train.tsv", "dev_matched.tsv"),)),
    "mnli-mm": _Layout("MNLI", _PAIR, "gold_label", (("train.tsv", "dev_mismatched.tsv"),)),
    "qnli": _Layout("QNLI", ("question", "sentence")),
    "rte": _Layout("RTE", _PAIR),
    "wnli": _Layout("WNLI", _PAIR, digits=True),
}


def load_glue_from_folder(name: str, folder: Path) -> Task:
    """Load a GLUE task from the official download.

    Args:
        name: A key of `GLUE`.
        folder: The GLUE root (which holds `MRPC/`, `SST-2/`, ...) or the task's own folder.

    Raises:
        InputError: A file is missing or is not what the benchmark publishes.
    """
    layout = _LAYOUTS[name]
    train, evaluation = _find(name, layout, folder)
    usual = evaluation.name == layout.files[0][1]
    title = f"glue/{name}" if usual else f"glue/{name} (evaluated on {evaluation.name})"
    return GLUE[name].task(title, _read(train, name, layout), _read(evaluation, name, layout))


def _find(name: str, layout: _Layout, folder: Path) -> tuple[Path, Path]:
    for place in (folder / layout.folder, folder):
        for train, evaluation in layout.files:
            if (place / train).is_file() and (place / evaluation).is_file():
                return place / train, place / evaluation
    wanted = " or ".join(f"{train} and {evaluation}" for train, evaluation in layout.files)
    raise InputError(
        f"glue/{name} needs {wanted} in {folder / layout.folder} or {folder}; "
        "give the folder of the official GLUE download"
    )


def _read(path: Path, name: str, layout: _Layout) -> Dataset:
    glue = GLUE[name]
    lines = [line.removesuffix("\r").split("\t") for line in read_text(path).split("\n")]
    if lines[-1] == [""]:
        lines.pop()
    header = list(layout.header) or lines.pop(0)
    missing = [column for column in (*layout.text, layout.label) if column not in header]
    if missing:
        raise InputError(f"{path} has no column '{missing[0]}'; it is not the file of the GLUE download")
    if layout.skip_ragged:
        lines = [line for line in lines if len(line) == len(header)]
    for number, line in enumerate(lines, 1 if layout.header else 2):
        if len(line) != len(header):
            raise InputError(
                f"line {number} of {path} has {len(line)} columns instead of {len(header)}; "
                "mend it or download the file again"
            )

    def column(name: str) -> list[str]:
        at = header.index(name)
        return [line[at] for line in lines]

    texts = {name: column(source) for name, source in zip(glue.text_columns, layout.text, strict=True)}
    return rows(texts, _labels(column(layout.label), glue.label_names, layout, path))


def _labels(
    labels: list[str], label_names: tuple[str, ...], layout: _Layout, path: Path
) -> list[int] | list[float]:
    if not label_names:
        try:
            return [float(label) for label in labels]
        except ValueError as error:
            raise InputError(f"{path} has a score that is no number ({error}); download it again") from error
    names = [str(index) for index in range(len(label_names))] if layout.digits else label_names
    return class_ids(labels, names, str(path))
