"""Compress a model for a task, judge the result on evaluation rows, and time it beside its rivals.

    python benchmarks/promise/run.py mrpc --glue GLUE --limit 600

Appends a line of JSON to benchmarks/promise/runs.jsonl.
"""

import argparse
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tasks import make_glosses

from kaprune_edge.assets import default_model
from kaprune_edge.bench.baselines import INT8
from kaprune_edge.compress import Compression, CompressRecipe, compress
from kaprune_edge.workflow import bench
from kaprune_edge_cli.console import progress

RUNS = Path(__file__).with_name("runs.jsonl")
GLUE = {"sst2": "SST-2", "mrpc": "MRPC", "cola": "CoLA", "rte": "RTE"}
TASKS = (*GLUE, "movies", "glosses")


def main() -> None:
    """Make one run."""
    options = _options()
    name = f"{options.task}-{options.limit:g}-{options.seed}"
    folder = options.scratch / name
    spec = _task(options)
    recipe = CompressRecipe(
        model=str(default_model()), task=spec, max_drop=options.max_drop, seed=options.seed
    )
    with progress() as watch:
        found = compress(
            recipe,
            folder,
            time_limit=options.limit,
            resume=folder.with_name(f"{name}-work").exists(),
            progress=watch,
        )
        teacher = str(found.work / "teacher")
        compared = bench(
            [found.folder],
            baselines=[f"{teacher}{INT8}", teacher],
            task_spec=spec,
            rounds=options.rounds,
            progress=watch,
        )
    rows = dict(zip(("delivered", "dense_int8", "dense_float32"), compared.rows, strict=True))
    line = {
        "task": options.task,
        "seed": options.seed,
        "limit_seconds": options.limit,
        "max_drop": options.max_drop,
        "seconds": found.seconds,
        "processor": compared.machine.processor,
        "kernels": compared.machine.kernels,
        "cores": compared.machine.cores,
        "onnxruntime": compared.machine.onnxruntime,
        "teacher": _teacher(found),
        "held_out": {"metric": found.headline, "rows": found.held_out_rows, "teacher": found.teacher},
        "ladder": [outcome.to_json() for outcome in (found.dense, *found.outcomes)],
        "delivered": found.delivered.attempt.name,
        "evaluation": {name: _headline(row.metrics) for name, row in rows.items()},
        "latency_ms": {name: row.timing.median_ms for name, row in rows.items()},
        "speedup": rows["delivered"].timing.speedup,
        "speedup_middle_half": rows["delivered"].timing.speedup_range,
        "file_bytes": {name: row.file_bytes for name, row in rows.items()},
    }
    with RUNS.open("a", encoding="utf-8") as file:
        file.write(json.dumps(_rounded(line)) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("--glue", type=Path, help="folder of GLUE's files, for sst2, mrpc, cola and rte")
    parser.add_argument("--limit", type=float, default=3600, help="seconds")
    parser.add_argument("--max-drop", type=float, default=1, help="points")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=20, help="turns of each model when timed")
    parser.add_argument("--scratch", type=Path, default=Path("build/promise"))
    return parser.parse_args()


def _task(options: argparse.Namespace) -> str:
    if options.task in GLUE:
        return f"glue/{options.task}:{options.glue / GLUE[options.task]}"
    if options.task == "movies":
        return "demo/movie-reviews"
    train, evaluation = make_glosses(options.scratch / "glosses")
    return f"csv:{train},{evaluation}"


def _teacher(found: Compression) -> Mapping[str, Any]:
    file = found.work / "fine_tuning.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}


def _headline(metrics: Mapping[str, float] | None) -> float:
    return next(iter((metrics or {}).values()), math.nan)


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, Mapping):
        return {name: _rounded(each) for name, each in value.items()}
    return [_rounded(each) for each in value] if isinstance(value, list | tuple) else value


if __name__ == "__main__":
    main()
