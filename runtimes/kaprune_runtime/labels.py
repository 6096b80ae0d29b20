"""The names of a classifier's outputs, as config.json gives them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kaprune_runtime.errors import InputError

PROBLEM_TYPES = ("regression", "single_label_classification", "multi_label_classification")


def read_labels(config: Mapping[str, Any], path: Path) -> tuple[str, ...]:
    """Read `id2label`, or make the names that transformers gives where it is missing.

    Args:
        config: What config.json holds.
        path: The file, for messages.

    Returns:
        The name of each output, in order.

    Raises:
        InputError: `id2label` does not name the outputs 0, 1, 2, ... once each, or `label2id` contradicts it.
    """
    named = config.get("id2label")
    if named is None:
        count = config.get("num_labels", 2)
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise InputError(
                f"num_labels in {path} is {count!r}; put the number of the model's outputs there"
            )
        return tuple(f"LABEL_{index}" for index in range(count))
    names = _by_index(named, path)
    if sorted(names) != list(range(len(names))) or not names:
        keys = ", ".join(map(str, sorted(names)[:8])) or "nothing"
        raise InputError(
            f"id2label in {path} names the outputs {keys}; name all of the model's outputs, counted from 0"
        )
    labels = tuple(names[index] for index in range(len(names)))
    if repeated := [label for label in labels if labels.count(label) > 1]:
        raise InputError(f"id2label in {path} has the name '{repeated[0]}' twice; give each output its own")
    _check_inverse(config.get("label2id"), labels, path)
    return labels


def read_problem_type(config: Mapping[str, Any], labels: tuple[str, ...], path: Path) -> str:
    """Tell how transformers' pipeline turns a text classifier's outputs into scores.

    A regression has values; several labels that are not exclusive, and one alone, have a sigmoid each; the
    others share a softmax.

    Args:
        config: What config.json holds.
        labels: Names of the outputs.
        path: The file, for messages.

    Returns:
        One of `PROBLEM_TYPES`.

    Raises:
        InputError: `problem_type` is none of them, or impossible with one output.
    """
    named = config.get("problem_type")
    if named is not None and named not in PROBLEM_TYPES:
        raise InputError(f"problem_type in {path} is {named!r}; it must be one of {', '.join(PROBLEM_TYPES)}")
    if len(labels) > 1:
        return str(named or "single_label_classification")
    if named == "single_label_classification":
        raise InputError(
            f"{path} has one label and the problem_type {named}; make that regression for a value, or "
            "multi_label_classification for a probability"
        )
    return str(named or "multi_label_classification")


def _by_index(named: Any, path: Path) -> dict[int, str]:
    if not isinstance(named, Mapping):
        raise InputError(f'id2label in {path} is no object; write it as {{"0": "first label", ...}}')
    names = {}
    for key, name in named.items():
        if not (isinstance(key, int) or (isinstance(key, str) and key.isdecimal())):
            raise InputError(f"id2label in {path} has the key {key!r}; its keys are the outputs' numbers")
        if isinstance(name, bool) or not isinstance(name, str | int | float):
            raise InputError(f"id2label in {path} calls output {key} {name!r}; give it a name")
        if int(key) in names:
            raise InputError(f"id2label in {path} names output {int(key)} twice; name it once")
        names[int(key)] = str(name)
    return names


def _check_inverse(indices: Any, labels: tuple[str, ...], path: Path) -> None:
    """Raise InputError where label2id says another output for a name of id2label."""
    if not isinstance(indices, Mapping):
        return
    for index, label in enumerate(labels):
        if label in indices and str(indices[label]) != str(index):
            raise InputError(
                f"{path} contradicts itself: id2label says that output {index} is '{label}', label2id says "
                f"{indices[label]!r}; mend the one that is wrong"
            )
