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
    architecture: str | None
    """As `uname -m` calls it; None where any will do."""
    instruction_set: str
    """The least that all such machines have, of those that the operator library has kernels for."""


TARGETS = {
    target.name: target
    for target in (
        Target("x86-64", "64-bit Intel and AMD processors", "x86_64", "portable"),
        Target("x86-64-v3", "64-bit Intel and AMD processors with AVX2", "x86_64", "avx2"),
        Target("x86-64-v4", "64-bit Intel and AMD processors with AVX-512", "x86_64", "avx512"),
        Target("arm64", "64-bit Arm processors", "aarch64", "neon"),
        Target("arm64-dotprod", "64-bit Arm processors with dot product", "aarch64", "neon_dotprod"),
        Target("arm64-i8mm", "64-bit Arm processors with int8 matrix product", "aarch64", "neon_i8mm"),
        Target("portable", "any machine that ONNX Runtime runs on, browsers included", None, "portable"),
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
