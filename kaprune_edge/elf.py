"""Which processors a shared library is for."""

_MACHINES = {"x86_64": 62, "aarch64": 183, "armv7l": 40, "riscv64": 243}
"""What `uname -m` says -> e_machine of an ELF file (System V ABI, Object Files)."""


def is_for(library: bytes, machine: str | None) -> bool:
    """Whether an ELF file is for a machine, named as `uname -m` does."""
    return library.startswith(b"\x7fELF") and int.from_bytes(library[18:20], "little") == _MACHINES.get(
        machine or ""
    )
