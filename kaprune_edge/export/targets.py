"""Where a deployment is to run."""

from dataclasses import dataclass

from kaprune_runtime.errors import InputError

__all__ = ["TARGETS", "Target", "find_target"]


@dataclass(frozen=True)
class Target:
    """A kind of machine."""

    name: str
    machine: str
    """As the model card calls it."""


TARGETS = {
    target.name: target
    for target in (
        Target("x86-64", "64-bit Intel and AMD processors"),
        Target("arm64", "64-bit Arm processors"),
        Target("portable", "any machine that ONNX Runtime runs on, browsers included"),
    )
}


def find_target(name: str) -> Target:
    """Look a target up.

    Raises:
        InputError: There is none of that name.
    """
    if name not in TARGETS:
        raise InputError(f"unknown target '{name}'; choose from {', '.join(TARGETS)}")
    return TARGETS[name]
