"""The search on every kind of task, from an encoder: the teacher is made first."""

import json

import pytest
from transformers import AutoModel

from kaprune_edge.compress import compress
from kaprune_runtime.deployment import read_config
from kaprune_runtime.errors import InputError

pytestmark = pytest.mark.usefixtures("short")
WORDS = ("the", "film", "is", "a", "warm", "and", "funny", "story", "of", "two", "brothers", "plot")


def texts(labels):
    return [
        {"text": f"{WORDS[row % 12]} {WORDS[label % 12]} {WORDS[label // 12 % 12]}", "label": label}
        for row, label in enumerate(labels)
    ]


def values():
    return [{"text": " ".join(["warm"] * (row % 5) + ["film"]), "label": row % 5 / 2} for row in range(60)]


def tags():
    return [{"tokens": [WORDS[row % 12], "two", "film"], "tags": ["O", "B-PER", "O"]} for row in range(48)]


def questions():
    return [
        {
            "context": f"{WORDS[row % 12]} film cinema",
            "qas": [
                {
                    "id": str(row),
                    "question": "what ?",
                    "answers": [{"text": "cinema", "answer_start": len(WORDS[row % 12]) + 6}],
                }
            ],
        }
        for row in range(48)
    ]


def write(folder, kind, rows):
    if kind == "squad":
        content, name = json.dumps({"data": [{"paragraphs": rows}]}), "rows.json"
    else:
        content, name = "\n".join(map(json.dumps, rows)), "rows.jsonl"
    (folder / name).write_text(content)
    return f"{kind}:{folder / name},{folder / name}"


@pytest.mark.parametrize(
    ("kind", "rows", "fields"),
    [
        pytest.param("jsonl", texts([row % 2 for row in range(40)]), {"max_drop": 0}, id="40 rows, 0 points"),
        pytest.param("jsonl", texts([row % 77 for row in range(385)]), {}, id="77 classes"),
        pytest.param("jsonl", texts([int(row % 100 == 0) for row in range(400)]), {}, id="1 % positives"),
        pytest.param("jsonl", values(), {}, id="regression"),
        pytest.param("tags", tags(), {}, id="tags"),
        pytest.param("squad", questions(), {}, id="questions"),
    ],
)
def test_a_deployment_is_delivered(kind, rows, fields, checkpoint, make_recipe, tmp_path):
    recipe = make_recipe(checkpoint(head=AutoModel), write(tmp_path, kind, rows), **fields)
    result = compress(recipe, tmp_path / "small", time_limit=60)
    assert read_config(tmp_path / "small")
    assert result.held_out_rows == len(rows) // 5
    assert result.delivered.kept or result.delivered == result.dense
    assert result.delivered.kept == (result.drop.points <= recipe.max_drop)
    assert (result.work / "teacher" / "model.safetensors").exists()


def test_too_few_rows_to_hold_any_out(checkpoint, make_recipe, tmp_path):
    recipe = make_recipe(
        checkpoint(head=AutoModel), write(tmp_path, "jsonl", texts([row % 2 for row in range(39)]))
    )
    with pytest.raises(InputError, match="has 39 training rows; compress needs at least 40"):
        compress(recipe, tmp_path / "small", time_limit=60)
