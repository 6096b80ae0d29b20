"""Factors of inputs, from a task's texts, beside what PyTorch says of them."""

import json

import numpy as np
import pytest
import torch

from kaprune_edge.encoder import encoder_layers
from kaprune_edge.export import export_model
from kaprune_edge.export.calibration import SHARES, draw_rows, find_factors
from kaprune_edge.export.passes import optimization
from kaprune_edge.export.source import open_source
from kaprune_edge.tasks import load_task
from kaprune_runtime import Classifier, InputError

TEXTS = ["a warm and funny film", "flat", "the plot is dull , the acting flat and the end in sight"]


def exaggerate(model):
    """Give one feature of what feed-forward reads a range far beyond the others', as trained models do."""
    for layer in encoder_layers(model):
        layer.attention_norm.weight[5] = 60
        layer.intermediate.weight[:, 5] /= 30


@pytest.fixture(scope="module")
def sparse(sparse_checkpoint):
    return sparse_checkpoint(change=exaggerate)


@pytest.fixture(scope="module")
def task(task_spec):
    return load_task(task_spec)


@pytest.fixture(scope="module")
def exported(sparse, task, tmp_path_factory):
    output = tmp_path_factory.mktemp("calibrated")
    plain = export_model(sparse[0], output / "plain", quantize="int8")
    return plain, export_model(sparse[0], output / "calibrated", quantize="int8", calibrate=task)


def test_logits_come_closer_to_the_sources(sparse, exported):
    folder, model = sparse
    source = open_source(folder)
    with torch.inference_mode():
        exact = model(**source.tokenizer(TEXTS, padding=True, return_tensors="pt")).logits.numpy()
    moved = [np.abs(Classifier(each.folder).logits(TEXTS) - exact).mean() for each in exported]
    assert moved[1] < moved[0] / 2
    gain = exported[1].calibration
    assert gain.difference < gain.difference_before / 2
    assert gain.matrices > 0
    told = json.loads((exported[1].folder / "kaprune.json").read_text())["quantization"]["calibration"]
    assert told == {
        "matrices": gain.matrices,
        "difference_before": gain.difference_before,
        "difference": gain.difference,
    }
    assert exported[0].calibration is None


def test_factors_are_those_of_the_paper(sparse, task):
    folder, model = sparse
    source = open_source(folder)
    optimization()(source.model)
    measured, judged = draw_rows(source, task)
    found = find_factors(source.model, measured, judged)
    reading = [
        modules
        for layer in encoder_layers(model)
        for modules in ([layer.query, layer.key, layer.value], [layer.intermediate], [layer.output])
    ]
    names = {module: f"{name}.values" for name, module in model.named_modules()}
    seen = [watch(modules[0]) for modules in reading]
    with torch.inference_mode():
        for feeds in measured:
            model(**{name: torch.from_numpy(array) for name, array in feeds.items()})
    for modules, inputs in zip(reading, seen, strict=True):
        weight = torch.cat([module.weight for module in modules]).detach()
        x, w = (each.abs().amax(0) for each in (torch.cat(inputs, 1)[0], weight))
        x, w = (torch.maximum(each, each.max() / 1000) for each in (x, w))
        for module in modules:
            factors = found.get(names[module], np.ones(len(x)))
            choices = [1 + 0 * x, *(w ** (1 - share) / x**share for share in SHARES)]
            assert min(np.abs(factors / choice.numpy() - 1).max() for choice in choices) < 1e-4
    assert all(names[layer.intermediate] in found for layer in encoder_layers(model))


def test_factors_that_bring_nothing_closer_are_left_out(sparse, exported, task, tmp_path, monkeypatch):
    def spoil(*arguments):
        return {name: 1 / factors for name, factors in find_factors(*arguments).items()}

    monkeypatch.setattr("kaprune_edge.export.calibration.find_factors", spoil)
    result = export_model(sparse[0], tmp_path / "spoilt", quantize="int8", calibrate=task)
    assert result.calibration.matrices == 0
    assert result.calibration.difference == result.calibration.difference_before
    plain, spoilt = (Classifier(each.folder).logits(TEXTS) for each in (exported[0], result))
    np.testing.assert_array_equal(plain, spoilt)


def watch(module):
    """Collect what a module is given, [1, tokens, K] each time."""
    given = []
    module.register_forward_pre_hook(lambda _, inputs: given.append(inputs[0]))
    return given


def test_a_dense_model_has_nothing_to_calibrate(checkpoint, task, tmp_path):
    with pytest.raises(InputError, match=r"no matrix is sparse enough .*; leave out --calibrate"):
        export_model(checkpoint(), tmp_path / "new", quantize="int8", calibrate=task)
    assert list(tmp_path.iterdir()) == []


def test_a_matrix_that_multiplies_two_things_has_no_factors(sparse, task):
    source = open_source(sparse[0])
    optimization()(source.model)
    measured, judged = draw_rows(source, task)
    first, second = (node for node in source.model.graph if node.op_type == "SparseFeedForward")
    second.replace_input_with(1, first.inputs[1])
    second.replace_input_with(2, first.inputs[2])
    second.replace_input_with(3, first.inputs[3])
    found = find_factors(source.model, measured, judged)
    assert found
    assert first.inputs[1].name not in found
