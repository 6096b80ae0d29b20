"""The two folders of a compression: the deployment that it delivers, and the one that it works in."""

import shutil
from hashlib import file_digest
from pathlib import Path

from kaprune_edge.artifacts import check_new, new_folder, write_json
from kaprune_edge.begun import RECIPE
from kaprune_runtime.deployment import MANIFEST, read_json
from kaprune_runtime.errors import InputError

_DELIVERED = "delivered.json"


def check_places(output: Path, work: Path, *, resume: bool) -> None:
    """Raise InputError unless a compression can write to both folders."""
    if not resume:
        check_new(output)
        if work.exists():
            raise InputError(f"{work} exists; continue with --resume, delete it or choose another --work")
        check_new(work)
    elif not (work / RECIPE).exists():
        raise InputError(f"{work} holds no compression to go on with; start it without --resume")
    elif output.exists() and not _is_delivered(output, work):
        raise InputError(f"{output} was not made by this compression; choose another --output")


def deliver(deployment: Path, output: Path, work: Path) -> None:
    """Copy a deployment to its place, instead of what the same work folder delivered there before."""
    if output.exists() and _is_delivered(output, work):
        if _digest(output) == _digest(deployment):
            return
        shutil.rmtree(output)
    with new_folder(output) as staging:
        shutil.copytree(deployment, staging, dirs_exist_ok=True)
    write_json(work / _DELIVERED, {"manifest": _digest(output)})


def _is_delivered(output: Path, work: Path) -> bool:
    record = work / _DELIVERED
    return (
        record.exists() and (output / MANIFEST).is_file() and read_json(record)["manifest"] == _digest(output)
    )


def _digest(deployment: Path) -> str:
    """Hash the manifest, which holds the hash of every other file."""
    with (deployment / MANIFEST).open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
