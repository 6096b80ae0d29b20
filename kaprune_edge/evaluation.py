"""What a PyTorch model answers on tokenized rows."""

import numpy as np
import torch
from datasets import Dataset
from transformers import DataCollatorWithPadding, PreTrainedModel, PreTrainedTokenizerBase

EVALUATION_BATCH = 64


def predict_logits(model: PreTrainedModel, rows: Dataset, tokenizer: PreTrainedTokenizerBase) -> np.ndarray:
    """Run a model over rows, longest first so that little is padded.

    Args:
        model: A sequence classifier; left in the mode (training or not) that it was in.
        rows: Tokenized, with `length`.
        tokenizer: Pads the batches.

    Returns:
        float32 [rows, labels], in the order of the rows.
    """
    collate = DataCollatorWithPadding(tokenizer)
    order = np.argsort(rows["length"], kind="stable")[::-1]
    names = [name for name in tokenizer.model_input_names if name in rows.column_names]
    inputs = rows.select_columns(names)
    logits = np.empty((len(rows), int(model.config.num_labels or 0)), np.float32)
    was_training = model.training
    model.eval()
    with torch.inference_mode():
        for start in range(0, len(order), EVALUATION_BATCH):
            chosen = order[start : start + EVALUATION_BATCH]
            batch = collate([inputs[int(index)] for index in chosen])
            logits[chosen] = model(**batch).logits.float().cpu().numpy()
    model.train(was_training)
    return logits
