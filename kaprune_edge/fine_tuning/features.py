"""What a frozen encoder makes of texts: one vector a text."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from datasets import Dataset
from transformers import DataCollatorWithPadding, PreTrainedModel, PreTrainedTokenizerBase

from kaprune_edge.checkpoints import find_checkpoint
from kaprune_edge.progress import Progress

FIRST, MEAN = "first", "mean"
_BATCH = 64


def read_features(
    model: PreTrainedModel, rows: Dataset, tokenizer: PreTrainedTokenizerBase, progress: Progress
) -> Mapping[str, np.ndarray]:
    """Run the encoder of a model over rows, longest first so that little is padded.

    Args:
        model: Left in the mode (training or not) that it was in.
        rows: Tokenized, with `length`.
        tokenizer: Pads the batches.
        progress: Told of the rows done.

    Returns:
        `first`, the last hidden state of the first token, and `mean`, that of all tokens but padding;
        float32 [rows, width] each, in the order of the rows.
    """
    collate = DataCollatorWithPadding(tokenizer)
    order = np.argsort(rows["length"], kind="stable")[::-1]
    inputs = rows.select_columns([name for name in tokenizer.model_input_names if name in rows.column_names])
    features = {kind: np.empty((len(rows), model.config.hidden_size), np.float32) for kind in (FIRST, MEAN)}
    was_training = model.training
    model.eval()
    progress.start("read texts", len(rows))
    with torch.inference_mode():
        for start in range(0, len(order), _BATCH):
            chosen = order[start : start + _BATCH]
            batch = collate([inputs[int(index)] for index in chosen])
            hidden = model.base_model(**batch).last_hidden_state
            real = batch["attention_mask"][:, :, None].to(hidden.dtype)
            features[FIRST][chosen] = hidden[:, 0].numpy()
            features[MEAN][chosen] = ((hidden * real).sum(1) / real.sum(1)).numpy()
            progress.advance(start + len(chosen))
    model.train(was_training)
    return features


def pooling(source: str) -> str | None:
    """Read which of the two a sentence encoder was trained for; None where the checkpoint does not say."""
    file = Path(find_checkpoint(source)) / "1_Pooling" / "config.json"
    try:
        modes = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    kinds = {"pooling_mode_cls_token": FIRST, "pooling_mode_mean_tokens": MEAN}
    return next((kind for mode, kind in kinds.items() if isinstance(modes, dict) and modes.get(mode)), None)
