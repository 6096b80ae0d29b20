"""kaprune-edge demo."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from kaprune_runtime.terminal import quoted

from . import options
from .compress import ladder, seconds, verdict
from .console import print_json, progress, say, show

if TYPE_CHECKING:
    from kaprune_edge.demo import Demo

_NAMES = {
    "dense": "dense float32",
    "dense:int8": "dense int8, the rival",
    "tinybert-4l-312d": "TinyBERT's shape, distilled",
    "sparse": "sparse float32",
    "sparse:int8": "sparse int8, delivered",
}


def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to make.")] = Path("demo"),
    time_limit: Annotated[str, typer.Option(help="For the search, such as 6m or 1h.")] = "6m",
    as_json: options.Json = False,
) -> None:
    """Run everything on the embedded model and data: about ten minutes on two cores.

    Example: kaprune-edge demo --output demo
    """
    limit = seconds(time_limit)
    from kaprune_edge.demo import demo as run

    with progress() as watch:
        result = run(output, time_limit=limit, progress=watch)
    if as_json:
        print_json(result.to_dict())
        return
    show(ladder(result.compression))
    for line in verdict(result.compression):
        say(line)
    show(_table(result))
    say("Is a movie-review sentence positive? Accuracy on 2,100 sentences that the search never saw.")
    processor = result.comparison.machine.processor
    say(f"Latency: median of a text of 128 tokens on one thread of {processor}; models take turns.")
    say(f"next: {quoted('kaprune-edge', 'predict', output / 'small', 'a quiet, moving film')}")


def _table(result: "Demo") -> Table:
    table = Table("model")
    for heading in ("accuracy\n%", "latency\nms", "speed\nint8 = 1", "file\nMB", "memory\nMB"):
        table.add_column(heading, justify="right")
    for name, contender in result.contenders.items():
        table.add_row(
            _NAMES[name],
            f"{100 * contender.accuracy:.1f}",
            f"{contender.latency_ms:.1f}",
            f"{contender.speedup:.1f}x",
            f"{contender.file_bytes / 1e6:.1f}",
            f"{contender.peak_memory_bytes / 1e6:.0f}",
        )
    return table
