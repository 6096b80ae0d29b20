"""Small trained tokenizers of every family, as transformers loads them."""

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

TEXTS = (
    "Ada Lovelace moved into a house in London, I think.",
    "  two  leading spaces, a b c and\u00a0one that does not break",
    "Zoe\u0308 said: \u201cna\u00efve caf\u00e9\u201d \U0001f600\U0001f469\u200d\U0001f680 x "
    "\u6771\u4eac\u306e\u8857 I",
)
SPECIAL = {"bos": "<s>", "pad": "<pad>", "eos": "</s>", "unk": "<unk>", "mask": "<mask>"}


def _word_piece():
    tokenizer = Tokenizer(models.WordPiece(unk_token="<unk>"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return tokenizer, trainers.WordPieceTrainer(vocab_size=180, special_tokens=list(SPECIAL.values()))


def _byte_level(prefix, trim=True, processor_prefix=None):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=list(SPECIAL.values()),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    if processor_prefix is None:
        processor_prefix = prefix
    return (
        tokenizer,
        trainer,
        lambda end, start: processors.RobertaProcessing(end, start, trim, processor_prefix),
    )


def _unigram():
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Replace(" " * 2, " "), normalizers.Strip(left=False)]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    trainer = trainers.UnigramTrainer(
        vocab_size=90, special_tokens=list(SPECIAL.values()), unk_token="<unk>", show_progress=False
    )
    return tokenizer, trainer


def _spaced_bpe():
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    trainer = trainers.BpeTrainer(
        vocab_size=140, special_tokens=list(SPECIAL.values()), show_progress=False, max_token_length=6
    )
    return tokenizer, trainer


def _without_words(tokenizer):
    """Mark spaces by a normalizer, with nothing that splits words, as in sentencepiece's BPE."""
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")]
    )
    tokenizer.pre_tokenizer = None


FAMILIES = {
    "WordPiece": _word_piece,
    "byte-level": lambda: _byte_level(prefix=False),
    "byte-level, prefix": lambda: _byte_level(prefix=True),
    "byte-level, untrimmed": lambda: _byte_level(prefix=False, trim=False),
    "byte-level, prefix in front alone": lambda: _byte_level(prefix=True, processor_prefix=False),
    "byte-level, prefix behind alone": lambda: _byte_level(prefix=False, processor_prefix=True),
    "Unigram": _unigram,
    "BPE with Metaspace": _spaced_bpe,
    "BPE without words": _spaced_bpe,
}


def make_tokenizer(family, **settings):
    """Train a tokenizer of a family on `TEXTS`, with RoBERTa's special tokens."""
    tokenizer, trainer, *processor = FAMILIES[family]()
    tokenizer.train_from_iterator([text for text in TEXTS for _ in range(8)], trainer)
    if family == "BPE without words":
        _without_words(tokenizer)
    end, start = (("</s>", tokenizer.token_to_id("</s>")), ("<s>", tokenizer.token_to_id("<s>")))
    if processor:
        tokenizer.post_processor = processor[0](end, start)
    else:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<s> $A </s>", pair="<s> $A </s> </s> $B:1 </s>:1", special_tokens=[end, start]
        )
    names = {f"{role}_token": token for role, token in SPECIAL.items()}
    settings = {"model_input_names": ["input_ids", "attention_mask"], **settings}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names, **settings)
