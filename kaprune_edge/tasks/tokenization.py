"""From texts to token ids."""

from datasets import Dataset, concatenate_datasets
from transformers import PreTrainedTokenizerBase

from kaprune_edge.tasks.task import Task
from kaprune_edge.tasks.token_level import TokenLevelTask

_CHUNK = 10_000


def tokenize(
    split: Dataset, task: Task, tokenizer: PreTrainedTokenizerBase, max_length: int = 128
) -> Dataset:
    """Turn a split's texts into token ids, in memory and without padding.

    Args:
        split: `task.train`, `task.evaluation` or rows of the same columns.
        task: Says which columns are text.
        tokenizer: The model's own.
        max_length: Longest row in tokens, special tokens included; of a pair, the longer text is cut first.

    Returns:
        A table of `input_ids`, `attention_mask`, `token_type_ids` where the tokenizer makes them, `labels`,
        and `length`, the row's number of tokens. Tasks whose answers lie inside the text have their own
        targets in place of `labels`, and cut long texts into several rows.
    """
    if isinstance(task, TokenLevelTask):
        return task.encode(split, tokenizer, max_length)
    chunks = []
    for start in range(0, len(split), _CHUNK):
        chunk = split[start : start + _CHUNK]
        texts = [chunk[column] for column in task.text_columns]
        tokens = tokenizer(*texts, truncation=True, max_length=max_length, padding=False)
        lengths = [len(ids) for ids in tokens["input_ids"]]
        chunks.append(Dataset.from_dict({**tokens, "labels": chunk["label"], "length": lengths}))
    return concatenate_datasets(chunks)
