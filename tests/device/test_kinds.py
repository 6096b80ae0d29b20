"""Taggers and question answerers on devices: timed there, judged here."""

import pytest
from device_processes import Watch, refused
from transformers import AutoModelForQuestionAnswering, AutoModelForTokenClassification

from kaprune_edge.bench import bench
from kaprune_edge.devices import open_device
from kaprune_edge.export import export_model
from kaprune_edge.progress import Silent
from kaprune_edge.workflow import evaluate
from kaprune_runtime import InputError

DEVICE = "ssh://device"
HEADS = {
    "token-classification": AutoModelForTokenClassification,
    "question-answering": AutoModelForQuestionAnswering,
}


@pytest.fixture(scope="module", params=HEADS)
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def other(kind, checkpoint, tmp_path_factory):
    output = tmp_path_factory.mktemp("kinds") / "deployment"
    return export_model(checkpoint(head=HEADS[kind]), output).folder


@pytest.fixture(params=["with Python", "without Python"])
def reached(request, pythons, onnxruntime):
    return {"python": pythons[0]} if request.param == "with Python" else {"onnxruntime": onnxruntime}


def options_of(reached):
    return {"device": DEVICE} | {f"device_{name}": value for name, value in reached.items()}


def test_they_are_timed(server, other, reached):
    comparison = bench([other], sequence_length=16, rounds=1, runs=2, **options_of(reached))
    assert comparison.rows[0].timing.median_ms > 0


def test_they_are_not_taken_for_classifiers(server, other, kind, reached):
    with open_device(DEVICE, **reached) as device:
        device.prepare([other], Silent())
        said = refused(InputError, device.classifier, folder=other)
    assert said == f"{other} is for {kind}, not text-classification; give a deployment for that"


def test_a_task_that_does_not_fit_is_refused_before_copying(server, other, kind, reached, task_spec):
    watch = Watch()
    given = {"source": str(other), "task_spec": task_spec, "progress": watch, **options_of(reached)}
    assert refused(InputError, evaluate, **given).startswith(f"{other} is for {kind} but ")
    assert watch.stages == {}
