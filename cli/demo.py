"""kaprune-edge demo."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from kaprune_runtime.terminal import quoted

from . import options
from .console import print_json, progress, say, show

if TYPE_CHECKING:
    from kaprune_edge.demo import Demo

_NAMES = {
    "teacher": "dense teacher",
    "sparse": "sparse model",
    "dense_student": "dense student, equal weights",
}


def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to make.")] = Path("demo"),
    as_json: options.Json = False,
) -> None:
    """Run everything on the embedded model and data: about ten minutes on two cores.

    Example: kaprune-edge demo --output demo
    """
    from kaprune_edge.demo import demo as run

    with progress() as watch:
        result = run(output, watch)
    if as_json:
        print_json({name: asdict(contender) for name, contender in result.contenders.items()})
        return
    show(_table(result))
    say("Is a movie-review sentence positive? Accuracy on sentences that no model was trained on.")
    say("Latency: median of one text of 128 tokens on one thread; memory: peak of the whole process.")
    predict = quoted("kaprune-edge", "predict", output / "sparse", "a quiet, moving film")
    say(f"next: {predict}")


def _table(result: "Demo") -> Table:
    table = Table("model")
    for heading in ("accuracy\n%", "encoder weights\nkept", "file\nMB", "latency\nms", "memory\nMB"):
        table.add_column(heading, justify="right")
    whole = result.contenders["teacher"].encoder_weights
    for name, contender in result.contenders.items():
        table.add_row(
            _NAMES[name],
            f"{100 * contender.accuracy:.1f}",
            f"{contender.encoder_weights / 1e6:.2f} M ({contender.encoder_weights / whole:.0%})",
            f"{contender.file_bytes / 1e6:.1f}",
            f"{contender.latency_ms:.1f}",
            f"{contender.peak_memory_bytes / 1e6:.0f}",
        )
    return table
