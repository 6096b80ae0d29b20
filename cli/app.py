"""The `kaprune-edge` command: gathers the subcommands and turns errors into one line and an exit code."""

import os
import sys
import time
from importlib.metadata import version
from typing import Annotated

import typer
from typer.exceptions import TyperException

from kaprune_runtime.errors import InputError, KapruneError

from .augment import augment
from .bench import bench
from .compress import compress
from .console import ERR, say
from .demo import demo
from .distill import distill
from .doctor import doctor
from .evaluate import evaluate
from .export import export
from .launcher import IS_LEFT_ALONE, IS_MAIN, SECONDS_TO_BE_ENDED
from .predict import predict
from .prune import prune

INTERRUPTED = 130
"""What Typer makes of Ctrl-C."""

ALONE = "note: accelerate launch started one process alone; --multi_gpu in place of --cpu starts several"

app = typer.Typer(
    name="kaprune-edge",
    help="Prune BERT-like encoders to 5 % of their weights and ship them as one portable sparse ONNX file.",
    add_completion=False,
    rich_markup_mode=None,
)
for command in (compress, prune, distill, augment, export, evaluate, bench, predict, demo, doctor):
    app.command()(command)


def _print_version(asked: bool) -> None:
    if asked:
        say(version("kaprune-edge"))
        raise typer.Exit


@app.callback()
def _options(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line; exit with 2 for a bad argument or input, 1 for a failure."""
    sys.exit(_run())


def _run() -> int:
    if IS_LEFT_ALONE:
        ERR.print(ALONE, soft_wrap=True, highlight=False, markup=False)
    try:
        code: int = app(sys.argv[1:] or ["--help"], app.info.name, standalone_mode=False) or 0
    except InputError as error:
        return _complain(str(error), 2)
    except KapruneError as error:
        return _complain(str(error), 1)
    except TyperException as error:
        context = getattr(error, "ctx", None)
        where = context.command_path if context else app.info.name
        return _complain(f"{error.format_message().rstrip('.')}; see {where} --help", error.exit_code)
    except Exception as error:
        if os.environ.get("KAPRUNE_DEBUG"):
            raise
        lines = str(error).strip().splitlines() or [""]
        return _complain(
            f"unexpected {type(error).__name__}: {lines[0]} (set KAPRUNE_DEBUG=1 to see where)", 1
        )
    if code == INTERRUPTED and IS_MAIN:
        return _complain("stopped; an interrupted training goes on with --resume", code)
    return code


def _complain(message: str, code: int) -> int:
    if not IS_MAIN:
        time.sleep(SECONDS_TO_BE_ENDED)  # while the main process says the same, unless this one failed alone
        ERR.quiet = False
    ERR.print(f"error: {message}", soft_wrap=True, highlight=False, markup=False)
    return code
