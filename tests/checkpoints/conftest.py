import json
import shutil
from pathlib import Path

import pytest
import tiny


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """A tiny checkpoint of each family, made once; copy it before changing it."""
    folders = {}

    def make(model_type="bert", **settings):
        key = (model_type, tuple(settings.items()))
        if key not in folders:
            folder = tmp_path_factory.mktemp(model_type) / "checkpoint"
            tokenizer = tiny.make_tokenizer(model_type)
            tiny.make_model(model_type, vocab_size=len(tokenizer), **settings).save_pretrained(folder)
            tokenizer.save_pretrained(folder)
            folders[key] = folder
        return folders[key]

    return make


@pytest.fixture
def edited(made, tmp_path):
    """Copy a checkpoint and change entries of its config.json; None takes one out."""

    def edit(changes, model_type="bert", **settings):
        folder = Path(shutil.copytree(made(model_type, **settings), tmp_path / "edited", dirs_exist_ok=True))
        config = json.loads((folder / "config.json").read_text()) | changes
        kept = {entry: value for entry, value in config.items() if entry not in changes or value is not None}
        (folder / "config.json").write_text(json.dumps(kept))
        return folder

    return edit
