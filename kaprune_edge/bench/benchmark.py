"""The comparison itself."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from kaprune_edge.bench.accuracy import check_labels, check_place, score_deployment
from kaprune_edge.bench.baselines import INT8, make_baseline
from kaprune_edge.bench.comparison import Comparison, Entrant, Row, Setting, Workload
from kaprune_edge.bench.providers import choose, what_they_left
from kaprune_edge.bench.turns import time_in_turns
from kaprune_edge.bench.worker import Worker
from kaprune_edge.devices import LOCAL, Device, open_device
from kaprune_edge.progress import Progress, Silent
from kaprune_edge.tasks import Task
from kaprune_runtime.deployment import MODEL, read_config, verify
from kaprune_runtime.errors import InputError, KapruneError
from kaprune_runtime.latency import check_fit
from kaprune_runtime.providers import CPU


def bench(
    deployments: Sequence[str | Path],
    *,
    baselines: Sequence[str] = (),
    task: Task | None = None,
    sequence_length: int = 128,
    batch_size: int = 1,
    threads: int = 1,
    rounds: int = 20,
    runs: int = 5,
    device: str = LOCAL,
    device_python: str = "python3",
    device_onnxruntime: str | Path | None = None,
    device_library: str | Path | None = None,
    providers: Sequence[str] = (),
    progress: Progress | None = None,
) -> Comparison:
    """Compare deployments with baselines: latency, load time, memory, size and, given a task, accuracy.

    Args:
        deployments: Deployment folders, at least one.
        baselines: What to compare with (see `make_baseline`). Speedups refer to the first, or to the first
            deployment where there is none.
        task: Judge every model that has trained weights on its evaluation rows.
        sequence_length: Tokens of each text.
        batch_size: Texts in one run.
        threads: Threads of one run.
        rounds: Turns of each model.
        runs: Timed runs in a turn.
        device: Where to time and to judge; see `open_device`.
        device_python: Command or path of the Python there.
        device_onnxruntime: ONNX Runtime's shared library for a device without Python.
        device_library: Operator library for the device, or a wheel that holds it.
        providers: Execution providers of the onnxruntime there, by their names with or without
            `ExecutionProvider`, or paths there of plugin libraries; when none is named, the CPU's and
            whichever others compute there and take the models.
        progress: Told of every stage.

    Raises:
        InputError: An argument, a deployment or a baseline is unusable.
        KapruneError: A model failed to run, the process that ran it died, or the device is out of reach.
    """
    watch = progress or Silent()
    if isinstance(deployments, str | Path):
        raise InputError("give a list of deployments, not one")
    folders = [Path(folder) for folder in deployments]
    workload = Workload(sequence_length, batch_size, threads, rounds, runs)
    _check(folders, workload, task)
    with (
        open_device(
            device, python=device_python, onnxruntime=device_onnxruntime, library=device_library
        ) as place,
        TemporaryDirectory(prefix="kaprune-bench-") as scratch,
    ):
        chosen, notes = choose(providers, place.providers)
        if task is not None:
            check_place(task, place)
        place.prepare(folders, watch)
        entrants = [Entrant(str(folder), folder) for folder in folders]
        if baselines:
            watch.start("preparing baselines", len(baselines))
        for done, spec in enumerate(baselines, 1):
            entrants.append(make_baseline(spec, folders[0], Path(scratch), saturates=place.int8_saturates))
            watch.advance(done)
        for entrant in entrants[len(folders) :]:
            if task is not None and not entrant.random_weights:
                check_labels(entrant.folder, read_config(entrant.folder), task)
        place.prepare([entrant.folder for entrant in entrants], watch)
        reference = len(folders) if baselines else 0
        rows: list[Row] = []
        settings: list[Setting] = []
        for provider in chosen:
            watch.start(f"timing on {provider}", rounds)
            starts = [partial(_start, place, entrant, workload, provider) for entrant in entrants]
            try:
                timings, setting = time_in_turns(
                    starts, reference=reference, workload=workload, progress=watch
                )
            except KapruneError as error:
                if provider == CPU or (provider == chosen[-1] and not rows):
                    raise
                notes.append(f"{provider} is left out: {error}")
                continue
            settings.append(setting)
            for entrant, timing in zip(entrants, timings, strict=True):
                metrics = _score(entrant, task, threads, provider, place, watch)
                size = (entrant.folder / MODEL).stat().st_size
                rows.append(Row(entrant.name, provider, entrant.random_weights, timing, size, metrics))
    return Comparison(
        rows=tuple(rows),
        reference=entrants[reference].name,
        task=task.name if task else None,
        workload=workload,
        device=device,
        machine=settings[0].machine,
        before=settings[0].before,
        after=settings[-1].after,
        notes=(*notes, *what_they_left(rows), *_how_rounded(baselines, place)),
    )


def _how_rounded(baselines: Sequence[str], device: Device) -> Iterator[str]:
    """Say how ONNX Runtime quantized baselines for the device's processor."""
    if any(spec.endswith(INT8) for spec in baselines):
        if device.int8_saturates:
            yield f"{INT8}: 7 bits a weight; without VNNI, sums of larger ones would saturate."
        else:
            yield f"{INT8}: 8 bits a weight."


def _start(device: Device, entrant: Entrant, workload: Workload, provider: str) -> Worker:
    """Load a model in a process on a device; see `Worker` for the errors."""
    options = [
        f"--sequence-length={workload.sequence_length}",
        f"--batch-size={workload.batch_size}",
        f"--threads={workload.threads}",
        f"--provider={provider}",
    ]
    return Worker(entrant.name, device.start("worker", options, entrant.folder))


def _check(deployments: Sequence[Path], workload: Workload, task: Task | None) -> None:
    """Refuse what cannot work before any work is done."""
    if not deployments:
        raise InputError("there is nothing to compare; name a deployment folder")
    if workload.rounds < 1 or workload.runs < 1:
        raise InputError(
            f"{workload.rounds} rounds of {workload.runs} runs measure nothing; give 1 or more of both"
        )
    for folder in deployments:
        verify(folder, MODEL)
        config = check_fit(
            folder,
            sequence_length=workload.sequence_length,
            batch_size=workload.batch_size,
            threads=workload.threads,
        )
        if task is not None:
            check_labels(folder, config, task)


def _score(
    entrant: Entrant, task: Task | None, threads: int, provider: str, device: Device, watch: Progress
) -> dict[str, float] | None:
    if task is None or entrant.random_weights:
        return None
    watch.start(f"scoring {entrant.name}", len(task.evaluation))
    return score_deployment(
        entrant.folder, task, threads=threads, provider=provider, device=device, progress=watch
    )
