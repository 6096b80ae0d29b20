import filelock
import graphs
import onnx_ir as ir
import pytest
import tiny
import torch

from kaprune_edge.export import to_onnx


@pytest.fixture(scope="session")
def dense_graph(tmp_path_factory, worker_id):
    """Give a tiny model's dense ONNX graph, made once for all test processes."""
    own = tmp_path_factory.getbasetemp()
    shared = own if worker_id == "master" else own.parent

    def load(model_type):
        file = shared / f"dense-{model_type}.onnx"
        with filelock.FileLock(file.with_suffix(".lock")):
            if not file.exists():
                ir.save(to_onnx(graphs.make_model(model_type)), file)
        return ir.load(file)

    return load


@pytest.fixture(scope="session")
def sparse_checkpoint(tmp_path_factory):
    """Make a tiny checkpoint folder with pruned matrices; gives it with its model."""

    def make(model_type="bert", blocks=((4, 1),), sparsity=0.8, change=None, **settings):
        tokenizer = tiny.make_tokenizer(model_type)
        model = graphs.make_model(model_type, vocab_size=len(tokenizer), **settings)
        graphs.prune(model, blocks, sparsity)
        if change is not None:
            with torch.no_grad():
                change(model)
        folder = tmp_path_factory.mktemp(model_type) / "checkpoint"
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        return folder, model

    return make
