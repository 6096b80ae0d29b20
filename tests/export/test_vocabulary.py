"""Trained tokenizers of every kind, cut down to a corpus, against themselves before."""

import json
import random

import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

from kaprune_edge.export.vocabulary import needed_ids, renumber, used_ids
from kaprune_runtime import InputError

SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]
FRAME = processors.TemplateProcessing(
    single="<s> $A </s>", pair="<s> $A </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
)


def make_texts(seed, count):
    """Sentences of words that share syllables, some with a letter or sign that is rare or new."""
    chance = random.Random(seed)
    syllables = ["ba", "lo", "mir", "ten", "su", "gra", "ing", "é", "ed", "un", "kel"]

    def word():
        made = "".join(chance.choices(syllables, k=chance.randint(1, 4)))
        return made + chance.choice(["", "", "", "", "", "", "x", "q9", "!", "漢", "🙂"])

    return [" ".join(word() for _ in range(chance.randint(1, 9))) for _ in range(count)]


def word_piece():
    tokenizer = Tokenizer(models.WordPiece(unk_token="<unk>"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=400, special_tokens=SPECIAL, show_progress=False)
    tokenizer.train_from_iterator(make_texts(0, 300), trainer)
    tokenizer.post_processor = processors.BertProcessing(("</s>", 2), ("<s>", 0))
    return tokenizer


def byte_level():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=700, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(make_texts(0, 300), trainer)
    parts = [processors.RobertaProcessing(("</s>", 2), ("<s>", 0)), processors.ByteLevel()]
    tokenizer.post_processor = processors.Sequence(parts)
    return tokenizer


def byte_level_of_old():
    """The same, with each merge in one string."""
    description = json.loads(byte_level().to_str())
    description["model"]["merges"] = [" ".join(pair) for pair in description["model"]["merges"]]
    return Tokenizer.from_str(json.dumps(description))


def character_pairs():
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", end_of_word_suffix="</w>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=SPECIAL, end_of_word_suffix="</w>", show_progress=False
    )
    tokenizer.train_from_iterator(make_texts(0, 300), trainer)
    tokenizer.post_processor = FRAME
    return tokenizer


def prefixed_pairs():
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", continuing_subword_prefix="@@"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=SPECIAL, continuing_subword_prefix="@@", show_progress=False
    )
    tokenizer.train_from_iterator(make_texts(0, 300), trainer)
    tokenizer.enable_padding(pad_id=1, pad_token="<pad>")
    return tokenizer


def unigram():
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=300, special_tokens=SPECIAL, unk_token="<unk>", show_progress=False
    )
    tokenizer.train_from_iterator(make_texts(0, 300), trainer)
    tokenizer.post_processor = FRAME
    return tokenizer


def unigram_with_bytes():
    """The same, where a character that it does not know becomes bytes."""
    description = json.loads(unigram().to_str())
    model = description["model"]
    model["vocab"] += [[f"<0x{byte:02X}>", -9.0] for byte in range(256)]
    model["byte_fallback"] = True
    return Tokenizer.from_str(json.dumps(description))


KINDS = (
    word_piece,
    byte_level,
    byte_level_of_old,
    character_pairs,
    prefixed_pairs,
    unigram,
    unigram_with_bytes,
)


@pytest.mark.parametrize("kind", KINDS)
def test_a_trimmed_tokenizer(kind):
    tokenizer = kind()
    tokenizer.add_tokens(["brandnew"])
    tokenizer.enable_truncation(4)
    description = json.loads(tokenizer.to_str())
    corpus = make_texts(1, 6)
    used = used_ids(description, corpus)
    kept = sorted(needed_ids(description, used))
    trimmed = Tokenizer.from_str(
        json.dumps(renumber(description, {old: new for new, old in enumerate(kept)}))
    )
    for each in (tokenizer, trimmed):
        each.no_truncation()
        each.no_padding()
    assert len(kept) < 0.95 * tokenizer.get_vocab_size()
    names = {old: tokenizer.id_to_token(old) for old in kept}
    assert trimmed.get_vocab() == {names[old]: new for new, old in enumerate(kept)}

    same = 0
    unknown = tokenizer.token_to_id("<unk>")
    for text in [*corpus, *make_texts(2, 400), "", "brandnew", "日本 Ω", "ing <s> ed"]:
        before = tokenizer.encode(text, "ed").ids
        after = [kept[token] for token in trimmed.encode(text, "ed").ids]
        assert after.count(unknown) <= before.count(unknown)
        if set(before) <= set(kept):
            assert after == before
            same += 1
        else:
            assert text not in corpus
    assert len(corpus) < same < 400, "both kinds of texts occur"


def test_pieces_that_characters_cannot_make_up_stay():
    vocabulary = ["<unk>", "a", "##a", "b", "##b", "ab", "##ab", "a🙂", "##a🙂", "##🙂b", "ba"]
    tokenizer = Tokenizer(models.WordPiece(dict(zip(vocabulary, range(11), strict=True)), unk_token="<unk>"))
    kept = needed_ids(json.loads(tokenizer.to_str()), {10})
    assert {vocabulary[token] for token in kept} == {*vocabulary} - {"ab", "##ab"}


def test_words_alone_cannot_be_trimmed():
    tokenizer = Tokenizer(models.WordLevel({"<unk>": 0, "film": 1}, unk_token="<unk>"))
    with pytest.raises(InputError, match="a WordLevel vocabulary cannot be trimmed; leave --trim"):
        needed_ids(json.loads(tokenizer.to_str()), {1})
