"""A model whose outputs are in another order than a task's labels answers as PyTorch says, by name."""

import json
import random

import pytest
import tiny
import torch
from transformers import (
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    AutoTokenizer,
)

from kaprune_edge.checkpoints import load_classifier
from kaprune_edge.export import export_model
from kaprune_edge.recipe import PruneRecipe
from kaprune_edge.tasks import load_task
from kaprune_edge.workflow import evaluate, prune
from kaprune_runtime.errors import InputError

WORDS = sorted(set(" ".join(tiny.CORPUS).split()))
ORDERS = {
    "upper case": ("POSITIVE", "Negative"),
    "nli": ("neutral", "contradiction", "entailment"),
    "twelve": tuple(f"topic {number}" for number in (3, 1, 11, 10, 0, 2, 5, 4, 9, 8, 7, 6)),
}


def write_model(folder, kind, names, head=AutoModelForSequenceClassification):
    """A model that has no favourite among its labels, and rows that are labelled with its own answers."""
    tokenizer = tiny.make_tokenizer(kind)
    model = tiny.make_model(kind, vocab_size=len(tokenizer), label_names=names, head=head)
    draw = random.Random(5)
    texts = [" ".join(draw.choices(WORDS, k=6)) for _ in range(60)]
    encoded = tokenizer(texts, return_tensors="pt", padding=True)
    rows = model.classifier if hasattr(model.classifier, "bias") else model.classifier.out_proj
    with torch.no_grad():
        logits = model(**encoded).logits
        rows.bias -= logits.reshape(-1, len(names)).mean(0)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    reference = head.from_pretrained(folder)
    with torch.no_grad():
        return texts, reference(**encoded).logits


@pytest.fixture(scope="module", params=[("bert", "twelve"), ("bert", "upper case"), ("roberta", "nli")])
def classified(request, tmp_path_factory):
    kind, name = request.param
    names = ORDERS[name]
    place = tmp_path_factory.mktemp("order")
    texts, logits = write_model(place / "teacher", kind, names)
    answers = [names[index].lower() for index in logits.argmax(1).tolist()]
    rows = [*zip(texts, answers, strict=True)]
    missing = [(WORDS[0], name.lower()) for name in names if name.lower() not in answers]
    for part, content in (("train", rows + missing), ("eval", rows)):
        lines = [json.dumps({"text": text, "label": label}) for text, label in content]
        (place / f"{part}.jsonl").write_text("\n".join(lines) + "\n")
    return place, f"jsonl:{place / 'train.jsonl'},{place / 'eval.jsonl'}", texts, logits, names


def test_its_own_answers_are_right_on_pytorch_and_deployed(classified, tmp_path):
    place, spec, *_ = classified
    assert evaluate(str(place / "teacher"), spec)["metrics"]["accuracy"] == 1
    export_model(place / "teacher", tmp_path / "deployment")
    assert evaluate(str(tmp_path / "deployment"), spec)["metrics"]["accuracy"] == 1


def test_its_rows_are_put_into_the_task_s_order(classified):
    place, spec, texts, logits, names = classified
    task = load_task(spec)
    assert task.label_names != tuple(name.lower() for name in names)
    encoded = AutoTokenizer.from_pretrained(place / "teacher")(texts, return_tensors="pt", padding=True)
    columns = [[name.lower() for name in names].index(label) for label in task.label_names]
    for fine_tuned in (True, False):
        model = load_classifier(str(place / "teacher"), task, fine_tuned=fine_tuned).eval()
        with torch.no_grad():
            torch.testing.assert_close(model(**encoded).logits, logits[:, columns])
        assert tuple(model.config.id2label.values()) == task.label_names


def test_a_run_learns_the_task_s_order(classified, tmp_path):
    place, spec, *_ = classified
    recipe = PruneRecipe(
        model=str(place / "teacher"),
        task=spec,
        teacher=str(place / "teacher"),
        sparsity=0.1,
        criterion="magnitude",
        one_shot=True,
        student_start="teacher",
        training={"max_length": 40},
    )
    run = prune(recipe, tmp_path / "run")
    assert run.metrics["teacher_metrics"]["accuracy"] == 1
    assert run.metrics["metrics"]["accuracy"] > 0.7
    assert evaluate(str(tmp_path / "run"), spec)["metrics"] == run.metrics["metrics"]


def test_tags_in_another_order(tmp_path):
    names = ("O", "I-PER", "B-PER", "B-LOC", "I-LOC")
    texts, logits = write_model(tmp_path / "tagger", "bert", names, AutoModelForTokenClassification)
    sentences = []
    for text, row in zip(texts, logits, strict=True):
        tags = [names[index] for index in row[1 : 1 + len(text.split())].argmax(1).tolist()]
        sentences.append("\n".join(f"{word} {tag}" for word, tag in zip(text.split(), tags, strict=True)))
    (tmp_path / "tags.txt").write_text("\n\n".join(sentences) + "\n")
    spec = f"tags:{tmp_path / 'tags.txt'},{tmp_path / 'tags.txt'}"
    assert load_task(spec).label_names != names
    export_model(tmp_path / "tagger", tmp_path / "deployment")
    for source in ("tagger", "deployment"):
        metrics = evaluate(str(tmp_path / source), spec)["metrics"]
        assert (metrics["f1"], metrics["accuracy"]) == (1, 1)


@pytest.mark.parametrize(
    ("names", "labels", "order"),
    [
        (("LABEL_1", "LABEL_0"), ("bad", "good"), (1, 0)),
        (("label_0", "label_1"), ("bad", "good"), (0, 1)),
        (("0", "1"), ("bad", "good"), (0, 1)),
        (("negative", "positive"), ("0", "1"), (0, 1)),
        (("1", "0"), ("0", "1"), (1, 0)),
        (("LABEL_0", "LABEL_1"), ("1", "2"), (0, 1)),
    ],
)
def test_labels_without_a_name_stand_for_positions(made, tmp_path, names, labels, order):
    task = write_task(tmp_path, labels)
    model = load_classifier(str(made(label_names=names)), task, fine_tuned=True)
    plain = AutoModelForSequenceClassification.from_pretrained(made(label_names=names))
    assert torch.equal(model.classifier.weight, plain.classifier.weight[list(order)])


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        (("cat", "dog"), ("bad", "good")),
        (("negative", "positive"), ("1", "2")),
        (("1", "2"), ("bad", "good")),
        (("good", "GOOD"), ("bad", "good")),
        (("LABEL_0", "good"), ("bad", "good")),
        (("a", "b", "c"), ("a", "b")),
    ],
)
def test_other_names_are_refused_with_both_lists(made, tmp_path, names, labels):
    task = write_task(tmp_path, labels)
    shown = rf"labels \({', '.join(names)}\) but .* has 2 \({', '.join(labels)}\); name a model fine-tuned"
    with pytest.raises(InputError, match=shown):
        load_classifier(str(made(label_names=names)), task, fine_tuned=True)


@pytest.mark.parametrize(
    ("problem_type", "message"),
    [("multi_label_classification", "any number of labels .* has one"), ("regression", "predicts values")],
)
def test_a_model_of_another_problem_is_refused(made, tmp_path, problem_type, message):
    source = made(label_names=("bad", "good"), problem_type=problem_type)
    with pytest.raises(InputError, match=message):
        load_classifier(str(source), write_task(tmp_path, ("bad", "good")), fine_tuned=True)


def write_task(folder, labels):
    (folder / "rows.csv").write_text("text,label\n" + "".join(f"text,{label}\n" for label in labels))
    return load_task(f"csv:{folder}/rows.csv,{folder}/rows.csv")
