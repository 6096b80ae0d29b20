import json

import pytest

GOOD, BAD = "a warm and funny film", "a dull and flat plot"


@pytest.fixture(scope="session")
def make_task(tmp_path_factory):
    """Write a task whose label its words decide, given every training row's label."""

    def make(labels, text=None):
        folder = tmp_path_factory.mktemp("task")
        text = text or (lambda label, row: " ".join([GOOD if label else BAD, *["the"] * (row % 7)]))
        for name, part in (("train", labels), ("eval", labels[:10])):
            lines = [json.dumps({"text": text(label, row), "label": label}) for row, label in enumerate(part)]
            (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
        return f"jsonl:{folder / 'train.jsonl'},{folder / 'eval.jsonl'}"

    return make
