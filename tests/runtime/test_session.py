import json
import os

import numpy as np
import onnxruntime
import pytest

from kaprune_runtime import Classifier, InputError, session

CORES = os.cpu_count()


def test_a_folder_and_its_file_load_alike(tiny):
    folder = tiny().folder
    feeds = {name: np.ones((2, 5), np.int64) for name in ("input_ids", "attention_mask", "token_type_ids")}
    plain = onnxruntime.InferenceSession(folder / "model.onnx").run(None, feeds)[0]
    for source in (folder, str(folder), folder / "model.onnx"):
        np.testing.assert_array_equal(session(source).run(None, feeds)[0], plain)


def test_threads_reach_onnxruntime(tiny):
    assert session(tiny().folder, threads=2).get_session_options().intra_op_num_threads == 2


def test_a_folder_of_another_exporter_needs_no_manifest(copy):
    (copy / "kaprune.json").unlink()
    assert Classifier(copy).logits(["fine"]).shape == (1, 2)


def cut(folder, name):
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: len(content) // 2])


def edit(folder, name, **changes):
    content = json.loads((folder / name).read_text())
    content.update(changes)
    (folder / name).write_text(
        json.dumps({key: value for key, value in content.items() if value is not None})
    )


def unlisted(folder, damage, *arguments, **changes):
    (folder / "kaprune.json").unlink()
    damage(folder, *arguments, **changes)


DAMAGES = {
    "no model": (lambda f: (f / "model.onnx").unlink(), "holds no model.onnx"),
    "no config": (lambda f: (f / "config.json").unlink(), "holds no config.json"),
    "no tokenizer": (lambda f: (f / "tokenizer.json").unlink(), "holds no tokenizer.json"),
    "model cut short": (lambda f: cut(f, "model.onnx"), "cut short or changed"),
    "tokenizer cut short": (lambda f: cut(f, "tokenizer.json"), "cut short or changed"),
    "unlisted model cut short": (lambda f: unlisted(f, cut, "model.onnx"), "cannot load"),
    "unlisted tokenizer cut short": (lambda f: unlisted(f, cut, "tokenizer.json"), "is no tokenizer"),
    "config cut short": (lambda f: unlisted(f, cut, "config.json"), "not readable JSON"),
    "config a list": (
        lambda f: unlisted(f, lambda f: (f / "config.json").write_text("[]")),
        "no JSON object",
    ),
    "no vocabulary": (
        lambda f: unlisted(f, edit, "config.json", vocab_size=None),
        "vocab_size in .* is None, not a positive",
    ),
    "odd labels": (lambda f: unlisted(f, edit, "config.json", id2label={"1": "x"}), "names the outputs 1; "),
    "labels amiss": (lambda f: unlisted(f, edit, "config.json", id2label={"0": "x"}), "names 1 labels"),
    "manifest cut short": (lambda f: cut(f, "kaprune.json"), "not readable JSON"),
    "manifest without version": (
        lambda f: edit(f, "kaprune.json", format_version=None),
        "lacks format_version",
    ),
    "newer format": (lambda f: edit(f, "kaprune.json", format_version=2), "upgrade kaprune-edge-runtime"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_deployment_is_refused(copy, damage):
    spoil, message = DAMAGES[damage]
    spoil(copy)
    with pytest.raises(InputError, match=message) as caught:
        Classifier(copy).logits(["fine"])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        ("missing", {}, "is not a folder"),
        ("missing.onnx", {}, "does not exist"),
        (".", {"threads": 0}, "0 threads cannot run"),
        (".", {"threads": 10**6}, f"the machine has {CORES} cores; give 1 to {CORES} threads"),
        (
            ".",
            {"provider": "TPUExecutionProvider"},
            "no TPUExecutionProvider; choose from .*CPUExecutionProvider",
        ),
    ],
)
def test_unusable_arguments_are_refused(copy, source, options, message):
    with pytest.raises(InputError, match=message):
        session(copy / source, **options)
