"""How a command ends: with an exit code and at most one line of complaint.

| end | exit code |
| --- | --- |
| done | 0 |
| something failed | 1 |
| an argument or an input is wrong | 2 |
| SIGHUP, SIGINT (Ctrl-C), SIGTERM | 129, 130, 143 |
| nobody reads standard output any more | 141, silently |
"""

import io
import os
import signal
import sys
import warnings
from collections.abc import Callable, Sequence
from types import FrameType
from typing import TextIO

from kaprune_runtime.errors import InputError, KapruneError
from kaprune_runtime.terminal import complain, note, unwritable, visible

UNREAD = 128 + signal.SIGPIPE
_SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)


def run_command(
    work: Callable[[], int], arguments: Sequence[str], complain: Callable[[str], None] = complain
) -> int:
    """Run a command from its entry point on.

    Args:
        work: Does it and returns the exit code.
        arguments: What was given on the command line, to be checked.
        complain: Prints an error.

    Returns:
        The exit code; see the table above.
    """
    stops = _Stops()
    try:
        code, message = _try(work, arguments, stops)
    finally:
        stops.ignore()
    broken = _close(sys.stdout)
    if isinstance(broken, BrokenPipeError):
        code, message = UNREAD, ""
    elif broken is not None:
        code, message = 1, unwritable(broken)
    if message:
        complain(message)
    _close(sys.stderr)
    return code


def _try(work: Callable[[], int], arguments: Sequence[str], stops: "_Stops") -> tuple[int, str]:
    """Exit code and message of a command."""
    try:
        _open_streams()
        _check_text(arguments)
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            return work(), ""
    except SystemExit as end:  # argparse has printed its help
        return int(end.code or 0), ""
    except (Exception, KeyboardInterrupt) as error:
        if stops.first or isinstance(error, KeyboardInterrupt):
            return _explain_stop(error, stops.first or signal.SIGINT)
        if isinstance(error, BrokenPipeError):
            return UNREAD, ""
        if isinstance(error, KapruneError):
            return 2 if isinstance(error, InputError) else 1, str(error)
        if os.environ.get("KAPRUNE_DEBUG"):
            raise
        line = next(iter(str(error).strip().splitlines()), "")
        return 1, f"unexpected {type(error).__name__}: {line} (set KAPRUNE_DEBUG=1 to see where)"


def _show_warning(message: Warning | str, *about: object, **more: object) -> None:
    """Say a warning in one line, without the place in our code that it comes from."""
    note(f"warning: {message}")


def _explain_stop(error: BaseException, number: int) -> tuple[int, str]:
    name = "" if number == signal.SIGINT else f" by {signal.Signals(number).name}"
    return 128 + number, "; ".join([f"stopped{name}", *getattr(error, "__notes__", ())])


class _Stops:
    """The signals that ask to stop: the first interrupts, the third ends a command that did not mind."""

    def __init__(self) -> None:
        self.first = 0
        self._count = 0
        for number in _SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup sets it
                signal.signal(number, self._receive)

    def ignore(self) -> None:
        """Leave the end of the process alone, which would print a traceback."""
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self._count += 1
        if self._count == 1:
            self.first = number
            raise KeyboardInterrupt
        if self._count > 2:  # The second may be the same Ctrl-C, which a launcher passes on.
            os.write(2, b"error: stopped at once; temporary folders may be left\n")
            os._exit(128 + number)


def _open_streams() -> None:
    """Have every stream take any text, and no file the number of a stream that is closed."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    if sys.stdout is None:
        raise KapruneError("standard output is closed; redirect it to a file or /dev/null")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _check_text(arguments: Sequence[str]) -> None:
    """Refuse arguments with bytes that Python could not decode."""
    for argument in arguments:
        try:
            argument.encode()
        except UnicodeEncodeError:
            encoding = sys.getfilesystemencoding().upper()
            raise InputError(f"{visible(argument)} is not {encoding}; write it in that encoding") from None


def _close(stream: TextIO | None) -> OSError | None:
    """Write out what is left; where that fails, drop it and return why."""
    if stream is None:
        return None
    try:
        stream.flush()
    except OSError as error:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
        return error
    return None
