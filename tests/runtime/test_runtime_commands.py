import json
import subprocess
import sys

import pytest

from kaprune_runtime import Classifier


def runtime(*arguments, stdin=""):
    command = [sys.executable, "-m", "kaprune_runtime", *map(str, arguments)]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60)


def test_importing_loads_no_training_framework():
    code = (
        "import sys, kaprune_runtime.__main__ as m\n"
        "print([n for n in ('torch', 'transformers', 'onnx', 'kaprune_edge') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_predict_prints_what_the_classifier_says(tiny):
    folder = tiny().folder
    texts, pairs = ["a lovely film", "dull"], ["yes", "no"]
    expected = Classifier(folder)(texts, pairs)
    done = runtime("predict", folder, *texts, "--pair", "yes", "--pair", "no", "--json")
    printed = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["text"] for line in printed] == texts
    assert [line["scores"] for line in printed] == [prediction.scores for prediction in expected]
    label, score, text = runtime("predict", folder, texts[0]).stdout.rstrip("\n").split("\t")
    assert (label, text) == (Classifier(folder)(texts[:1])[0].label, texts[0])
    assert 0.5 <= float(score) <= 1


def test_latency_prints_its_figures(tiny):
    done = runtime("latency", tiny().folder, "--sequence-length", 20, "--runs", 5, "--json")
    figures = json.loads(done.stdout)
    assert 0 < figures["median_ms"] <= figures["p90_ms"] <= figures["p99_ms"]
    assert figures["peak_memory_mb"] > 10


def test_a_worker_answers_each_line_and_ends_with_its_input(tiny):
    done = runtime("worker", tiny().folder, "--sequence-length", 20, stdin='{"runs": 3}\n{"runs": 2}\n')
    loaded, first, second = map(json.loads, done.stdout.splitlines())
    assert loaded["load_seconds"] > 0
    assert (len(first["nanoseconds"]), len(second["nanoseconds"])) == (3, 2)
    assert 0 < first["peak_bytes"] <= second["peak_bytes"]
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["predict", "missing", "text"], "error: missing is not a folder"),
        (["predict", "FOLDER"], "required: text"),
        (["predict", "FOLDER", "text", "--threads", "0"], "error: 0 threads"),
        (["latency", "FOLDER", "--threads", "two"], "invalid int value: 'two'"),
        (["worker", "FOLDER", "--sequence-length", "128"], "not 128; change --sequence-length"),
        ([], "arguments are required"),
    ],
)
def test_a_bad_argument_is_one_line_and_exit_code_2(tiny, arguments, message):
    folder = tiny().folder
    done = runtime(*(folder if argument == "FOLDER" else argument for argument in arguments))
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr.splitlines()[-1]
