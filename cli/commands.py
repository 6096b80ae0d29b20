"""The Typer application: gathers the subcommands and runs one."""

import signal
import time
from collections.abc import Sequence
from importlib.metadata import version
from typing import Annotated

import typer
from typer.exceptions import TyperException

from kaprune_runtime import terminal
from kaprune_runtime.command import run_command
from kaprune_runtime.errors import InputError

from . import console
from .augment import augment
from .bench import bench
from .compress import compress
from .demo import demo
from .distill import distill
from .doctor import doctor
from .evaluate import evaluate
from .export import export
from .launcher import IS_LEFT_ALONE, IS_MAIN, SECONDS_TO_BE_ENDED
from .predict import PredictCommand, predict
from .prune import prune

ALONE = "note: accelerate launch started one process alone; --multi_gpu in place of --cpu starts several"

app = typer.Typer(
    name="kaprune-edge",
    help="Prune BERT-like encoders to 5 % of their weights and ship them as one portable sparse ONNX file.",
    add_completion=False,
    rich_markup_mode=None,
)
for command in (compress, prune, distill, augment, export, evaluate, bench, predict, demo, doctor):
    app.command(cls=PredictCommand if command is predict else None)(command)


def run(arguments: Sequence[str]) -> int:
    """Run a command line and return its exit code."""
    return run_command(lambda: _work(arguments), arguments, _complain)


def _work(arguments: Sequence[str]) -> int:
    if IS_LEFT_ALONE:
        console.note(ALONE)
    name = app.info.name
    try:
        # Typer's own `app()` would turn interrupts and broken pipes into exit codes of its own.
        with typer.main.get_command(app).make_context(name, [*arguments] or ["--help"]) as context:
            context.command.invoke(context)
    except typer.Exit as end:
        return end.exit_code
    except TyperException as error:
        where = getattr(getattr(error, "ctx", None), "command_path", name)
        raise InputError(f"{error.format_message().rstrip('.')}; see {where} --help") from error
    return 0


def _complain(message: str) -> None:
    if not IS_MAIN:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # by which the launcher ends it
        time.sleep(SECONDS_TO_BE_ENDED)  # while the main process says the same, unless this one failed alone
    terminal.complain(message)


def _print_version(asked: bool) -> None:
    if asked:
        console.say(version("kaprune-edge"))
        raise typer.Exit


@app.callback()
def _options(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass
