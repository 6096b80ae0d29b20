"""Real processes on terminals, pipes and broken streams: data stays data, and every end is one line."""

import errno
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import time

import pytest

from kaprune_edge_cli import console
from kaprune_edge_cli.console import scores
from kaprune_runtime.deployment import ModelConfig
from kaprune_runtime.pipeline import Prediction, columns

EDGE = [sys.executable, "-m", "kaprune_edge_cli"]
RUNTIME = [sys.executable, "-m", "kaprune_runtime"]
BOTH = pytest.mark.parametrize("program", [EDGE, RUNTIME], ids=["edge", "runtime"])

MARKUP = ":red_heart: [bold]x[/bold] 😀 é"
UNSEEN = "a\x1b[31mb\x1b]0;t\x07\rc\x9bd\u202ee\u2028f\u200fg\u2066h"
SHOWN = r"a\x1b[31mb\x1b]0;t\x07\rc\u009bd\u202ee\u2028f\u200fg\u2066h"


@pytest.fixture(scope="module")
def named(goods, tmp_path_factory):
    """A deployment whose labels steer the terminal."""
    folder = shutil.copytree(goods / "deployment", tmp_path_factory.mktemp("named") / "deployment")
    config = json.loads((folder / "config.json").read_text())
    config["id2label"] = {"0": UNSEEN, "1": UNSEEN + "2"}
    (folder / "config.json").write_text(json.dumps(config))
    manifest = json.loads((folder / "kaprune.json").read_text())
    del manifest["files"]["config.json"]  # its digest
    (folder / "kaprune.json").write_text(json.dumps(manifest))
    return folder


def do(command, **options):
    options = {"capture_output": True, "timeout": 120, **options}
    return subprocess.run([str(word) for word in command], **options)


def on_terminal(command):
    """Everything that a command writes to a terminal of 80 columns."""
    child, terminal = pty.fork()
    if child == 0:
        os.environ["COLUMNS"] = "80"
        os.execv(command[0], [str(word) for word in command])
    written = b""
    try:
        while piece := os.read(terminal, 4096):
            written += piece
    except OSError as error:
        assert error.errno == errno.EIO
    os.waitpid(child, 0)
    return written.decode()


@BOTH
def test_data_is_printed_as_it_is(goods, program):
    done = do([*program, "predict", goods / "deployment", MARKUP, "-5 stars", "-5"])
    texts = [
        line.split("\t" if program is RUNTIME else "  ", 2)[2] for line in done.stdout.decode().splitlines()
    ]
    assert texts == [MARKUP, "-5 stars", "-5"]


@BOTH
def test_a_terminal_is_not_steered_by_labels_and_texts(named, program):
    written = on_terminal([*program, "predict", named, UNSEEN, MARKUP])
    first, second, end = written.split("\r\n")
    assert (first + second + end).replace("\t", "").isprintable()
    assert first.startswith(SHOWN) and first.endswith(SHOWN)
    assert second.endswith(MARKUP)


@BOTH
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_json_holds_the_same_text_in_every_encoding(named, program, encoding):
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    done = do([*program, "predict", named, MARKUP, "--json"], env=environment)
    printed = json.loads(done.stdout.decode(encoding))
    prediction = printed if program is RUNTIME else printed["predictions"][0]
    assert list(prediction["scores"]) == [UNSEEN, UNSEEN + "2"]
    assert not set(done.stdout.decode(encoding)) & set(UNSEEN) - set(map(chr, range(32, 127)))
    assert do([*program, "predict", named, MARKUP], env=environment).returncode == 0


@pytest.mark.parametrize(
    ("problem_type", "values", "written"),
    [
        ("regression", {"LABEL_0": 2.5}, ["2.50"]),
        ("regression", {"quality": -2.5}, ["quality", "-2.50"]),
        ("regression", {"width": 1.0, "height": 2.0}, ["width", "1.00", "height", "2.00"]),
        ("single_label_classification", {"LABEL_0": 0.25, "LABEL_1": 0.75}, ["LABEL_1", "0.75"]),
    ],
)
def test_a_regression_is_a_value_with_its_own_name_or_none(problem_type, values, written):
    config = ModelConfig(tuple(values), problem_type, 10, 0, 10)
    label, score = max(values.items(), key=lambda pair: pair[1])
    assert columns(Prediction(label, score, values), config, digits=2) == written


def test_correlations_are_no_per_cent():
    assert scores({"pearson": 0.8741, "matthews": -0.5, "accuracy": 0.8741, "f1": 1}) == (
        "pearson 0.874, matthews -0.500, accuracy 87.4, f1 100.0"
    )


@pytest.mark.parametrize(("program", "unbuffered"), [(EDGE, ""), (RUNTIME, "1")], ids=["edge", "runtime"])
def test_standard_output_that_fails(goods, program, unbuffered):
    command = " ".join(map(str, [*program, "predict", goods / "deployment", "text"]))
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}

    def shell(redirected):
        done = do(["bash", "-c", f"{command} {redirected}"], env=environment, text=True)
        return done.returncode, done.stdout, done.stderr

    assert shell(">/dev/full") == (
        1,
        "",
        "error: cannot write to standard output: No space left on device; redirect it to another place\n",
    )
    assert shell(">&-") == (
        1,
        "",
        "error: standard output is closed; redirect it to a file or /dev/null\n",
    )
    assert shell("| true; exit ${PIPESTATUS[0]}") == (141, "", "")
    code, printed, _ = shell("2>&- <&-")
    assert (code, printed.endswith("text\n")) == (0, True)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"\xff\n", "line 1 of standard input is not UTF-8; send JSON lines in UTF-8"),
        (b"{\n", "line 1 of standard input is not JSON (Expecting property name"),
        (b"[]\n", 'line 1 of standard input needs "texts", a list of texts; send one'),
        (b'{"texts": ["\\ud800"]}\n', 'line 1 of standard input needs "texts", a list of texts; send one'),
        (
            b'{"texts": ["a"], "pairs": 1}\n',
            'line 1 of standard input needs "pairs", a list of texts or',
        ),
    ],
)
def test_requests_that_are_wrong(goods, line, message):
    done = do([*RUNTIME, "classifier", goods / "deployment"], input=line)
    assert (done.returncode, done.stdout) == (2, b"")
    (complaint,) = done.stderr.decode().splitlines()
    assert complaint.startswith(f"error: {message}")


def stopped(command, folder, pattern, signals, cwd):
    """Exit code and last line of a command that gets signals once it has made a folder."""
    environment = {**os.environ, "TMPDIR": str(folder)}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment, cwd=cwd) as process:
        try:
            while not list(folder.glob(pattern)):
                assert process.poll() is None
                time.sleep(0.01)
            time.sleep(0.3)  # until whoever made it minds it
            for number in signals:
                process.send_signal(number)
                time.sleep(0.05)
            complaints = process.communicate(timeout=60)[1].splitlines()
        finally:
            process.kill()
    assert [line for line in complaints[:-1] if "..." not in line] == []
    assert not list(folder.glob("kaprune-*")) and not list(folder.glob(".new.scratch"))
    return process.returncode, complaints[-1]


@pytest.mark.parametrize(
    ("signals", "code", "message"),
    [
        ([signal.SIGTERM], 143, "error: stopped by SIGTERM"),
        ([signal.SIGHUP], 129, "error: stopped by SIGHUP"),
        ([signal.SIGINT, signal.SIGINT], 130, "error: stopped"),
    ],
)
def test_signals_leave_a_line_and_no_folder(place, tmp_path, signals, code, message):
    bench = [*EDGE, "bench", "deployment", "--sequence-length", "16", "--rounds", "9999"]
    assert stopped(bench, tmp_path, "kaprune-bench-*", signals, place) == (code, message)


def test_two_interrupts_of_an_export(place):
    command = [*EDGE, "export", "model", "-o", "new"]
    assert stopped(command, place, ".new.scratch", [signal.SIGINT] * 2, place) == (130, "error: stopped")
    assert not (place / "new").exists()


def test_proposed_commands_are_quoted(place, run):
    said = run("kaprune-edge export model -o 'my $(new)'").out.splitlines()[-1]
    assert said == "next: kaprune-edge bench 'my $(new)' --baseline tinybert-4l-312d"
    said = run("kaprune-edge export model -o ./-odd\x1b").out.splitlines()[-1]
    assert said == r"next: kaprune-edge bench $'./-odd\x1b' --baseline tinybert-4l-312d"


def test_a_log_is_never_silent_for_long(monkeypatch, capsys):
    monkeypatch.setattr(console, "SILENCE", 0.2)
    with console.progress() as log:
        log.start("train", 10)
        log.advance(1)
        time.sleep(1)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "train ..."
    assert 3 <= lines.count("train ... 1/10") <= 6
    time.sleep(0.5)
    assert capsys.readouterr().err == ""
