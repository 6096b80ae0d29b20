"""kaprune-edge doctor."""

import typer

from . import options
from .console import print_json, say


def doctor(as_json: options.Json = False) -> None:
    """Tell what is installed, what this machine can run, and what to mend.

    Example: kaprune-edge doctor
    """
    from kaprune_edge.doctor import diagnose

    found = diagnose()
    if as_json:
        print_json(found.to_dict())
    else:
        machine = found.machine
        say(f"processor  {machine.processor}, {found.processors}")
        say(f"features   {', '.join(machine.features) or 'none of note'}")
        say(f"kernels    {found.kernels or 'none'}")
        say(f"memory     {machine.memory_bytes / 1e9:.0f} GB")
        versions = ", ".join(f"{name} {version}" for name, version in found.versions.items())
        say(f"packages   {versions}")
        say(f"providers  {', '.join(found.providers)}")
        cached = ", ".join(f"{name} {size / 1e6:.0f} MB" for name, size in found.cached.items())
        say(f"cache      {found.cache} ({cached or 'empty'})")
        for problem in found.problems:
            say(f"problem    {problem.finding}; {problem.remedy}")
        if not found.problems:
            say("all is well")
    if found.problems:
        raise typer.Exit(1)
