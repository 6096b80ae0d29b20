"""`kaprune-edge compress` as a user types it."""

import importlib
import sys

import pytest

from kaprune_edge_cli.commands import run as command_line

pytestmark = pytest.mark.usefixtures("short")
verb = importlib.import_module("kaprune_edge.compress.compress")


@pytest.fixture
def typed(monkeypatch, capsys):
    """Run a command line; gives its exit code, its output and its errors."""

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["kaprune-edge", *words])
        code = command_line(words)
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def options(checkpoint, task_spec):
    model = checkpoint("bert", label_names=["0", "1"])
    return [model, "--task", task_spec, "--max-drop", "100", "--max-length", "24"]


def test_it_tells_the_ladder_and_the_promise_and_resumes_alone(typed, options, tmp_path):
    small = str(tmp_path / "small")
    code, out, err = typed("compress", *options, "-o", small)
    assert code == 0, err
    assert "delivered" in out and "│ dense │" in out and "│ 1     │       60 │" in out
    assert "Promise kept (at most 100 points of accuracy lost)" in out
    assert max(map(len, out.splitlines()[:8])) <= 80
    assert "step 1: 60.0% sparse, training for at most" in err
    again = typed("compress", "--resume", "-o", small)
    assert again[0] == 0 and "step 1:" not in again[2]
    assert table(again[1]) == table(out)


def table(out):
    return [line for line in out.splitlines() if line.startswith("│")]


def test_an_interrupt_before_anything_is_delivered_tells_how_to_go_on(typed, options, tmp_path, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(verb, "find_teacher", stop)
    code, out, err = typed("compress", *options, "-o", str(tmp_path / "small"))
    assert (code, out) == (130, "")
    assert err.splitlines()[-1].endswith(f"-o {tmp_path / 'small'} --resume")
    assert not (tmp_path / "small").exists()


@pytest.mark.parametrize("time", ["0m", "5", "1 year", "-1h"])
def test_a_time_that_is_none(typed, time, tmp_path):
    code, _, err = typed("compress", "model", "--task", "csv:x.csv", f"--time-limit={time}", "-o", "small")
    assert code == 2
    assert f"'{time}' is no time; write a number and its unit, such as 90s, 10m or 1h" in err
