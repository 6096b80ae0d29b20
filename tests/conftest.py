import json
import signal

import pytest
import tiny

# Whoever starts the tests in the background ignores interrupts, and what the tests start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory):
    """Make a tiny pretrained checkpoint folder of an architecture."""

    def make(model_type="bert", **settings):
        folder = tmp_path_factory.mktemp(model_type) / "checkpoint"
        tokenizer = tiny.make_tokenizer(model_type)
        tiny.make_model(model_type, vocab_size=len(tokenizer), **settings).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        return str(folder)

    return make


@pytest.fixture(scope="session")
def task_spec(tmp_path_factory):
    """A task of 48 training and 24 evaluation rows that word choice decides."""
    folder = tmp_path_factory.mktemp("task")
    good, bad = "a warm and funny film", "a dull and flat plot"
    for name, rows in (("train", 48), ("eval", 24)):
        lines = [
            json.dumps({"text": " ".join([good if row % 2 else bad, *["the"] * (row % 7)]), "label": row % 2})
            for row in range(rows)
        ]
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
    return f"jsonl:{folder / 'train.jsonl'},{folder / 'eval.jsonl'}"
