"""Writes README.md's table of sizes from results.json, which run.py wrote."""

import json
from pathlib import Path

HERE = Path(__file__).parent
START, END = "<!-- sizes -->\n", "<!-- end -->"
PARTS = {
    "encoder_values": "encoder values",
    "indices": "indices",
    "embeddings": "embeddings",
    "rest": "rest of model.onnx",
    "tokenizer_and_config": "tokenizer and config",
}


def main() -> None:
    results = json.loads((HERE / "results.json").read_text())
    readme = HERE / "README.md"
    head, rest = readme.read_text().split(START)
    tables = "\n".join(table(name, steps) for name, steps in results.items())
    readme.write_text(f"{head}{START}{tables}\n{END}{rest.split(END)[1]}")


def table(name: str, steps: dict[str, dict[str, int]]) -> str:
    lines = [f"\n**{name}**, MB\n", f"| after | {' | '.join(PARTS.values())} | together |"]
    lines.append("| --- " * (len(PARTS) + 2) + "|")
    for step, sizes in steps.items():
        cells = [sizes[part] for part in PARTS]
        figures = " | ".join(f"{cell / 1e6:.2f}" for cell in cells)
        label = f"{step} ({sizes['tokens']:,} tokens)" if step.startswith("trimmed") else step
        lines.append(f"| {label} | {figures} | **{sum(cells) / 1e6:.2f}** |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
