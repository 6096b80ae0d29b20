import json

import graphs
import numpy as np
import onnx_ir as ir
import pytest
import tiny
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
from transformers import AutoConfig, AutoTokenizer, PreTrainedTokenizerFast

from kaprune_edge.export import export_model, to_onnx
from kaprune_edge.export.vocabulary import renumber
from kaprune_runtime import Classifier, InputError

KNOWN = ["the plot of the film is dull", "a funny story , not worth the price !"]
NEW = ["an evening in a warm cinema", "two brothers acting"]


def make_tokenizer(model_type):
    """The tiny tokenizer with its special tokens last, but for those up to padding; RoBERTa's with merges."""
    if model_type == "roberta":
        return train_roberta_tokenizer()
    tokenizer = tiny.make_tokenizer(model_type)
    first, special, size = tokenizer.pad_token_id + 1, len(tokenizer.all_special_ids), len(tokenizer)
    order = [*range(first), *range(special, size), *range(first, special)]
    moved = renumber(
        json.loads(tokenizer.backend_tokenizer.to_str()), {old: new for new, old in enumerate(order)}
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(json.dumps(moved)),
        model_input_names=tokenizer.model_input_names,
        **tokenizer.special_tokens_map,
    )


def train_roberta_tokenizer():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    special = {"bos": "<s>", "pad": "<pad>", "eos": "</s>", "unk": "<unk>"}
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=[*special.values()],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(tiny.CORPUS, trainer)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    names = {f"{role}_token": token for role, token in special.items()}
    inputs = ["input_ids", "attention_mask"]
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_input_names=inputs, **names)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """Make a checkpoint whose table has rows to spare; gives it with its model and a corpus."""

    def make(model_type="bert"):
        folder = tmp_path_factory.mktemp(model_type)
        tokenizer = make_tokenizer(model_type)
        separator = {"sep_token_id": tokenizer.sep_token_id} if tokenizer.sep_token else {}
        model = graphs.make_model(model_type, vocab_size=len(tokenizer) + 3, **separator)
        model.save_pretrained(folder / "model")
        tokenizer.save_pretrained(folder / "model")
        (folder / "corpus.txt").write_text("\n\n".join(KNOWN) + "\n", encoding="utf-8")
        return folder / "model", model, folder / "corpus.txt"

    return make


def check(before, model, result):
    """Compare a trimmed deployment with the tokenizer and the model that it was made of."""
    after = AutoTokenizer.from_pretrained(result.folder)
    config = AutoConfig.from_pretrained(result.folder)
    assert result.tokens == config.vocab_size == len(after) < len(before)
    assert after.convert_ids_to_tokens(config.pad_token_id) == after.pad_token
    assert getattr(config, "sep_token_id", None) == after.sep_token_id
    for text in [*KNOWN, *NEW]:
        ids, original = after(text, "film")["input_ids"], before(text, "film")["input_ids"]
        assert letters(after, ids) == letters(before, original)
        assert after.unk_token_id not in ids
        assert text in NEW or len(ids) == len(original)

    batch = before(KNOWN, KNOWN[::-1], padding=True, return_tensors="pt")
    with torch.inference_mode():
        reference = model(**batch).logits
    classifier = Classifier(result.folder)
    np.testing.assert_allclose(classifier.logits(KNOWN, KNOWN[::-1]), reference, atol=1e-4)
    assert np.isfinite(classifier.logits(NEW)).all()
    initializers = ir.load(result.folder / "model.onnx").graph.initializers
    (words,) = (value.const_value for name, value in initializers.items() if "word_embeddings" in name)
    assert words.shape[0] == result.tokens


def letters(tokenizer, ids):
    return "".join(token.removeprefix("##") for token in tokenizer.convert_ids_to_tokens(ids))


@pytest.mark.parametrize("model_type", ["bert", "roberta", "mpnet"])
def test_texts_of_kept_tokens_get_pytorchs_logits(source, tmp_path, model_type):
    folder, model, corpus = source(model_type)
    result = export_model(folder, tmp_path / "new", trim=corpus)
    assert result.parity_error < 1e-4
    check(AutoTokenizer.from_pretrained(folder), model, result)


def test_an_onnx_file(source, tmp_path):
    folder, model, corpus = source()
    ir.save(to_onnx(model), folder / "model.onnx")
    result = export_model(folder / "model.onnx", tmp_path / "new", trim=corpus)
    check(AutoTokenizer.from_pretrained(folder), model, result)


def test_a_file_with_too_small_a_table_is_refused(source, tmp_path):
    folder, model, corpus = source()
    model.resize_token_embeddings(len(make_tokenizer("bert")) - 1)
    ir.save(to_onnx(model), folder / "model.onnx")
    with pytest.raises(InputError, match=r"more tokens than the 78 rows of bert\.embeddings\.word"):
        export_model(folder / "model.onnx", tmp_path / "new", trim=corpus)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot read .*corpus.txt: No such file or directory; name a text file"),
        (b"", "corpus.txt holds no text; give a file with one text a line"),
        (b" \n\n\t\n", "corpus.txt holds no text"),
        (b"caf\xe9\n", "corpus.txt is not UTF-8"),
    ],
)
def test_a_wrong_corpus_is_refused_before_anything_is_loaded(tmp_path, content, message):
    corpus = tmp_path / "corpus.txt"
    if content is not None:
        corpus.write_bytes(content)
    with pytest.raises(InputError, match=message):
        export_model("no-such-model", tmp_path / "new", trim=corpus)
