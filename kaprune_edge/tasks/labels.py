"""What the labels of the user's own rows are: classes, or values to regress on."""

import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from decimal import Decimal

from kaprune_runtime.errors import InputError

MISSING = frozenset(
    {
        *("", "nan", "NaN", "-nan", "-NaN", "NAN", "null", "NULL", "Null", "None", "NaT"),
        *("NA", "N/A", "n/a", "<NA>", "#N/A", "#NA", "#N/A N/A"),
    }
)
"""What programs write where there is no label. `none` and `NONE` are names that people give."""
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_COMMA = re.compile(r"[+-]?[0-9]*,[0-9]+")
_PADDED = re.compile(r"[+-]?0[0-9]")
_DECIMAL = re.compile(r"[.eE]")
_FEW = 20
"""So many classes are never too many for their rows."""


def check_label(label: str, place: str) -> None:
    """Raise InputError unless a row has one label; `place` says which row it is."""
    if not label:
        raise InputError(f"{place} has no label; label it or leave it out")
    if label in MISSING:
        raise InputError(
            f"{place} has the label '{label}', which programs write for none; label it or leave it out"
        )
    if label.startswith("[") and label.endswith("]"):
        raise InputError(
            f"{place} has a list of labels, {label[:40]}; models that give several labels (multi-label) "
            "cannot be trained yet, so give one label a row"
        )


def read_labels(
    train: Sequence[str], evaluation: Sequence[str], source: str
) -> tuple[tuple[str, ...], list[str], list[str]]:
    """Tell what labels are, by those of the training rows.

    - Whole numbers are classes in numeric order, whether they are written 3 or 3.0.
    - Numbers, some with a fraction, are values.
    - Anything else names classes, in alphabetic order.

    Args:
        train: The label of each training row.
        evaluation: The label of each evaluation row.
        source: Where the rows come from, for errors.

    Returns:
        The name of each class by its id, none for values; and both columns, in which each class has one
        spelling.

    Raises:
        InputError: One label is written in two ways that may be two classes, some labels are numbers with a
            fraction and some are not numbers, or the classes are too many for the rows.
    """
    spelling = one_spelling([*train, *evaluation], source)
    columns = [spelling[label] for label in train], [spelling[label] for label in evaluation]
    learned = list(dict.fromkeys(columns[0]))
    words = [label for label in learned if not is_number(label)]
    fractions = [label for label in learned if is_number(label) and not _is_whole(label)]
    _check_kind(words, fractions, source)
    if fractions:
        if others := [label for label in columns[1] if not is_number(label)]:
            raise InputError(f"{source} has values to learn but '{others[0]}' to be judged on; mend it")
        return (), *columns
    if not words and _FEW < len(learned) > len(train) / 2:
        raise InputError(
            f"{source} has {len(learned)} different whole numbers for labels on {len(train)} training rows; "
            "give more rows of each class, or divide the labels by 10 to have values to regress on"
        )
    return class_order(learned), *columns


def _check_kind(words: Sequence[str], fractions: Sequence[str], source: str) -> None:
    if commas := [label for label in words if _COMMA.fullmatch(label)]:
        raise InputError(
            f"labels of {source} such as '{commas[0]}' hold a comma; write numbers with a decimal point, and "
            "one label a row"
        )
    if fractions and words:
        raise InputError(
            f"labels of {source} mix values such as {fractions[0]} with '{words[0]}'; make them all values "
            "or all classes"
        )


def class_order(labels: Iterable[str]) -> tuple[str, ...]:
    """Put the names of classes in the order of their ids: by number if all are numbers, else by letter."""
    names = sorted(labels)
    return tuple(sorted(names, key=Decimal) if all(map(is_number, names)) else names)


def is_number(label: str) -> bool:
    """Whether a label is a number that a model can be trained on."""
    return bool(_NUMBER.fullmatch(label)) and math.isfinite(float(label))


def _is_whole(label: str) -> bool:
    return (number := Decimal(label)) == number.to_integral_value()


def one_spelling(labels: Iterable[str], source: str) -> dict[str, str]:
    """Give each label the spelling of its class.

    A number may be written 1 or 1.0, as pandas turns one into the other; 01 may be a code of its own.

    Args:
        labels: Of all rows.
        source: Where the rows come from, for errors.

    Raises:
        InputError: Two labels differ in case, white space or zeros only.
    """
    alike: dict[object, list[str]] = {}
    for label in dict.fromkeys(labels):
        alike.setdefault(_meaning(label), []).append(label)
    chosen = {}
    for ways in alike.values():
        if len(ways) > 1 and (not is_number(ways[0]) or any(map(_PADDED.match, ways))):
            raise InputError(
                f"the labels '{ways[0]}' and '{ways[1]}' of {source} differ in case, white space or zeros "
                "only; write each class in one way"
            )
        as_written = len(ways) == 1 and not _DECIMAL.search(ways[0])
        is_whole = is_number(ways[0]) and _is_whole(ways[0])
        name = str(int(Decimal(ways[0]))) if is_whole and not as_written else ways[0]
        chosen.update(dict.fromkeys(ways, name))
    return chosen


def _meaning(label: str) -> object:
    """What is equal for labels that are alike."""
    if is_number(label):
        return Decimal(label)
    return " ".join(unicodedata.normalize("NFC", label).casefold().split())
