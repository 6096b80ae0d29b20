"""Words and tags in columns: CoNLL's shared tasks, CoNLL-U, and what people make after them."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from kaprune_edge.tasks.files import lines, read_text
from kaprune_runtime.errors import InputError

_DOCUMENT = "-DOCSTART-"
_DOCUMENTS = ("#begin", "#end")
_SPACES = re.compile("[ \t]+")
_TAG = re.compile("[BIESLU]-.")
_INDEX = re.compile(r"[0-9]+(?:[-.][0-9]+)?")
_TITLES = frozenset(
    {"word", "words", "token", "tokens", "form", "tag", "tags", "label", "labels", "ner_tags"}
)
_CONLL_U = 10
_MOST = 5
"""Columns of the shared task of 2003 in German: word, lemma, part of speech, chunk, name."""
_ADVICE = "keep a word and its tag on each line"

_Line = tuple[int, list[str]]
"""A line's number and columns."""


@dataclass(frozen=True)
class _Form:
    """Where the word and its tag are."""

    word: int
    tag: int
    skips_ranges: bool = False
    """Whether lines of several words (1-2) and of none (1.1) are left out."""


def read_columns(path: Path) -> Iterator[tuple[list[str], list[str]]]:
    """Read sentences of words with tags, a word a line and an empty line after each sentence.

    Tabs separate the columns if all words' lines have them, tabs and spaces otherwise. In files of two
    to five columns the first is the word and the last the tag. Where the first of three columns counts the
    words, the second is the word. Of CoNLL-U's ten columns the second is the word and the fourth, the part of
    speech, is the tag. Comments are left out.

    Raises:
        InputError: A line lacks its word or tag, or it cannot be told which columns they are.
    """
    sentences = _sentences(path)
    form = _form([columns for sentence in sentences for _, columns in sentence], sentences, path)
    for sentence in sentences:
        words, tags = [], []
        for number, columns in sentence:
            if form.skips_ranges and not columns[0].isdigit():
                continue
            word, tag = columns[form.word], columns[form.tag]
            if not word:
                raise InputError(
                    f"line {number} of {path} has an empty word; give a word and its tag on each line"
                )
            if not tag or (form.skips_ranges and tag == "_"):
                raise InputError(f"line {number} of {path} has no tag; give a word and its tag on each line")
            words.append(word)
            tags.append(tag)
        if words:
            yield words, tags


def _sentences(path: Path) -> list[list[_Line]]:
    """Cut a file into the columns of its words' lines."""
    rows = list(enumerate(lines(read_text(path)), 1))
    plain = [(number, line) for number, line in rows if line.strip(" \t") and not _is_apart(line)]
    has_tabs = all("\t" in line for _, line in plain)
    cut = [(number, _columns(line, has_tabs)) for number, line in plain]
    if not cut:
        raise InputError(f"{path} has no words; give a word and its tag on each line")
    width = max(2, len(cut[0][1]))
    tags = {columns[-1] for _, columns in cut}
    sentences: list[list[_Line]] = [[]]
    for number, line in rows:
        columns = _columns(line, has_tabs)
        if not line.strip(" \t") or line.startswith(_DOCUMENT):
            sentences.append([])
        elif line.startswith("#") and _is_comment(columns, width, tags, opens=not sentences[-1]):
            continue
        elif len(columns) != width:
            told = "no tag" if len(columns) < 2 else f"{len(columns)} columns instead of {width}"
            raise InputError(
                f"line {number} of {path} has {told}; give a word and its tag on each line, with tabs "
                "between them where words hold spaces"
            )
        else:
            sentences[-1].append((number, columns))
    return [sentence for sentence in sentences if sentence]


def _is_apart(line: str) -> bool:
    return line.startswith(("#", _DOCUMENT))


def _columns(line: str, has_tabs: bool) -> list[str]:
    if has_tabs:
        return [column.strip(" ") for column in line.rstrip(" \t").split("\t")]
    return _SPACES.split(line.strip(" "))


def _is_comment(columns: Sequence[str], width: int, tags: set[str], *, opens: bool) -> bool:
    """Tell a comment from the word `#` or a hashtag; only a line that opens a sentence may look like both."""
    if len(columns) != width or columns[0] in _DOCUMENTS:
        return True
    return (
        opens and columns[0].split(" ")[0] == "#" and columns[-1] not in tags and not _TAG.match(columns[-1])
    )


def _form(rows: Sequence[Sequence[str]], sentences: Sequence[Sequence[_Line]], path: Path) -> _Form:
    """Tell which columns are the word and its tag.

    Raises:
        InputError: They may be several, or the file names its columns.
    """
    width = len(rows[0])
    if {rows[0][0].lower(), rows[0][-1].lower()} <= _TITLES:
        raise InputError(f"line {sentences[0][0][0]} of {path} names the columns; delete it")
    firsts = [[columns[0] for _, columns in sentence] for sentence in sentences]
    if all(_INDEX.fullmatch(row[0]) for row in rows) and _counts(firsts):
        if width == _CONLL_U:
            return _Form(1, 3, skips_ranges=True)
        if width == 3:
            return _Form(1, 2, skips_ranges=True)
        raise InputError(f"{path} has {width} columns, of which the first counts words; {_ADVICE}")
    if _counts([[columns[-1] for _, columns in sentence] for sentence in sentences]):
        raise InputError(f"{path} has no tags in its last column, which counts words; {_ADVICE}")
    if width > _MOST:
        raise InputError(f"{path} has {width} columns and may have several tags; {_ADVICE}")
    if width > 2 and all(len(set(column)) == 1 for column in firsts) and max(map(len, firsts)) > 1:
        raise InputError(f"{path} has the same first column all through each sentence; {_ADVICE}")
    return _Form(0, width - 1)


def _counts(columns: Sequence[Sequence[str]]) -> bool:
    """Whether a column counts the words, from 0 or 1 in each sentence or on through all of them."""
    whole = [[int(value) for value in column if value.isdecimal()] for column in columns]
    found = sum(map(len, whole))
    if found < 2 or not all(_INDEX.fullmatch(value) for column in columns for value in column):
        return False
    by_sentence = all(
        column and column[0] in (0, 1) and column == list(range(column[0], column[0] + len(column)))
        for column in whole
    )
    all_of_them = [value for column in whole for value in column]
    return by_sentence or all_of_them == list(range(all_of_them[0], all_of_them[0] + found))
