"""kaprune.json and the files that it lists: checked, or the user is told."""

import json
import os
import re

import pytest

from kaprune_runtime import Classifier
from kaprune_runtime.deployment import LARGEST_JSON
from kaprune_runtime.errors import InputError


def instead(folder, name, make):
    (folder / name).unlink()
    make(folder / name)


def edit(folder, name, **changes):
    (folder / name).write_text(json.dumps({**json.loads((folder / name).read_text()), **changes}))


def huge(path):
    with path.open("wb") as file:
        file.truncate(LARGEST_JSON + 10**12)


SPOILT = {
    "settings changed": (
        lambda f: edit(f, "tokenizer_config.json", model_max_length=9),
        r"tokenizer_config\.json is not the file that kaprune\.json describes",
    ),
    "settings gone": (lambda f: (f / "tokenizer_config.json").unlink(), r"holds no tokenizer_config\.json"),
    "broken link": (
        lambda f: instead(f, "kaprune.json", lambda path: path.symlink_to("nowhere")),
        r"kaprune\.json is no file that can be read",
    ),
    "endless": (
        lambda f: instead(f, "kaprune.json", lambda path: path.symlink_to("/dev/zero")),
        r"kaprune\.json is no file that can be read",
    ),
    "pipe": (lambda f: instead(f, "kaprune.json", os.mkfifo), r"kaprune\.json is no file that can be read"),
    "folder": (lambda f: instead(f, "kaprune.json", os.mkdir), r"kaprune\.json is no file that can be read"),
    "huge": (lambda f: instead(f, "kaprune.json", huge), r"kaprune\.json is larger than 64 MiB"),
    "records of another type": (
        lambda f: edit(f, "kaprune.json", files={"config.json": 1}),
        r"config\.json is not the file that kaprune\.json describes",
    ),
}


@pytest.mark.parametrize("spoil, message", SPOILT.values(), ids=SPOILT)
def test_refused(copy, spoil, message):
    spoil(copy)
    with pytest.raises(InputError, match=message):
        Classifier(copy)


UNCHECKED = {
    "text for a length": (
        {"model_max_length": "9"},
        "model_max_length '9', which must be a number of tokens",
    ),
    "fraction": ({"model_max_length": 9.5}, "model_max_length 9.5"),
    "side": ({"truncation_side": 3}, "truncation_side 3, which must be right or left"),
    "names": ({"model_input_names": 3}, "model_input_names 3, which must be a list"),
}


@pytest.mark.parametrize("changes, message", UNCHECKED.values(), ids=UNCHECKED)
def test_wrong_types_in_settings(copy, changes, message):
    (copy / "kaprune.json").unlink()
    edit(copy, "tokenizer_config.json", **changes)
    with pytest.raises(InputError, match=re.escape(message)):
        Classifier(copy)


def test_a_folder_without_a_manifest_is_told(copy):
    (copy / "kaprune.json").unlink()
    with pytest.warns(RuntimeWarning, match=r"has no kaprune\.json: its files are used unchecked"):
        Classifier(copy)
