"""What a person may get wrong: one line that says what to do, the right exit code, nothing left behind."""

import json
import re
from pathlib import Path

import pytest
from safetensors.numpy import load_file, save_file
from transformers import AutoModelForSequenceClassification

TASK = "--task csv:train.csv,eval.csv"
PRUNE = f"kaprune-edge prune model {TASK} --max-length 24 -o run"
DISTILL = f"kaprune-edge distill model {TASK} --max-length 24 -o run"
EXPORT = "kaprune-edge export model -o new"
EVALUATE = f"kaprune-edge evaluate model {TASK}"
BENCH = "kaprune-edge bench deployment --sequence-length 16 --rounds 1"
PREDICT = "kaprune-edge predict deployment text"
RUNTIME = "kaprune_runtime predict deployment text"
NOT_UTF8 = "'\udcff\u202e'"


def write(name, content):
    return lambda: Path(name).write_text(content)


def edit(name, **changes):
    return lambda: Path(name).write_text(json.dumps({**json.loads(Path(name).read_text()), **changes}))


def truncate(name):
    return lambda: Path(name).write_bytes(Path(name).read_bytes()[:-50])


def delete(*names):
    return lambda: [Path(name).unlink() for name in names]


def lack(prefix):
    """Take weights out of the checkpoint."""

    def lack():
        weights = load_file("model/model.safetensors")
        kept = {name: weight for name, weight in weights.items() if not name.startswith(prefix)}
        save_file(kept, "model/model.safetensors", metadata={"format": "pt"})

    return lack


def make_shallow():
    """A classifier of one layer, where the model has two."""
    model = AutoModelForSequenceClassification.from_pretrained("model", num_hidden_layers=1)
    model.save_pretrained("shallow")


TOKENIZER = ("model/tokenizer.json", "model/tokenizer_config.json")
CASES = [
    # The command line itself.
    (None, "kaprune-edge prun", "No such command 'prun'.*; see kaprune-edge --help"),
    (None, "kaprune-edge prune model", "Missing option '--output' / '-o'; see kaprune-edge prune --help"),
    (None, f"{PRUNE} --sparsty 0.9", "No such option.*--sparsty.*; see kaprune-edge prune --help"),
    (None, f"{PRUNE} --sparsity high", "Invalid value for '--sparsity'.*; see kaprune-edge prune --help"),
    (
        None,
        "kaprune-edge predict deployment -bad",
        "No such option: -b; .* begins with a dash goes after --",
    ),
    (None, "kaprune-edge predict deployment --threds 2 text", "No such option: --threds; .*--threads"),
    (None, "kaprune-edge predict deployment text --pair", "'--pair' requires an argument; see kaprune-edge"),
    (
        None,
        f"kaprune-edge predict deployment {NOT_UTF8}",
        r"\\xff\\u202e is not UTF-8; write it",
    ),
    (
        None,
        f"kaprune_runtime predict deployment {NOT_UTF8}",
        r"\\xff\\u202e is not UTF-8; write it",
    ),
    (None, "kaprune-edge predict 'a\x1b]0;b\x07\u202e' c", r"a\\x1b\]0;b\\x07\\u202e is not a folder; give"),
    (None, "kaprune-edge predict 'two\nlines' c", r"two\\nlines is not a folder; give a deployment"),
    (None, "kaprune-edge predict deployment", "Missing argument 'text'; see kaprune-edge predict"),
    (None, "kaprune-edge demo --output model", "model exists; choose another --output or delete it"),
    (None, "kaprune-edge doctor now", "unexpected extra argument.*; see kaprune-edge doctor --help"),
    # Models.
    (None, f"kaprune-edge prune ./absent {TASK} -o run", r"\./absent is not a folder; name a Hugging"),
    (
        None,
        f"kaprune-edge prune no/such-model {TASK} -o run",
        "nor a model that the hub gave; check the name",
    ),
    (None, f"kaprune-edge prune {TASK} -o run", "model is missing; give it on the command line or"),
    (delete("model/config.json"), PRUNE, "model holds no config.json; name a Hugging Face checkpoint folder"),
    (write("model/config.json", '{"model_type": "b'), PRUNE, "model/config.json is damaged: it is not"),
    (
        edit("model/config.json", hidden_size="wide"),
        PRUNE,
        "config.json is damaged.*'hidden_size' expected int",
    ),
    (
        edit("model/config.json", model_type="gpt2"),
        PRUNE,
        "'gpt2' .* is not supported; use one of: bert, distilbert, electra, mpnet, roberta",
    ),
    (edit("model/config.json", model_type="brett"), PRUNE, "'brett' .* is not supported; use one of"),
    (truncate("model/model.safetensors"), PRUNE, "model.safetensors is damaged .*; fetch"),
    (delete("model/model.safetensors"), EXPORT, "weights in model are missing; put"),
    (delete(*TOKENIZER), PRUNE, "model holds no tokenizer; add its tokenizer.json"),
    (write(TOKENIZER[0], "{}"), PRUNE, "tokenizer in model is damaged; fetch the checkpoint again"),
    (
        edit("model/config.json", id2label={0: "a", 1: "b", 2: "c"}),
        EVALUATE,
        "classifier beside model/config.json has 2 rows, but that names 3 labels",
    ),
    (lack("classifier"), EVALUATE, "no weights that fit classifier.bias; name a checkpoint fine"),
    (lack("classifier"), DISTILL, "no weights that fit classifier.bias; name a checkpoint fine"),
    (
        lack("bert.encoder.layer.1"),
        PRUNE,
        "says 2 layers, the weights beside it have 1; fetch the checkpoint again",
    ),
    (lack("classifier"), EXPORT, "model has no weights that fit classifier.bias; name a checkpoint fine"),
    (None, f"{PRUNE} --max-length 100", "the model takes 8 to 42 tokens, not 100; change --max-length"),
    (
        make_shallow,
        f"{PRUNE} --teacher shallow",
        "model's num_hidden_layers is 2, its teacher's 1; name one made from this model",
    ),
    # Tasks.
    (None, "kaprune-edge prune model -o run", "task is missing; give it on the command line or"),
    (None, "kaprune-edge evaluate model --task imdb", "unknown task 'imdb'; use glue/NAME, .*csv:TRAIN,"),
    (None, "kaprune-edge evaluate model --task glue/sts", "GLUE has no task 'sts'; its tasks are cola, "),
    (None, "kaprune-edge evaluate model --task glue/rte:.", r"glue/rte needs train.tsv .*; give the fold"),
    (delete("eval.csv"), PRUNE, "there is no file eval.csv; check the path"),
    (write("eval.csv", ""), EVALUATE, "eval.csv is empty; give a file with rows"),
    (
        write("train.csv", "review,label\nfine,good\n"),
        PRUNE,
        "train.csv has no text column, only .*; name it",
    ),
    (
        write("train.csv", "text,label\nfine,good\n"),
        PRUNE.replace("eval", "train"),
        "all have the same label; give rows of",
    ),
    (write("eval.csv", "text,label\nfine,great\n"), EVALUATE, "unknown label 'great'; it must be one of bad"),
    (
        write("train.csv", "review,stars\nfine,good\n"),
        f"{PRUNE.replace('eval', 'train')} --text-column review",
        "has no column 'label', only 'review', 'stars'; name the one with the labels by --label-column",
    ),
    (
        write("eval.csv", "review,label\nfine,good\n"),
        EVALUATE,
        "eval.csv has no column 'text', only 'review', 'label'; name the one with the texts by --text-column",
    ),
    (
        None,
        f"{DISTILL} --text-column text --text-column Text",
        "column 'text' is named twice; texts and labels",
    ),
    (None, f"{EVALUATE} --text-column text --label-column text", "column 'text' is named twice"),
    (
        None,
        "kaprune-edge evaluate model --task tags:train.csv,eval.csv --text-column text",
        "tags:train.csv,eval.csv has columns of its own; leave out --text-column and --label-column",
    ),
    (None, f"{BENCH} --text-column text", "would change nothing without a task; name it or leave them out"),
    (None, f"{EXPORT} --label-column stars", "would change nothing without a task; name it or leave them"),
    (
        None,
        "kaprune-edge augment csv:train.csv --model model -o new",
        r"has 2 different texts, too few to split \(at least 10\); give more, or two files, csv:TRAIN,EVAL",
    ),
    *(
        (
            write("texts.txt", "fine\n"),
            line,
            "texts:texts.txt has no labels, which only compress with a fine-tuned model can do without; give",
        )
        for line in (
            "kaprune-edge prune model --task texts:texts.txt -o run",
            "kaprune-edge distill model --task texts:texts.txt -o run",
            "kaprune-edge augment texts:texts.txt --model model -o new",
            "kaprune-edge evaluate model --task texts:texts.txt",
            "kaprune-edge export model --quantize int8 --calibrate texts:texts.txt -o new",
            f"{BENCH} --task texts:texts.txt",
        )
    ),
    (
        write("texts.xls", "fine\n"),
        "kaprune-edge compress model --task texts:texts.xls -o new",
        "what texts.xls holds cannot be told by its name; end it in one of .txt, .csv",
    ),
    (None, f"{PRUNE} --train-rows 99", "16 training rows, not 99; ask for 1 to 16"),
    (None, f"{PRUNE} --unlabelled more.txt", "there is no file more.txt; check the path"),
    (write("more.txt", " \n"), f"{PRUNE} --unlabelled more.txt", "more.txt is empty; give a file with rows"),
    # Numbers, patterns, students.
    (None, f"{PRUNE} --sparsity 1.0", "sparsity is 1.0; it should be less than 1"),
    (None, f"{PRUNE} --sparsity -0.1", "sparsity is -0.1; it should be greater than or equal to 0"),
    (None, f"{PRUNE} --sparsity nan", "sparsity is nan; it should be a finite number"),
    (None, f"{PRUNE} --pattern 3x1", "pattern 3x1 does not divide a 32 x 32 matrix; choose a block"),
    (None, f"{PRUNE} --pattern 7:3", "unknown pattern '7:3'; use unstructured, RxC such as 4x1, or N:M"),
    (None, f"{PRUNE} --pattern zebra", "unknown pattern 'zebra'; use unstructured, RxC such as 4x1"),
    (None, f"{PRUNE} --pattern 2:4 --sparsity 0.9", "pattern 2:4 needs sparsity 0.5, not 0.9"),
    (None, f"{PRUNE} --schedule slow", "schedule.course is 'slow'; it should be 'cubic' or 'linear'"),
    (None, f"{PRUNE} --epochs 0", "training.epochs is 0.0; it should be greater than 0"),
    (None, f"{PRUNE} --epochs inf", "training.epochs is inf; it should be a finite number"),
    (None, f"{PRUNE} --batch-size 0", "training.batch_size is 0; it should be greater than or equal to 1"),
    (None, f"{PRUNE} --max-length 0", "training.max_length is 0; it should be greater than or equal to 8"),
    (None, f"{DISTILL} --student huge", "unknown student 'huge'; use tinybert-4l-312d, .*LAYERSxWIDTH"),
    (None, f"{DISTILL} --student 3x16", "student 3x16 has 3 layers, its teacher only 2; choose fewer"),
    (None, f"{DISTILL} --student 1x18", "18 is not a multiple of .*4 attention heads; use 1x16"),
    # Options that would change nothing.
    (
        None,
        f"{PRUNE} --one-shot --epochs 5",
        "training.epochs would change nothing: one-shot",
    ),
    (
        None,
        f"{PRUNE} --one-shot --learning-rate 1e-3",
        "training.learning_rate would change nothing",
    ),
    (
        None,
        f"{PRUNE} --teacher model --teacher-epochs 2",
        "teacher_training.epochs would change nothing",
    ),
    (
        None,
        f"{PRUNE} --latency-budget 5 --sparsity 0.5",
        "sparsity would change nothing",
    ),
    (
        None,
        f"{PRUNE} --replaced-share 0.2",
        "replaced_share would change nothing",
    ),
    (
        None,
        f"{DISTILL} --augment 0 --replaced-share 0.2",
        "replaced_share would change nothing",
    ),
    (None, f"{EXPORT} --calibrate gone", "nothing to calibrate; add --quantize int8"),
    (None, f"{PREDICT} --null-threshold 0", "deployment is for text-classif.* no --null-threshold; leave it"),
    (
        None,
        f"{PREDICT} --question why",
        "deployment is for .* and takes no --question; leave",
    ),
    (None, f"{PREDICT} --device-python python4", "python4 is for another machine; name that with --device"),
    (
        None,
        f"{RUNTIME} --null-threshold 0",
        "deployment is for .* and takes no --null-thres",
    ),
    # Recipes.
    (None, f"{PRUNE} --recipe r.yaml", "cannot read recipe r.yaml: No such file"),
    (write("r.yaml", "a: [1"), f"{PRUNE} --recipe r.yaml", "r.yaml is not YAML; see docs/prune.md"),
    (write("r.yaml", "0.9"), f"{PRUNE} --recipe r.yaml", "r.yaml holds no recipe; it must be a mapping"),
    (
        write("r.yaml", "sparcity: 0.9"),
        f"{PRUNE} --recipe r.yaml",
        "sparcity is unknown; the fields there are task, .* sparsity",
    ),
    (
        write("r.yaml", "training: {rate: 1}"),
        f"{PRUNE} --recipe r.yaml",
        "training.rate is unknown; the fields there are epochs, learning_rate",
    ),
    (
        write("r.yaml", "sparsity: most"),
        f"{PRUNE} --recipe r.yaml",
        "sparsity is 'most'; it should be a valid number",
    ),
    (
        write("r.yaml", "training: 5"),
        f"{PRUNE} --recipe r.yaml --epochs 1",
        "training is 5; it should be a valid dictionary",
    ),
    # Outputs.
    (None, "kaprune-edge export model -o deployment", "deployment exists; choose another --output"),
    (
        None,
        f"kaprune-edge prune model {TASK} -o model",
        "model is what the output is made from; choose another",
    ),
    (None, "kaprune-edge export model -o train.csv/new", "train.csv is a file; choose another --output"),
    (None, f"{PRUNE} --resume", "no interrupted run for run; start it without --resume"),
    (
        None,
        f"{BENCH} --json model",
        "'--json': file 'model' is a directory; see kaprune-edge bench --help",
    ),
    (None, f"{EXPORT} --target riscv", "unknown target 'riscv'; choose from x86-64, .* portable"),
    (None, f"{EXPORT} --embeddings int2", "unknown embeddings 'int2'; choose from int8, int4"),
    (None, f"{EXPORT} --calibrate csv:train.csv,eval.csv", "nothing to calibrate; add --quantize int8"),
    (
        None,
        f"{EXPORT} --quantize int8 --calibrate csv:train.csv,eval.csv",
        "no matrix is sparse enough .*; leave out --calibrate",
    ),
    (None, f"{EXPORT} --quantize int8 --calibrate imdb", "unknown task 'imdb'; use glue/NAME, .*csv:TRAIN,"),
    (
        write("train.csv", "review,label\nfine,good\n"),
        f"{EXPORT} --quantize int8 --calibrate csv:train.csv,eval.csv",
        "train.csv has no text column, only .*; name it",
    ),
    (None, f"{EXPORT} --trim-vocabulary gone.txt", "cannot read gone.txt: No such file"),
    (None, f"{EXPORT} --library train.csv", "train.csv is no library for x86-64; change --library or"),
    (None, "kaprune-edge export gone.onnx -o new", "gone.onnx does not exist; name an ONNX file"),
    # Deployments.
    (None, "kaprune-edge predict absent text", "absent is not a folder; give a deployment"),
    (truncate("deployment/model.onnx"), PREDICT, "model.onnx is not the file .*copy or export it again"),
    (delete("deployment/tokenizer.json"), PREDICT, "deployment holds no tokenizer.json; give a deployment"),
    (write("deployment/kaprune.json", "{"), PREDICT, "kaprune.json is not readable JSON .*; copy or export"),
    (edit("deployment/kaprune.json", format_version=9), PREDICT, "format version 9.*; upgrade kaprune-edge-"),
    (None, f"{PREDICT} --threads 0", "0 threads cannot run anything; give 1 or more"),
    (None, f"{PREDICT} two --pair one", "2 texts have 1 second texts; give as many of both"),
    (None, f"{EVALUATE} --max-length 0", "the model takes 8 to 42 tokens, not 0; change --max-length"),
    (
        None,
        f"kaprune-edge evaluate deployment {TASK} --max-length 0",
        "takes 3 to 42 tokens, not 0; change the maximum length",
    ),
    (None, f"{BENCH} --baseline albert", "unknown baseline 'albert'; use tinybert-4l-312d, "),
    (None, f"{BENCH} --device moon", "unknown device 'moon'; use local"),
    (None, f"{BENCH} --threads 0", "0 threads cannot run anything; give 1 or more"),
    (None, f"{BENCH} --threads 1000000", r"the machine has \d+ cores; give 1 to \d+ threads"),
    (None, f"{BENCH} --batch-size 0", "a batch of 0 texts is impossible; give 1 or more"),
    (None, f"{BENCH} --sequence-length 99", "takes 1 to 42 tokens, not 99; change --sequence-length"),
    (None, f"{BENCH} --rounds 0", "0 rounds of 5 runs measure nothing; give 1 or more of both"),
    (None, f"{BENCH} --json eval.csv", "eval.csv exists; choose another --json or delete it"),
    (None, f"{BENCH} --json {'x' * 300}", "cannot write x+: File name too long; choose another --json"),
    (
        None,
        f"{BENCH} --json absent/figures.json",
        "absent/figures.json: No such .*; choose another --json",
    ),
    (delete("deployment/model.onnx"), BENCH, "deployment holds no model.onnx; give a deployment"),
    # The runtime's own commands.
    (None, "kaprune_runtime", "arguments are required.*; see .* --help"),
    (None, "kaprune_runtime predict deployment", "arguments are required: text; see .* predict --help"),
    (None, "kaprune_runtime predict absent text", "absent is not a folder; give a deployment"),
    (None, f"{RUNTIME} --provider TPU", "this onnxruntime has no TPU; choose from .*CPUExecutionProvider"),
    (None, f"{RUNTIME} --threads two", "argument --threads: invalid int value: 'two'; see "),
    (truncate("deployment/model.onnx"), RUNTIME, "model.onnx is not the file .*copy or export it again"),
    (None, "kaprune_runtime latency deployment --runs 0", "0 runs.*; give 1 or more"),
]


def contents(folder):
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def complaint(finished):
    """The one line that is neither progress nor a result."""
    assert finished.out == ""
    *progress, line = finished.err.splitlines()
    assert [step for step in progress if not step.endswith(" ...")] == []
    assert line.startswith("error: ")
    return line


@pytest.mark.parametrize(("spoil", "line", "message"), CASES, ids=[case[-1] for case in CASES])
def test_bad_input(place, run, spoil, line, message):
    if spoil is not None:
        spoil()
    before = contents(place)
    finished = run(line)
    assert re.search(message, complaint(finished)), finished.err
    assert finished.code == 2
    assert contents(place) == before
