"""`python -m kaprune_runtime`: predict and measure on a device."""

import sys
from collections.abc import Sequence

from kaprune_runtime.command import run_command
from kaprune_runtime.commands import run


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    return run_command(lambda: run(given), given)


if __name__ == "__main__":
    sys.exit(main())
