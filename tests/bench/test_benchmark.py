import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from io import StringIO
from pathlib import Path

import psutil
import pytest
import torch
from rich.console import Console
from sklearn.metrics import accuracy_score, f1_score

from kaprune_edge.bench import bench, render
from kaprune_runtime import InputError, KapruneError

QUICK = {"sequence_length": 40, "rounds": 3, "runs": 4}


def children():
    return psutil.Process(os.getpid()).children(recursive=True)


class Watch:
    """Progress that calls back at every step of the timing."""

    def __init__(self, on_round=lambda: None):
        self.stages, self.on_round = [], on_round

    def start(self, stage, total):
        self.stages.append([stage, total, 0])

    def advance(self, done, **figures):
        self.stages[-1][2] = done
        if self.stages[-1][0].startswith("timing"):
            self.on_round()


@pytest.fixture(scope="module")
def compared(small, large, task):
    watch = Watch()
    comparison = bench([small[0], large[0]], baselines=[str(large[0])], task=task, progress=watch, **QUICK)
    return comparison, watch


def test_every_model_has_a_row(compared, small, large):
    comparison, _ = compared
    assert [row.name for row in comparison.rows] == [str(small[0]), str(large[0]), str(large[0])]
    assert [row.file_bytes for row in comparison.rows[:2]] == [
        (folder / "model.onnx").stat().st_size for folder, _ in (small, large)
    ]
    for row in comparison.rows:
        timing = row.timing
        assert 0 < timing.median_ms <= timing.p90_ms <= timing.p99_ms
        assert timing.speedup_range[0] <= timing.speedup <= timing.speedup_range[1]
        assert timing.load_seconds > 0
        assert row.file_bytes < timing.peak_memory_bytes < psutil.virtual_memory().total


def test_speedups_refer_to_the_first_baseline(compared):
    comparison, _ = compared
    small, large, reference = comparison.rows
    assert (reference.timing.speedup, reference.timing.speedup_range) == (1, (1, 1))
    assert small.timing.speedup > 1.5 * large.timing.speedup
    assert comparison.reference == reference.name


def test_accuracy_is_that_of_the_torch_model(compared, small, large, task, tokenizer):
    encoded = tokenizer(
        task.evaluation["sentence"][:], truncation=True, max_length=40, padding=True, return_tensors="pt"
    )
    for row, (_, model) in zip(compared[0].rows, (small, large), strict=False):
        with torch.no_grad():
            predicted = model(**encoded).logits.argmax(1)
        labels = task.evaluation["label"][:]
        assert row.metrics == {
            "accuracy": accuracy_score(labels, predicted),
            "f1": f1_score(labels, predicted),
        }


def test_progress_reaches_the_end_of_every_stage(compared):
    stages = compared[1].stages
    assert [stage.split()[0] for stage, _, _ in stages] == [
        "preparing",
        "timing",
        "scoring",
        "scoring",
        "scoring",
    ]
    assert all(done == total > 0 for _, total, done in stages)


def test_providers_that_do_not_compute_here_are_named(compared):
    comparison, _ = compared
    assert {row.provider for row in comparison.rows} == {"CPUExecutionProvider"}
    assert comparison.notes == ("AzureExecutionProvider is left out: it sends the work to a remote service",)


def test_providers_can_be_chosen(small):
    both = ["CPUExecutionProvider", "AzureExecutionProvider"]
    comparison = bench([small[0]], providers=both, **QUICK)
    assert [row.provider for row in comparison.rows] == both
    text = draw(comparison)
    assert "CPU" in text
    assert "Azure" in text


def test_json_holds_everything(compared):
    content = json.loads(json.dumps(compared[0].to_dict()))
    assert content["rows"][0]["timing"]["median_ms"] == compared[0].rows[0].timing.median_ms
    assert content["workload"] == {
        "sequence_length": 40,
        "batch_size": 1,
        "threads": 1,
        "rounds": 3,
        "runs": 4,
    }
    assert content["machine"]["cores"] >= 1


def draw(comparison):
    console = Console(file=StringIO(), width=110)
    console.print(render(comparison))
    return console.file.getvalue()


def test_the_table_names_its_units_and_explains_itself(compared):
    first, second, reference = compared[0].rows
    rows = (
        replace(first, name="sparse", metrics={"accuracy": 0.9126, "f1": 0.9}, file_bytes=12_345_678),
        replace(second, name="tiny", metrics=None, random_weights=True),
        reference,
    )
    text = draw(replace(compared[0], rows=rows, reference="tiny"))
    lines = text.splitlines()
    assert {"accuracy", "median", "p90", "p99", "speed", "load", "RAM", "file"} <= set(lines[1].split())
    assert {"%", "ms", "times", "s", "MB"} <= set(lines[2].split())
    sparse = next(line.split() for line in lines if line.strip().startswith("sparse"))
    assert (sparse[1], sparse[-1]) == ("91.3", "12.3")
    assert next(line.split() for line in lines if line.strip().startswith("tiny"))[1:3] == ["*", "-"]
    for words in (
        "1 text of 40 tokens, 1 thread",
        "as fast as tiny",
        "* random weights",
        "onnxruntime",
        "random words",
    ):
        assert words in text


def spoiled(folder, tmp_path, spoil):
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    spoil(copy)
    return copy


def cut_model(folder):
    (folder / "model.onnx").write_bytes((folder / "model.onnx").read_bytes()[:5000])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"deployments": []}, "nothing to compare"),
        ({"deployments": [Path("missing")]}, "missing is not a folder"),
        ({"sequence_length": 41}, "takes 1 to 40 tokens, not 41"),
        ({"sequence_length": 0}, "takes 1 to 40 tokens, not 0"),
        ({"batch_size": 0}, "batch of 0 texts"),
        ({"threads": 0}, "0 threads"),
        ({"rounds": 0}, "0 rounds of 4 runs"),
        ({"runs": -1}, "3 rounds of -1 runs"),
        ({"device": "toaster"}, "unknown device 'toaster'; use local"),
        ({"providers": ["TPUExecutionProvider"]}, "no provider 'TPUExecutionProvider'; choose from"),
        ({"baselines": ["tinybert-5l"]}, "unknown baseline 'tinybert-5l'; use tinybert-4l-312d"),
        ({"baselines": ["tinybert-4l-312d:int3"]}, "unknown baseline 'tinybert-4l-312d:int3'"),
    ],
)
def test_unusable_arguments_are_refused(small, options, message):
    with pytest.raises(InputError, match=message) as caught:
        bench(**{"deployments": [small[0]], **QUICK, **options})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (cut_model, "onnxruntime cannot load"),
        (lambda folder: (folder / "model.onnx").unlink(), "holds no model.onnx"),
        (lambda folder: (folder / "config.json").write_text("{"), "not readable JSON"),
    ],
)
def test_a_damaged_deployment_is_refused(small, tmp_path, spoil, message):
    with pytest.raises(InputError, match=message) as caught:
        bench([small[0], spoiled(small[0], tmp_path, spoil)], **QUICK)
    assert "\n" not in str(caught.value)


def test_a_model_of_another_task_is_refused_before_timing(deployment, small, task):
    other, _ = deployment(64, num_labels=3)
    watch = Watch(lambda: pytest.fail("timed"))
    with pytest.raises(InputError, match=r"predicts 3 labels .* but random words has 2"):
        bench([small[0], other], task=task, progress=watch, **QUICK)


def test_a_killed_process_is_reported(small, large):
    with pytest.raises(KapruneError, match=r"deployment\d+ was killed \(SIGKILL\)") as caught:
        bench([small[0], large[0]], progress=Watch(lambda: children()[-1].kill()), **QUICK)
    assert not isinstance(caught.value, InputError)


def test_an_interrupt_ends_the_processes(small, large):
    seen = []

    def interrupt():
        seen.extend(children())
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bench([small[0], large[0]], progress=Watch(interrupt), **QUICK)
    assert len(seen) == 2
    assert not any(process.is_running() for process in seen)


PROGRAM = """
import sys
from pathlib import Path
from kaprune_edge.bench import bench
bench([Path(sys.argv[1])], rounds=10**6, sequence_length=8)
"""


def test_no_process_outlives_the_program(small):
    sent = [signal.SIGINT, signal.SIGKILL]
    command = [sys.executable, "-c", PROGRAM, str(small[0])]
    programs = [subprocess.Popen(command, stderr=subprocess.PIPE, start_new_session=True) for _ in sent]
    workers = [wait_for_worker(program) for program in programs]
    for program, number in zip(programs, sent, strict=True):
        os.killpg(program.pid, number)
        assert program.wait(timeout=30) != 0
    assert psutil.wait_procs(workers, timeout=30)[1] == []


def wait_for_worker(program):
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        if found := psutil.Process(program.pid).children(recursive=True):
            return found[0]
        time.sleep(0.1)
    raise TimeoutError(program.communicate())
