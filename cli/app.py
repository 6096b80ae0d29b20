"""The entry point of `kaprune-edge`; what takes long to import comes once signals are minded."""

import os
import signal
import sys
from types import FrameType

_SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)


def main() -> None:
    """Run the command line; exit with 2 for a bad argument or input, 1 for a failure."""
    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _leave)
    from .commands import run

    sys.exit(run(sys.argv[1:]))


def _leave(number: int, frame: FrameType | None) -> None:
    """Stop at once, for nothing is begun yet."""
    os.write(2, b"error: stopped\n")
    os._exit(128 + number)
