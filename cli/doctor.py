"""kaprune-edge doctor."""

import typer

from . import options
from .console import OUT, print_json


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
        OUT.print(f"processor  {machine.processor}, {machine.cores} cores", highlight=False)
        OUT.print(f"features   {', '.join(machine.features) or 'none of note'}", highlight=False)
        OUT.print(f"memory     {machine.memory_bytes / 1e9:.0f} GB", highlight=False)
        versions = ", ".join(f"{name} {version}" for name, version in found.versions.items())
        OUT.print(f"packages   {versions}", highlight=False)
        OUT.print(f"providers  {', '.join(found.providers)}", highlight=False)
        cached = ", ".join(f"{name} {size / 1e6:.0f} MB" for name, size in found.cached.items())
        OUT.print(f"cache      {found.cache} ({cached or 'empty'})", highlight=False)
        for problem in found.problems:
            OUT.print(f"problem    {problem.finding}; {problem.remedy}", highlight=False)
        if not found.problems:
            OUT.print("all is well", highlight=False)
    if found.problems:
        raise typer.Exit(1)
