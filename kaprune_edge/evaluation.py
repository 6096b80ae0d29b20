"""How well a PyTorch model does its task."""

from collections.abc import Mapping

import numpy as np
import torch
from datasets import Dataset
from transformers import DataCollatorWithPadding, PreTrainedModel, PreTrainedTokenizerBase

from kaprune_edge.checkpoints import max_tokens
from kaprune_edge.heads import read_logits
from kaprune_edge.progress import Progress, Silent
from kaprune_edge.tasks import Task, TokenLevelTask, tokenize
from kaprune_runtime.token_model import TokenModel

EVALUATION_BATCH = 64


def score_model(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    task: Task,
    max_length: int = 128,
    progress: Progress | None = None,
) -> dict[str, float]:
    """Run a model on a task's evaluation rows.

    Args:
        model: Has the task's head and labels.
        tokenizer: Its own.
        task: Gives rows and metrics.
        max_length: Longest row in tokens.
        progress: Told of the rows done.

    Returns:
        The value of every metric, the headline first.

    Raises:
        KapruneError: A logit is not finite.
    """
    watch = progress or Silent()
    if isinstance(task, TokenLevelTask):
        return task.measure(token_model(model, tokenizer), max_length, watch.advance)
    rows = tokenize(task.evaluation, task, tokenizer, max_length)
    logits = predict_logits(model, rows, tokenizer, watch)
    return task.score(logits, np.asarray(rows["labels"]))


def predict_logits(
    model: PreTrainedModel, rows: Dataset, tokenizer: PreTrainedTokenizerBase, progress: Progress
) -> np.ndarray:
    """Run a model over rows, longest first so that little is padded.

    Args:
        model: A sequence classifier; left in the mode (training or not) that it was in.
        rows: Tokenized, with `length`.
        tokenizer: Pads the batches.
        progress: Told of the rows done.

    Returns:
        float32 [rows, labels], in the order of the rows.
    """
    collate = DataCollatorWithPadding(tokenizer)
    order = np.argsort(rows["length"], kind="stable")[::-1]
    inputs = rows.select_columns([name for name in tokenizer.model_input_names if name in rows.column_names])
    logits = np.empty((len(rows), int(model.config.num_labels or 0)), np.float32)
    was_training = model.training
    model.eval()
    with torch.inference_mode():
        for start in range(0, len(order), EVALUATION_BATCH):
            chosen = order[start : start + EVALUATION_BATCH]
            batch = collate([inputs[int(index)] for index in chosen])
            logits[chosen] = model(**batch).logits.float().cpu().numpy()
            progress.advance(start + len(chosen))
    model.train(was_training)
    return logits


def token_model(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> TokenModel:
    """Let a PyTorch model with an output for every token do what a deployment of it does.

    Args:
        model: Of token classification or question answering; left in the mode that it was in.
        tokenizer: Its own.
    """

    def forward(feeds: Mapping[str, np.ndarray]) -> np.ndarray:
        was_training = model.training
        model.eval()
        with torch.inference_mode():
            output = model(**{name: torch.from_numpy(ids).to(model.device) for name, ids in feeds.items()})
        model.train(was_training)
        return read_logits(output).float().cpu().numpy()

    return TokenModel(
        tokenizer=tokenizer.backend_tokenizer,
        forward=forward,
        inputs=tokenizer.model_input_names,
        pad_id=model.config.pad_token_id,
        labels=tuple((model.config.id2label or {}).values()),
        max_tokens=max_tokens(model.config),
    )
