"""The digest of the rows that a training began with, so that it never goes on with other rows."""

import hashlib
import json
from pathlib import Path

from datasets import Dataset

from kaprune_edge.tasks.task import Task
from kaprune_runtime.errors import InputError

ROWS = "rows.sha256"
_CHUNK = 10_000


def check_same_rows(folder: Path, task: Task, unlabelled: Dataset | None = None) -> None:
    """Keep the digest of all rows in a folder, or compare them with those that it was begun with.

    Args:
        folder: The unfinished run or file.
        task: Its training and evaluation rows, columns and classes count.
        unlabelled: More rows, where there are any.

    Raises:
        InputError: The folder was begun with other rows.
    """
    kept, digest = folder / ROWS, rows_digest(task, unlabelled)
    if kept.exists() and kept.read_text(encoding="utf-8").strip() != digest:
        raise InputError(
            f"the rows of {task.name} or the texts beside them changed since {folder} was begun; put the "
            "old files back, or delete it and start without --resume"
        )
    kept.write_text(f"{digest}\n", encoding="utf-8")


def rows_digest(task: Task, unlabelled: Dataset | None = None) -> str:
    """Give the sha256 of everything that a task's rows hold, in their order."""
    digest = hashlib.sha256(json.dumps([task.kind, task.text_columns, task.label_names]).encode())
    for split in (task.train, task.evaluation, unlabelled):
        digest.update(b"\n")
        for start in range(0, len(split or ()), _CHUNK):
            assert split is not None
            digest.update(json.dumps(split[start : start + _CHUNK], sort_keys=True).encode())
    return digest.hexdigest()
