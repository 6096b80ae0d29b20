"""Devices without Python: the runner does what the runtime does, with ONNX Runtime's C library alone."""

import sys

import numpy as np
import pytest
from device_processes import Watch

from kaprune_edge.bench import bench, render
from kaprune_edge.devices import open_device
from kaprune_edge.progress import Silent
from kaprune_edge.workflow import evaluate
from kaprune_edge_cli.app import main
from kaprune_runtime import Classifier, InputError, instruction_set

DEVICE = "ssh://device"
TEXTS = ["a warm and funny film", "dull", "no end in sight é"] * 15


def test_a_benchmark_runs_without_python(server, deployment, onnxruntime, task_spec):
    options = {"device": DEVICE, "device_onnxruntime": onnxruntime, "device_python": "/nowhere/python3"}
    comparison = bench([deployment], sequence_length=16, rounds=2, runs=2, **options)
    row = comparison.rows[0]
    assert 0 < row.timing.median_ms <= row.timing.p99_ms
    assert row.timing.peak_memory_bytes > 10e6
    here = bench([deployment], sequence_length=16, rounds=1, runs=1).machine
    for name in ("processor", "features", "cores", "memory_bytes", "onnxruntime"):
        assert getattr(comparison.machine, name) == getattr(here, name)
    assert comparison.machine.kernels == instruction_set()
    assert ", no Python, sparse kernels for" in render(comparison).renderables[1].plain
    there = evaluate(str(deployment), task_spec, **options)
    assert there["metrics"] == evaluate(str(deployment), task_spec)["metrics"]


def test_logits_are_those_of_a_local_session(server, deployment, onnxruntime):
    here, told = Classifier(deployment), []
    with open_device(DEVICE, onnxruntime=onnxruntime) as device:
        device.prepare([deployment], Silent())
        with device.classifier(deployment) as there:
            logits = there.logits(TEXTS, TEXTS[::-1], max_length=12, on_done=told.append)
            assert there(TEXTS[:2]) == here(TEXTS[:2])
            with pytest.raises(InputError, match="the model takes 3 to"):
                there.logits(TEXTS, max_length=1000)
    np.testing.assert_array_equal(logits, here.logits(TEXTS, TEXTS[::-1], max_length=12))
    assert told == [32, 45]


def test_only_what_changed_is_sent_to_a_folder_that_is_kept(server, deployment, onnxruntime, tmp_path):
    def sent():
        watch = Watch()
        with open_device(f"{DEVICE}{tmp_path}/kept", onnxruntime=onnxruntime) as device:
            device.prepare([deployment], watch)
        return watch.stages.get("copying to device", 0)

    everything = sum(path.stat().st_size for path in deployment.iterdir()) + onnxruntime.stat().st_size
    assert sent() >= everything
    assert sent() == 0
    model = max((tmp_path / "kept" / "files").iterdir(), key=lambda path: path.stat().st_size)
    model.write_bytes(model.read_bytes()[:-1])
    assert sent() == model.stat().st_size
    assert [path.name for path in (tmp_path / "kept").iterdir()] == ["files"]


def test_names_reach_the_device_as_they_are(server, deployment, onnxruntime, tmp_path):
    odd = tmp_path / "a $(touch pwned) 'b' \"c\" % é"
    odd.mkdir()
    for path in deployment.iterdir():
        (odd / path.name).write_bytes(path.read_bytes())
    with open_device(DEVICE, onnxruntime=onnxruntime) as device:
        device.prepare([odd], Silent())
        with device.classifier(odd) as there:
            assert there(["fine"]) == Classifier(odd)(["fine"])


def test_the_commands_take_a_device_without_python(server, deployment, onnxruntime, capsys, monkeypatch):
    command = ["kaprune-edge", "predict", str(deployment), "dull", "--device", DEVICE]
    monkeypatch.setattr(sys, "argv", [*command, "--device-onnxruntime", str(onnxruntime)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    assert Classifier(deployment)(["dull"])[0].label in capsys.readouterr().out
