"""Tasks other than GLUE's that come from the hub."""

import json
import os
import subprocess
import sys

LOAD = """
import json, sys
from kaprune_edge.tasks import load_task
task = load_task(sys.argv[1])
print(json.dumps([task.name, task.metrics, task.train[:], task.evaluation[:]]))
"""


def load(home, endpoint, spec):
    environment = {**os.environ, "HF_HOME": str(home), "HF_ENDPOINT": endpoint, "HF_HUB_DISABLE_XET": "1"}
    environment.pop("HF_HUB_OFFLINE", None)
    run = subprocess.run(
        [sys.executable, "-c", LOAD, spec], env=environment, capture_output=True, text=True, timeout=120
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def test_conll2003(tmp_path, serve_hub):
    splits = {
        split: {"id": ["0"], "tokens": [["Ada", split]], "pos_tags": [[0, 0]], "ner_tags": [[1, 0]]}
        for split in ("train", "validation", "test")
    }
    endpoint = serve_hub({"default": splits}, "lhoestq/conll2003")
    loaded = load(tmp_path, endpoint, "conll2003")
    rows = [{"tokens": [["Ada", split]], "label": [[1, 0]]} for split in ("train", "validation")]
    assert loaded == ["conll2003", ["f1", "precision", "recall", "accuracy"], *rows]
    assert load(tmp_path, "http://127.0.0.1:9", "conll2003") == loaded


def test_squad_v2(tmp_path, serve_hub):
    answers = [{"text": ["Ada"], "answer_start": [0]}, {"text": [], "answer_start": []}]
    split = {
        "id": ["0", "1"],
        "title": ["t", "t"],
        "context": ["Ada wrote it.", "It was written."],
        "question": ["Who wrote it?", "Who?"],
        "answers": answers,
    }
    endpoint = serve_hub({"squad_v2": {"train": split, "validation": split}}, "rajpurkar/squad_v2")
    loaded = load(tmp_path, endpoint, "squad_v2")
    rows = {"question": split["question"], "context": split["context"], "answers": [["Ada"], []]}
    assert loaded == ["squad_v2", ["f1", "exact_match"], *[{**rows, "starts": [[0], []]}] * 2]
    assert load(tmp_path, "http://127.0.0.1:9", "squad_v2") == loaded
