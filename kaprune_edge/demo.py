"""The main job on the embedded default: from a pretrained encoder to a promise kept, beside its rivals."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from kaprune_edge.artifacts import check_new, new_folder, write_json
from kaprune_edge.assets import default_model
from kaprune_edge.bench.baselines import INT8
from kaprune_edge.bench.comparison import Comparison
from kaprune_edge.compress import Compression, CompressRecipe, compress
from kaprune_edge.progress import Progress, Silent
from kaprune_edge.recipe import DistillRecipe, StudentTraining
from kaprune_edge.workflow import bench, distill, export

TASK = "demo/movie-reviews"
TINYBERT = "tinybert-4l-312d"
MAX_DROP = 1.0
MAX_LENGTH = 64
SEQUENCE_LENGTH = 128
_PLACES = ("folder", "work", "student")


@dataclass(frozen=True)
class Contender:
    """One of the models of the demo."""

    accuracy: float
    """On the evaluation rows, as deployed."""
    file_bytes: int
    """Size of model.onnx."""
    latency_ms: float
    """Median of a text of 128 tokens on one thread."""
    speedup: float
    """How many times as fast as the dense model in int8: the median over rounds."""
    peak_memory_bytes: int
    """Of the process that ran it, Python included."""


@dataclass(frozen=True)
class Demo:
    """What the demo found."""

    compression: Compression
    """The search, whose drop is measured on rows held out of the training rows."""
    contenders: Mapping[str, Contender]
    """Name -> model: `dense`, `dense:int8`, TinyBERT's shape, `sparse` and `sparse:int8`."""
    comparison: Comparison

    def to_dict(self) -> dict[str, Any]:
        """Return the promise and the models as JSON can hold them."""
        models = {name: asdict(each) for name, each in self.contenders.items()}
        return {"promise": self.compression.to_dict(), "models": models}


def demo(output: str | Path, *, time_limit: float = 360, progress: Progress | None = None) -> Demo:
    """Compress a classifier of movie reviews, and compare it with its rivals.

    The rivals are the dense teacher in ONNX Runtime, in float32 and in its dynamic int8, and a student of
    TinyBERT's shape that is distilled from the same teacher on the same texts.

    Args:
        output: Folder to make: `small` with the deployment, `small-work` with what the search made, a
            deployment for each rival of it, summary.json.
        time_limit: Seconds for the search.
        progress: Told of every stage.

    Raises:
        InputError: The output exists.
        KapruneError: The model or the data cannot be fetched, or the disk is full.
    """
    output = Path(output)
    check_new(output)
    watch = progress or Silent()
    recipe = CompressRecipe(model=str(default_model()), task=TASK, max_drop=MAX_DROP, max_length=MAX_LENGTH)
    with new_folder(output) as folder:
        found = compress(recipe, folder / "small", time_limit=time_limit, progress=watch)
        teacher = found.work / "teacher"
        distilled = distill(_tinybert(teacher), folder / "runs" / TINYBERT, progress=watch)
        export(found.student, folder / "sparse", progress=watch)
        export(distilled.folder, folder / TINYBERT, progress=watch)
        comparison = bench(
            [folder / TINYBERT, folder / "sparse", folder / "small"],
            baselines=[f"{teacher}{INT8}", str(teacher)],
            task_spec=TASK,
            sequence_length=SEQUENCE_LENGTH,
            rounds=10,
            progress=watch,
        )
        contenders = _contenders(comparison)
        places = {name: output / getattr(found, name).relative_to(folder) for name in _PLACES}
        result = Demo(replace(found, **places), contenders, comparison)
        write_json(folder / "summary.json", result.to_dict())
    return result


def _tinybert(teacher: Path) -> DistillRecipe:
    return DistillRecipe(
        teacher=str(teacher),
        task=TASK,
        student=TINYBERT,
        training=StudentTraining(epochs=1, max_length=MAX_LENGTH),
    )


def _contenders(comparison: Comparison) -> dict[str, Contender]:
    names = (TINYBERT, "sparse", "sparse:int8", "dense:int8", "dense")
    found = {
        name: Contender(
            accuracy=(row.metrics or {})["accuracy"],
            file_bytes=row.file_bytes,
            latency_ms=row.timing.median_ms,
            speedup=row.timing.speedup,
            peak_memory_bytes=row.timing.peak_memory_bytes,
        )
        for name, row in zip(names, comparison.rows, strict=True)
    }
    return {name: found[name] for name in ("dense", "dense:int8", TINYBERT, "sparse", "sparse:int8")}
