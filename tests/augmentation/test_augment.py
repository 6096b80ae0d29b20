"""Augmented files: what stands in them, and that only the recipe decides it."""

import json
import re
import signal
import string
import subprocess
import sys
import time

import numpy as np
import pytest
import tiny
import torch
from transformers import AutoModelForMaskedLM, AutoModelForSequenceClassification, AutoTokenizer

from kaprune_edge.artifacts import interrupted
from kaprune_edge.augmentation import AugmentRecipe, augment
from kaprune_edge.tasks import load_task
from kaprune_runtime.errors import InputError

K = 15
WHOLE_WORDS = {*string.ascii_lowercase, *(word for word in " ".join(tiny.CORPUS).split() if word.isalpha())}
SINGLE, PIECES = ("warm", "dull", "film", "plot"), ("nice", "bored")


@pytest.fixture(scope="module")
def masked(tmp_path_factory):
    """A checkpoint of a tiny BERT with a language-model head."""
    folder = tmp_path_factory.mktemp("masked")
    tokenizer = tiny.make_tokenizer("bert")
    tokenizer.add_special_tokens({"mask_token": "[MASK]"})
    torch.manual_seed(7)
    config_class, shape = tiny.CONFIGS["bert"]
    config = config_class(**shape, vocab_size=len(tokenizer), initializer_range=0.3)
    AutoModelForMaskedLM.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


@pytest.fixture
def task(tmp_path):
    """Write labelled rows; returns the task's specification."""

    def write(*rows):
        file = tmp_path / "rows.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return f"jsonl:{file},{file}"

    return write


@pytest.fixture
def made(tmp_path):
    """Augment and read the file back."""

    def make(name="out.jsonl", *, workers=1, **recipe):
        file = augment(AugmentRecipe(**recipe), tmp_path / name, workers=workers).file
        return [json.loads(line) for line in file.read_text().splitlines()]

    return make


@pytest.fixture
def copies_of(task, made):
    """Make copies of one text."""

    def copy(text, copies, **recipe):
        spec = task({"text": text, "label": "a"}, {"text": "no", "label": "b"})
        return [row["text"] for row in made(task=spec, copies=copies, **recipe)[1 : copies + 1]]

    return copy


def replacements(text, copies):
    """What took the place of each word in any copy; everything else must be as it was."""
    pattern = re.compile(re.sub(r"[a-zA-Z]+", r"(\\w+)", text))
    found = [pattern.fullmatch(copy).groups() for copy in copies]
    words = re.findall("[a-zA-Z]+", text)
    return {word: {*column} - {word} for word, column in zip(words, zip(*found, strict=True), strict=True)}


def test_words_of_one_piece_come_from_the_masked_model(masked, copies_of):
    text = "the film is warm , 3 brothers !"
    seen = replacements(text, copies_of(text, 300, model=masked))

    model = AutoModelForMaskedLM.from_pretrained(masked).eval()
    tokenizer = AutoTokenizer.from_pretrained(masked)
    for word in ("the", "film", "is", "warm", "brothers"):
        inputs = tokenizer(re.sub(rf"\b{word}\b", "[MASK]", text), return_tensors="pt")
        place = inputs["input_ids"][0].tolist().index(tokenizer.mask_token_id)
        with torch.no_grad():
            logits = model(**inputs).logits[0, place]
        ranked = tokenizer.convert_ids_to_tokens(logits.argsort(descending=True))
        best = [token for token in ranked if token in WHOLE_WORDS and token != word][:K]
        assert seen[word] == set(best), word


@pytest.mark.parametrize("model_type", ["masked", "bert", "electra"])
def test_other_words_come_from_their_neighbours(model_type, masked, checkpoint, copies_of):
    """Without a language-model head, all words do."""
    model = masked if model_type == "masked" else checkpoint(model_type)
    words = PIECES if model_type == "masked" else PIECES + SINGLE
    text = " ".join(words)
    seen = replacements(text, copies_of(text, 300, model=model))

    tokenizer = AutoTokenizer.from_pretrained(model)
    table = AutoModelForSequenceClassification.from_pretrained(model).get_input_embeddings().weight
    table = table.detach().numpy().astype(np.float64)
    known = sorted(WHOLE_WORDS & set(tokenizer.get_vocab()))
    vectors = np.stack([table[tokenizer.convert_tokens_to_ids(word)] for word in known])
    for word in words:
        vector = table[tokenizer(word, add_special_tokens=False)["input_ids"]].mean(0)
        cosine = vectors @ vector / np.linalg.norm(vectors, axis=1)
        nearest = [known[place] for place in (-cosine).argsort() if known[place] != word]
        assert seen[word] == set(nearest[:K]), word


def test_neighbours_by_glove(checkpoint, copies_of, tmp_path):
    rng = np.random.default_rng(0)
    words = [*(f"word{letter}" for letter in string.ascii_lowercase), "Film", "film", "4x", ","]
    vectors = rng.normal(size=(len(words), 5)).round(4)
    glove = tmp_path / "glove.txt"
    lines = [f"{word} {' '.join(map(str, row))}\n" for word, row in zip(words, vectors, strict=True)]
    glove.write_text("".join(lines))
    text = "Film unheard worda"
    seen = replacements(text, copies_of(text, 300, model=checkpoint(), glove=str(glove)))
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    for word in ("Film", "worda"):
        nearest = [words[place] for place in (-unit @ unit[words.index(word)]).argsort()]
        others = [near for near in nearest if near.isalpha() and near.lower() != word.lower()]
        assert seen[word] == set(others[:K])
    assert seen["unheard"] == set()


@pytest.mark.parametrize(("chosen", "share"), [({}, 0.4), ({"replaced_share": 0.15}, 0.15)])
def test_the_share_of_words_asked_for_is_replaced(chosen, share, masked, copies_of):
    text = "a dull plot and flat acting"
    copies = copies_of(text, 1000, model=masked, **chosen)
    changed = np.array([copy.split() for copy in copies]) != np.array(text.split())
    assert changed.mean() == pytest.approx(share, abs=0.03)  # 4.7 standard deviations of 6,000 draws, or more
    assert changed.mean(axis=0) == pytest.approx(share, abs=0.08)


def test_contractions_numbers_and_marks_stay(masked, copies_of):
    text = "it's 4x 2001 don't -- n't ' 7"
    assert set(copies_of(text, 50, model=masked)) == {text}


def test_pairs_of_texts_and_labels_keep_their_places(masked, task, made):
    pairs = [{"sentence1": "the film", "sentence2": f"a story {n}", "label": n} for n in (0, 1, 2)]
    rows = made(task=task(*pairs), model=masked, copies=40)
    for n, pair in enumerate(pairs):
        group = rows[41 * n : 41 * n + 41]
        assert group[0] == {**pair, "label": str(n)}
        assert {row["label"] for row in group} == {str(n)}
        for column in ("sentence1", "sentence2"):
            assert all(replacements(pair[column], [row[column] for row in group]).values())


@pytest.mark.parametrize(
    "labels", [("b", "a"), ("2", "10"), ("0.5", "3.0")], ids=["names", "numbers", "values"]
)
def test_the_file_is_a_task_of_the_same_labels(labels, masked, task, made, tmp_path):
    spec = task(*({"text": "the film", "label": label} for label in labels))
    made(task=spec, model=masked, copies=3)
    original, read = load_task(spec), load_task(f"jsonl:{tmp_path}/out.jsonl,{tmp_path}/rows.jsonl")
    assert read.label_names == original.label_names
    assert read.train["label"] == [label for label in original.train["label"] for _ in range(4)]


def test_classes_that_would_be_renumbered_are_written_as_numbers(masked, made, tmp_path):
    """GLUE has `unacceptable` before `acceptable`; names in a file go by the alphabet."""
    for name in ("train", "dev"):
        (tmp_path / f"{name}.tsv").write_text("x\t0\t*\tfilm the\nx\t1\t\tthe film\n")
    rows = made(task=f"glue/cola:{tmp_path}", model=masked, copies=1)
    assert [row["label"] for row in rows] == [0, 0, 1, 1]


def test_a_teacher_labels_the_copies(masked, checkpoint, task, made):
    teacher = checkpoint()
    spec = task({"text": "a dull plot and flat acting", "label": "a"}, {"text": "the film", "label": "b"})
    rows = made(task=spec, model=masked, copies=30, teacher=teacher)
    model = AutoModelForSequenceClassification.from_pretrained(teacher).eval()
    tokenizer = AutoTokenizer.from_pretrained(teacher)
    for start, label in ((0, "a"), (31, "b")):
        assert rows[start]["label"] == label
        for row in rows[start + 1 : start + 31]:
            with torch.no_grad():
                logits = model(**tokenizer(row["text"], return_tensors="pt")).logits[0]
            assert row["label"] == "ab"[int(logits.argmax())]


def test_the_seed_alone_decides(masked, task_spec, tmp_path):
    def content(name, workers, **changes):
        recipe = AugmentRecipe(task=task_spec, model=masked, copies=3, **changes)
        return augment(recipe, tmp_path / name, workers=workers).file.read_bytes()

    first = content("first", 1)
    assert content("threads", 3) == first
    assert content("other", 1, seed=1) != first


def test_a_killed_run_resumes_to_the_same_bytes(masked, tmp_path):
    rows = tmp_path / "rows.jsonl"
    lines = [json.dumps({"text": tiny.CORPUS[row % 4], "label": row % 2}) + "\n" for row in range(2000)]
    rows.write_text("".join(lines))
    recipe = AugmentRecipe(task=f"jsonl:{rows},{rows}", model=masked, copies=4)
    output = tmp_path / "killed.jsonl"
    options = ["--model", masked, "--copies", "4", "--output", str(output)]
    command = [sys.executable, "-m", "kaprune_edge_cli", "augment", recipe.task, *options]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    partial = interrupted(output) / output.name
    while not (partial.exists() and partial.stat().st_size):
        assert process.poll() is None, "finished before it could be killed"
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not output.exists()
    with partial.open("ab") as file:
        file.write(b'{"text": "half a li')
    with pytest.raises(InputError, match="begun with other options"):
        augment(recipe.model_copy(update={"seed": 1}), output, resume=True)
    augment(recipe, output, resume=True)
    assert output.read_bytes() == augment(recipe, tmp_path / "whole.jsonl").file.read_bytes()
    assert not partial.parent.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"cannot read .*glove.txt \(No such file or directory\); give a GloVe file of word vectors"),
        ("film 0.1 0.2\nplot 0.3\n", "glove.txt is no GloVe file: a line must be a word and its numbers"),
        ("film one two\n", "glove.txt is no GloVe file"),
        ("", "glove.txt is no GloVe file"),
    ],
)
def test_bad_vectors(content, message, checkpoint, task_spec, tmp_path):
    glove = tmp_path / "glove.txt"
    if content is not None:
        glove.write_text(content)
    recipe = AugmentRecipe(task=task_spec, model=checkpoint(), glove=str(glove))
    with pytest.raises(InputError, match=message):
        augment(recipe, tmp_path / "out.jsonl")
    assert not interrupted(tmp_path / "out.jsonl").exists()


def test_a_vocabulary_without_words_is_refused(checkpoint, task_spec, tmp_path):
    with pytest.raises(InputError, match="holds no whole words to put in; name another model"):
        augment(AugmentRecipe(task=task_spec, model=checkpoint("roberta")), tmp_path / "out.jsonl")
