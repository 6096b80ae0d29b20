import json
import os
import socket
import subprocess
import sys
import time

from kaprune_edge.tasks.glue import GLUE

LOAD = """
import json, sys
from kaprune_edge.tasks import load_task
from kaprune_runtime.errors import InputError
for name in sys.argv[1:]:
    try:
        task = load_task(f"glue/{name}")
        print(json.dumps([task.name, task.text_columns, task.train[:], task.evaluation[:]]))
    except InputError as error:
        print(json.dumps(str(error)))
"""
TWO_TEXTS = {
    "mnli": ("premise", "hypothesis"),
    "qqp": ("question1", "question2"),
    "qnli": ("question", "sentence"),
    **dict.fromkeys(("mrpc", "stsb", "rte", "wnli"), ("sentence1", "sentence2")),
}
SPLITS = ("train", "validation", "test")
MNLI_SPLITS = ("train", "validation_matched", "validation_mismatched", "test_matched", "test_mismatched")


def text_columns(config):
    return TWO_TEXTS.get(config, ("sentence",))


def columns(config, split):
    """Two rows whose texts say where they are from, in the hub's columns; its test labels are all -1."""
    labels = [-1, -1] if split.startswith("test") else [1, 0]
    texts = {column: [f"{config} {split} {column} {row}" for row in "ab"] for column in text_columns(config)}
    return {**texts, "label": [float(x) for x in labels] if config == "stsb" else labels, "idx": [0, 1]}


def load(home, endpoint, *names):
    """Load tasks in a process of its own (the hub's address is read once); returns results and seconds."""
    environment = {**os.environ, "HF_HOME": str(home), "HF_ENDPOINT": endpoint, "HF_HUB_DISABLE_XET": "1"}
    environment.pop("HF_HUB_OFFLINE", None)
    start = time.monotonic()
    run = subprocess.run(
        [sys.executable, "-c", LOAD, *names], env=environment, capture_output=True, text=True, timeout=120
    )
    assert run.returncode == 0, run.stderr
    return [json.loads(line) for line in run.stdout.splitlines()], time.monotonic() - start


def test_all_tasks_come_from_the_hub_and_then_from_its_cache(tmp_path, serve_hub):
    configs = {glue.config: MNLI_SPLITS if glue.config == "mnli" else SPLITS for glue in GLUE.values()}
    endpoint = serve_hub({name: {split: columns(name, split) for split in configs[name]} for name in configs})
    results, _ = load(tmp_path, endpoint, *GLUE)
    for name, result in zip(GLUE, results, strict=True):
        config = "mnli" if name == "mnli-mm" else name
        split = {"mnli": "validation_matched", "mnli-mm": "validation_mismatched"}.get(name, "validation")
        rows = [columns(config, s) for s in ("train", split)]
        expected = [{key: row[key] for key in (*text_columns(config), "label")} for row in rows]
        assert result == [f"glue/{name}", list(text_columns(config)), *expected]

    unreachable, _ = load(tmp_path, "http://127.0.0.1:9", *GLUE)
    assert unreachable == results


def test_an_unreachable_hub_is_reported_at_once(tmp_path):
    (message,), seconds = load(tmp_path, "http://127.0.0.1:9", "sst2")
    assert message.startswith("cannot load glue/sst2 from the hub (")
    assert message.endswith("check the network, or give the folder of a GLUE download: glue/sst2:DIR")
    assert seconds < 20  # most of it to import torch; the hub client's own retries alone take 23


def test_a_silent_hub_is_given_up(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        (message,), seconds = load(tmp_path, f"http://127.0.0.1:{silent.getsockname()[1]}", "mnli")
    assert message.startswith("cannot load glue/mnli from the hub (timed out)")
    assert seconds < 30


def test_a_hub_without_the_task_is_reported(tmp_path, serve_hub):
    endpoint = serve_hub(
        {"cola": {"train": columns("cola", "train"), "validation": columns("cola", "validation")}}
    )
    (message,), _ = load(tmp_path, endpoint, "sst2")
    assert message.startswith("cannot load glue/sst2 from the hub (BuilderConfig 'sst2' not found")
