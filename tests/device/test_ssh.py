"""Whole runs over a real OpenSSH server on loopback."""

import sys
from pathlib import Path

import numpy as np
import pytest
from device_processes import Watch, processes, refused

from kaprune_edge.bench import bench, render
from kaprune_edge.devices import open_device
from kaprune_edge.progress import Silent
from kaprune_edge.tasks import load_task
from kaprune_edge.workflow import evaluate
from kaprune_edge_cli.app import main
from kaprune_runtime import Classifier, InputError

DEVICE = "ssh://device"
QUICK = {"sequence_length": 16, "rounds": 2, "runs": 2}


def test_a_benchmark_runs_on_the_device(server, deployment, pythons, task_spec):
    seen, task = [], load_task(task_spec)
    watch = Watch(lambda: seen.append(len(processes(server.device))))
    comparison = bench(
        [deployment], task=task, device=DEVICE, device_python=pythons[0], progress=watch, **QUICK
    )
    row = comparison.rows[0]
    assert min(seen) >= 3  # agent, sweeper and worker
    assert 0 < row.timing.median_ms <= row.timing.p99_ms
    assert row.timing.peak_memory_bytes > 10e6
    assert sum(row.timing.placement["CPUExecutionProvider"].values()) > 10
    assert comparison.machine.kernels is not None
    assert comparison.device == DEVICE
    assert row.metrics == evaluate(str(deployment), task_spec)["metrics"]
    assert "sparse kernels for" in render(comparison).renderables[1].plain


def test_the_commands_take_a_device(server, deployment, pythons, task_spec, capsys, monkeypatch):
    def run(*command):
        monkeypatch.setattr(sys, "argv", ["kaprune-edge", *map(str, command)])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code, capsys.readouterr().out

    there = ("--device", DEVICE, "--device-python", pythons[0])
    for command in (
        ("predict", deployment, "dull", "a warm film"),
        ("evaluate", deployment, "--task", task_spec),
    ):
        here = run(*command)
        assert here[0] == 0
        assert run(*command, *there) == here
    code, out = run("bench", deployment, "--sequence-length=8", "--rounds=1", "--provider=cpu", *there)
    assert code == 0
    assert "1 text of 8 tokens" in out


def test_what_is_no_deployment_stays_here(checkpoint, task_spec):
    said = refused(InputError, evaluate, source=checkpoint(), task_spec=task_spec, device=DEVICE)
    assert said.endswith("is no deployment, and PyTorch runs here alone; export it first")


def test_texts_are_classified_as_here(server, deployment, pythons):
    texts, pairs = (
        ["a warm and funny film", "dull"] * 20,
        ["no end in sight", "the price of the ticket é"] * 20,
    )
    here, told = Classifier(deployment), []
    with open_device(DEVICE, python=pythons[0]) as device:
        device.prepare([deployment], Silent())
        with device.classifier(deployment) as there:
            logits = there.logits(texts, pairs, max_length=12, on_done=told.append)
            assert there(texts[:2]) == here(texts[:2])
            assert refused(InputError, there.logits, texts=texts, max_length=1000).startswith(
                "the model takes 3 to"
            )
    np.testing.assert_array_equal(logits, here.logits(texts, pairs, max_length=12))
    assert told == [32, 40]


def test_only_what_changed_is_sent_to_a_folder_that_is_kept(server, deployment, pythons, tmp_path):
    def sent():
        watch = Watch()
        with open_device(f"{DEVICE}{tmp_path}/kept", python=pythons[0]) as device:
            device.prepare([deployment], watch)
            device.prepare([deployment], watch)
        return watch.stages.get("copying to device", 0)

    everything = sum(path.stat().st_size for path in deployment.iterdir())
    assert sent() > everything
    assert sent() == 0
    (deployment / "README.md").write_text("changed")
    assert sent() == len("changed")
    model = max((tmp_path / "kept" / "files").iterdir(), key=lambda path: path.stat().st_size)
    model.write_bytes(model.read_bytes()[:-1])
    assert sent() == model.stat().st_size
    assert [path.name for path in (tmp_path / "kept").iterdir()] == ["files"]


def test_names_reach_the_device_as_they_are(server, deployment, pythons, tmp_path):
    """Neither a folder's nor a file's name is ever part of a shell's command line."""
    odd = tmp_path / "a $(touch pwned) 'b' \"c\""
    odd.mkdir()
    for path in deployment.iterdir():
        (odd / path.name).write_bytes(path.read_bytes())
    python = Path(tmp_path / "py thon '$(touch pwned)'")
    python.symlink_to(pythons[0])
    with open_device(DEVICE, python=str(python)) as device:
        device.prepare([odd], Silent())
        with device.classifier(odd) as there:
            assert there(["fine"]) == Classifier(odd)(["fine"])
    assert not list(Path.home().glob("pwned")) + list(tmp_path.rglob("pwned"))
