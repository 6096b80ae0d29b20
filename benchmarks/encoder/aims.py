"""What the sparse encoder is to reach, beside what was measured."""

from math import nan
from typing import Any

Row = dict[str, Any]
BLOCKS, SINGLE, SMALL, INT8 = "95 % 4x1", "95 % unstructured", "97 % 4x1", "95 % 4x1 int8"
DENSE, DENSE_INT8, TINYBERT = "dense", "dense:int8", "tinybert-4l-312d"
DEEPSPARSE = "DeepSparse 1.8, 95 % unstructured"


def aims(results: dict[str, Any], kernels: list[Row]) -> str:
    """Make the table, of what run.py and the kernel benchmark measured; nan is what they left out."""
    measured = {(row["model"], row["tokens"], row["threads"]): row for row in results["rows"]}

    def of(model: str, key: str, tokens: int = 128) -> float:
        return measured.get((model, tokens, 1), {}).get(key, nan)

    def against(model: str, other: str, tokens: int = 128) -> str:
        return f"{of(model, 'speedup', tokens) / of(other, 'speedup', tokens):.2f}x"

    def share(key: str) -> str:
        return f"{of(BLOCKS, key) / of(DENSE, key):.2f}x"

    peaks = [
        row["percent_of_peak"]
        for row in kernels
        if row["pattern"] == "4x1" and row["tokens"] == 128 and row["sparsity"] in (0.9, 0.95)
    ]
    second = results["second_thread"]
    threads = f"{second['model']:.2f}x, where two cores compute {second['cores']:.2f} times as much as one"
    lengths = f"{against(BLOCKS, DENSE, 16)}, {against(BLOCKS, DENSE, 384)}"
    table = [
        ("95 % in 4x1 blocks, against dense float32", "8x", "11x", against(BLOCKS, DENSE)),
        ("95 % unstructured, against dense float32", "6x", "8x", against(SINGLE, DENSE)),
        ("95 % unstructured, against DeepSparse 1.8", "2x", "2.5x", against(SINGLE, DEEPSPARSE)),
        ("97 % in 4x1 blocks, against TinyBERT4 float32", "0.8x", "1x", against(SMALL, TINYBERT)),
        ("95 % in 4x1 blocks, int8, against dense int8", "5x", "8x", against(INT8, DENSE_INT8)),
        ("95 % in 4x1 blocks, int8, against float32", "1.2x", "2x", against(INT8, BLOCKS)),
        ("4x1 kernel alone, 90 and 95 %, of peak", "80 %", "90 %", f"{min(peaks):.0f}-{max(peaks):.0f} %"),
        ("95 % in 4x1 blocks, two threads against one", "1.8x", "1.9x", threads),
        ("95 % in 4x1 blocks, 16 and 384 tokens, against dense", "6x", "9x", lengths),
        ("95 % in 4x1 blocks, peak memory, of dense", "0.25x", "0.17x", share("peak_memory_bytes")),
        ("95 % in 4x1 blocks, load time, of dense", "0.5x", "0.2x", share("load_seconds")),
    ]
    lines = [
        "| BERT-base's shape, batch 1, 128 tokens, one thread | at least | aim | here |",
        "| --- | --: | --: | --: |",
        *("| " + " | ".join(cells) + " |" for cells in table),
    ]
    return "\n".join(lines) + "\n"


def minilm_aim(results: dict[str, Any]) -> str:
    """Say it in the same columns for MiniLM's shape."""
    rows = {(row["model"], row["tokens"], row["threads"]): row for row in results["rows"]}
    here = f"{rows['90 % 4x1', 128, 1]['speedup']:.2f}x"
    return (
        "| MiniLM's shape, batch 1, 128 tokens, one thread | at least | aim | here |\n"
        "| --- | --: | --: | --: |\n"
        f"| 90 % in 4x1 blocks, against dense float32 | 6x | 7.5x | {here} |\n"
    )
