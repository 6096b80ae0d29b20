"""The promise at full size: BERT-base's shape, 95 % sparse, on a machine without kaprune-edge."""

import subprocess
import sys
from pathlib import Path

import graphs
import numpy as np
import pytest
import tiny
import torch
from transformers import BertConfig, BertForSequenceClassification

from kaprune_edge.export import export_model

CONSTRAINTS = Path(__file__).parents[2] / "constraints.txt"
RUN = """
import sys, numpy, onnxruntime
session = onnxruntime.InferenceSession(sys.argv[1])
feeds = dict(numpy.load(sys.argv[2]))
numpy.save(sys.argv[3], session.run(None, {node.name: feeds[node.name] for node in session.get_inputs()})[0])
"""


@pytest.fixture
def bare_python(tmp_path):
    """A fresh virtual environment that has onnxruntime and numpy only."""
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "bare"], check=True)
    python = tmp_path / "bare" / "bin" / "python"
    install = [python, "-m", "pip", "install", "--quiet", "--constraint", CONSTRAINTS]
    subprocess.run([*install, "onnxruntime", "numpy"], check=True)
    return python


def test_a_sparse_bert_base_fits_125_mb_and_runs_anywhere(bare_python, tmp_path):
    torch.manual_seed(0)
    model = BertForSequenceClassification(BertConfig()).eval()
    graphs.prune(model, [(1, 1)], 0.95)
    model.save_pretrained(tmp_path / "checkpoint")
    tiny.make_tokenizer("bert").save_pretrained(tmp_path / "checkpoint")
    result = export_model(tmp_path / "checkpoint", tmp_path / "deployment")
    assert result.file_bytes <= 125e6
    assert result.sparsity == pytest.approx(0.95, abs=1e-3)

    feeds = graphs.token_feeds(2, 32)
    np.savez(tmp_path / "feeds.npz", **feeds)
    files = [result.folder / "model.onnx", tmp_path / "feeds.npz", tmp_path / "logits.npy"]
    subprocess.run([bare_python, "-c", RUN, *files], check=True)
    with torch.inference_mode():
        reference = model(**{name: torch.from_numpy(array) for name, array in feeds.items()}).logits
    np.testing.assert_allclose(np.load(tmp_path / "logits.npy"), reference, atol=1e-4)
