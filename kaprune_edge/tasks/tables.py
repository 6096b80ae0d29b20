"""Tasks, and texts without labels, from tables in the user's own files."""

from collections.abc import Sequence
from pathlib import Path

from datasets import Dataset

from kaprune_edge.tasks.columns import LABEL, Columns
from kaprune_edge.tasks.files import lines, read_text
from kaprune_edge.tasks.labels import read_labels
from kaprune_edge.tasks.one_file import split
from kaprune_edge.tasks.table_files import ENDINGS, read_table
from kaprune_edge.tasks.task import Task, class_ids, rows
from kaprune_runtime.errors import InputError
from kaprune_runtime.kinds import TEXT

_LINES = ".txt"


def load_tables(kind: str, files: Sequence[Path], columns: Columns) -> Task:
    """Load a task from files with one or two columns of texts and a column of labels.

    See `read_labels` for what labels are.

    Args:
        kind: Of the files; see `read_table`.
        files: The rows to learn from, which define the classes, and the rows to be judged on. One file is
            split; see `split`.
        columns: Their names, where they are not the usual ones.

    Raises:
        InputError: A file is missing or malformed, lacks a column, or has a label that training rows lack; or
            one file has too few rows to split.
    """
    tables = [read_table(kind, path, (*columns.text, columns.label)) for path in files]
    text_columns = columns.text or tables[0].text_columns()
    texts = [{column: table.texts(column) for column in text_columns} for table in tables]
    name = f"{kind}:{','.join(path.name for path in files)}"
    given = [table.labels(columns.label) for table in tables]
    names, *labels = read_labels(given[0], given[1] if len(given) > 1 else [], name)
    parts = [
        rows(part, class_ids(column, names, str(path)) if names else [float(label) for label in column])
        for part, column, path in zip(texts, labels, files, strict=False)
    ]
    metrics = ("accuracy",) if names else ("pearson", "spearman")
    task = Task(
        name=name,
        text_columns=text_columns,
        label_names=names,
        train=parts[0],
        evaluation=parts[-1],
        metrics=(*metrics, "f1") if len(names) == 2 else metrics,
    )
    return task if len(files) == 2 else split(task)


def load_texts(path: Path, columns: Columns, label_names: Sequence[str]) -> Task:
    """Load texts without labels.

    Args:
        path: `.txt`, which has a text a line, or a table that its ending tells; see `ENDINGS`.
        columns: Names of a table's columns of texts, where they are not the usual ones.
        label_names: The classes that somebody will choose among.

    Returns:
        A task whose training rows are the different texts, all of the same label, which means nothing. It has
        no evaluation rows. Its metric is the agreement with who chooses.

    Raises:
        InputError: The file is missing, malformed, empty or of another kind, or a column is wrong.
    """
    if columns.label != LABEL:
        raise InputError(f"texts:{path} has no labels; leave out --label-column")
    ending = path.suffix.lower()
    if ending == _LINES:
        if columns.text:
            raise InputError(f"{path} has a text a line and no columns; leave out --text-column")
        texts = {"text": _read_lines(path)}
    elif kind := ENDINGS.get(ending):
        table = read_table(kind, path, columns.text)
        texts = {column: table.texts(column) for column in columns.text or table.text_columns()}
    else:
        known = ", ".join((_LINES, *ENDINGS))
        raise InputError(f"what {path} holds cannot be told by its name; end it in one of {known}")
    # A text that is there twice would be learnt from and judged on.
    given = list(zip(*texts.values(), strict=True))
    different = list(dict.fromkeys(given))
    if not different:
        raise InputError(f"{path} has no rows; give a file with texts")
    twice = f" ({len(different):,} different texts of {len(given):,})" if different != given else ""
    columns_of = {name: [row[at] for row in different] for at, name in enumerate(texts)}
    train = rows(columns_of, [0] * len(different))
    return Task(
        name=f"texts:{path.name}{twice}",
        text_columns=tuple(texts),
        label_names=tuple(label_names),
        train=train,
        evaluation=train.select([]),
        metrics=("agreement",),
    )


def read_unlabelled(path: Path, task: Task) -> Dataset:
    """Read texts without labels that a task's student may learn its teacher's answers on.

    Args:
        path: A table with the task's text columns, where its ending is one of `ENDINGS`; any other file has a
            text a line.
        task: Says what its text columns are.

    Returns:
        Rows as in `task.train`, all of the same label.

    Raises:
        InputError: The file is missing, malformed or empty, or the task wants another kind of texts.
    """
    if task.kind != TEXT:
        raise InputError(
            f"{task.name} has answers inside its texts; give unlabelled texts to a task that classifies "
            "whole texts"
        )
    if kind := ENDINGS.get(path.suffix.lower()):
        table = read_table(kind, path, task.text_columns)
        texts = {column: table.texts(column) for column in task.text_columns}
    elif len(task.text_columns) == 1:
        texts = {task.text_columns[0]: _read_lines(path)}
    else:
        raise InputError(
            f"{task.name} has pairs of texts; give a .csv or .jsonl file with "
            f"{' and '.join(task.text_columns)} in place of {path}"
        )
    count = len(texts[task.text_columns[0]])
    if not count:
        raise InputError(f"{path} has no rows; give a file with texts")
    return rows(texts, [0.0 if task.is_regression else 0] * count)


def _read_lines(path: Path) -> list[str]:
    """Read a text a line, without white space at its ends; empty lines are no texts."""
    return [line.strip() for line in lines(read_text(path)) if line.strip()]
