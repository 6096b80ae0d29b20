"""The main job on the embedded default: everything from a pretrained encoder to a comparison."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from kaprune_edge.artifacts import check_new, new_folder, write_json
from kaprune_edge.assets import default_model
from kaprune_edge.bench.comparison import Comparison
from kaprune_edge.progress import Progress, Silent
from kaprune_edge.recipe import DistillRecipe, FineTuning, PruneRecipe, StudentTraining, Training
from kaprune_edge.workflow import bench, distill, export, prune

TASK = "demo/movie-reviews"
SPARSITY = 0.6
SEQUENCE_LENGTH = 128


@dataclass(frozen=True)
class Contender:
    """One of the three models of the demo."""

    accuracy: float
    """On the held-out sentences, as deployed."""
    encoder_weights: int
    """Nonzero weights of the encoder's matrices."""
    file_bytes: int
    """Size of model.onnx."""
    latency_ms: float
    """Median of a text of 128 tokens on one thread."""
    peak_memory_bytes: int
    """Of the process that ran it, Python included."""


@dataclass(frozen=True)
class Demo:
    """What the demo found."""

    contenders: Mapping[str, Contender]
    """`teacher`, `sparse` and `dense_student`, each also the name of a deployment folder."""
    comparison: Comparison


def demo(output: str | Path, progress: Progress | None = None) -> Demo:
    """Fine-tune, prune, distil, export and compare on movie reviews.

    Args:
        output: Folder to make: `runs` with the trainings, a deployment for each contender, summary.json.
        progress: Told of every stage.

    Raises:
        InputError: The output exists.
        KapruneError: The model or the data cannot be fetched, or the disk is full.
    """
    output = Path(output)
    check_new(output)
    watch = progress or Silent()
    pruning, distilling = recipes(str(default_model()))
    with new_folder(output) as folder:
        sparse = prune(pruning, folder / "runs" / "sparse", progress=watch)
        teacher = folder / "runs" / "sparse" / "teacher"
        student_recipe = distilling.model_copy(update={"teacher": str(teacher)})
        dense = distill(student_recipe, folder / "runs" / "dense_student", progress=watch)
        weights = {
            "teacher": sparse.metrics["teacher_encoder_weights"],
            "sparse": sparse.metrics["encoder_weights"],
            "dense_student": dense.metrics["encoder_weights"],
        }
        sources = {"teacher": teacher, "sparse": sparse.folder, "dense_student": dense.folder}
        for name, source in sources.items():
            export(source, folder / name, progress=watch)
        comparison = bench(
            [folder / name for name in sources],
            task_spec=TASK,
            sequence_length=SEQUENCE_LENGTH,
            rounds=10,
            progress=watch,
        )
        contenders = {
            name: Contender(
                accuracy=(row.metrics or {})["accuracy"],
                encoder_weights=weights[name],
                file_bytes=row.file_bytes,
                latency_ms=row.timing.median_ms,
                peak_memory_bytes=row.timing.peak_memory_bytes,
            )
            for name, row in zip(sources, comparison.rows, strict=False)
        }
        write_json(
            folder / "summary.json", {name: asdict(contender) for name, contender in contenders.items()}
        )
    return Demo(contenders, comparison)


def recipes(model: str) -> tuple[PruneRecipe, DistillRecipe]:
    """Make the demo's two recipes: the same rows and steps for both students.

    Args:
        model: Folder of the pretrained encoder.
    """
    pruning = PruneRecipe(
        model=model,
        task=TASK,
        sparsity=SPARSITY,
        pattern="4x1",
        teacher_training=FineTuning(epochs=1, max_length=64),
        training=Training(epochs=1, learning_rate=2e-4, max_length=64),
    )
    distilling = DistillRecipe(
        teacher=model,
        task=TASK,
        student=f"equal:{SPARSITY}",
        training=StudentTraining(epochs=1, max_length=64),
    )
    return pruning, distilling
