"""Does an exported file answer as its source does?"""

from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import numpy as np
from tokenizers import Encoding
from transformers import PreTrainedTokenizerBase

from kaprune_runtime.deployment import ModelConfig, read_config
from kaprune_runtime.errors import KapruneError
from kaprune_runtime.kinds import QUESTIONS, TEXT, TOKENS
from kaprune_runtime.session import input_names, run, session
from kaprune_runtime.tokenization import TextEncoder, pad, read_tokenizer
from kaprune_runtime.tokenizer_settings import read_settings
from kaprune_runtime.windows import windows

__all__ = ["TOLERANCE", "Reference", "check_parity", "logit_difference", "sample_inputs"]

TOLERANCE = 1e-4
"""Largest difference of any logit that an export may have."""

Reference = Callable[[Mapping[str, np.ndarray]], np.ndarray]
"""Computes the source's logits, [batch, labels], from int64 inputs [batch, length]."""

TEXTS = (
    "Yes.",
    "What a waste of time!",
    "The plot is thin, but the two leads carry it with charm and a little mischief.",
    "Shares of the company fell 4.2 % on Tuesday after it said that quarterly sales would miss forecasts.",
    "Who wrote the novel on which this film, the third of the series, is (very) loosely based?",
    "He said: “I didn't see it – nobody did.” Naïve? Perhaps; yet the café's owner, Zoë, agreed at 9:30 p.m.",
    "The river rose for three days. On the fourth, the bridge at the mill gave way, and with it the only "
    "road into the valley; the village was cut off until the army laid a pontoon, and the post came by boat.",
)


ODD_TEXTS = (
    "  Two  spaces, a\u00a0space that does not break, I",
    "ÉTÉ was Été ﬁne ②",
    "\U0001f600 東京 Zoe\u0308",
    "a [SEP] b </s> c [MASK]",
)
"""What tokenizers treat differently: white space, case and accents, many bytes, the names of tokens."""


def sample_inputs(folder: Path, names: Collection[str]) -> list[dict[str, np.ndarray]]:
    """Make batches of real text: single rows of many lengths, then padded rows, single and paired.

    Args:
        folder: Holds config.json and the tokenizer, which it proves usable.
        names: The model's inputs.

    Returns:
        int64 [batch, length] for each name, a batch an element.

    Raises:
        InputError: The tokenizer is damaged.
    """
    config = read_config(folder)
    encoder = TextEncoder(folder, config.max_tokens)
    longest = " ".join(TEXTS * (1 + config.max_tokens // 100))
    lengths = sorted({1, 2, 3, 5, 8, 16, 31, 64, 128, config.max_tokens})
    batches = []
    for length in (length for length in lengths if length <= config.max_tokens):
        (row,) = encoder.encode([longest], None, None)
        row.truncate(length)
        batches.append([row])
    batches.append(encoder.encode(TEXTS, None, None))
    batches.append(encoder.encode(TEXTS[:4], TEXTS[-4:], None))
    batches.append([*batches[0], *batches[4], *batches[7]])
    return [pad(batch, names, config.pad_id) for batch in batches]


def logit_difference(
    folder: Path, model: Path, reference: Reference, tokenizer: PreTrainedTokenizerBase
) -> float:
    """Compare a file with its source: on the same inputs, and from text to logits.

    Args:
        folder: Holds config.json and the tokenizer.
        model: The ONNX file, run as any ONNX Runtime would, without our operator library.
        reference: The source.
        tokenizer: The source's, of transformers.

    Returns:
        Largest absolute difference of a logit, infinity where one is no number.
    """
    loaded = session(model)
    names = input_names(loaded)
    worst = 0.0
    for feeds in sample_inputs(folder, names):
        worst = max(worst, _difference(run(loaded, feeds), reference(feeds)))
    config, settings = read_config(folder), read_settings(folder)
    encode = _text_encoder(folder, config)
    for texts in _rows(config.kind):
        encoding = encode(texts)
        if encoding is None:
            continue
        own = pad([encoding], names, config.pad_id, token_types=settings.token_types)
        right = dict(tokenizer(*texts, truncation=True, return_tensors="np"))
        worst = max(worst, _difference(run(loaded, own), reference(right)))
    return worst


def _rows(kind: str) -> list[tuple[str, ...]]:
    """Choose single texts and pairs, some longer than a model takes, and short questions on texts."""
    singles: list[tuple[str, ...]] = [(text,) for text in (*TEXTS, *ODD_TEXTS)]
    if kind == QUESTIONS:
        return [(question[:12], text) for question in TEXTS[1:3] for (text,) in singles]
    if kind == TOKENS:
        return singles
    long = " ".join(TEXTS * 12)
    pairs = [*zip(TEXTS, ODD_TEXTS, strict=False), (TEXTS[0], long), (long, TEXTS[1])]
    return [*singles, (long,), *pairs]


def _text_encoder(folder: Path, config: ModelConfig) -> Callable[[tuple[str, ...]], Encoding | None]:
    """Give what encodes as the runtime does; nothing where it needs several windows for a text."""
    if config.kind == TEXT:
        encoder = TextEncoder(folder, config.max_tokens)
        return lambda texts: encoder.encode(texts[:1], texts[1:] or None, None)[0]
    tokenizer = read_tokenizer(folder)

    def encode(texts: tuple[str, ...]) -> Encoding | None:
        *question, text = texts
        cut = windows(tokenizer, text, config.max_tokens, *question)
        return cut[0].encoding if len(cut) == 1 else None

    return encode


def _difference(own: np.ndarray, right: np.ndarray) -> float:
    if own.shape != right.shape:
        return float("inf")
    return float(np.nan_to_num(np.abs(own - right).max(), nan=np.inf))


def check_parity(difference: float) -> None:
    """Raise KapruneError unless an exported file's logits are within `TOLERANCE` of its source's."""
    if difference > TOLERANCE:
        raise KapruneError(
            f"the exported model's logits differ from the source's by {difference:.2g}, more than "
            f"{TOLERANCE:g}; nothing was written, please report this checkpoint's architecture and sizes"
        )
