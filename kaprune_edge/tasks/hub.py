"""Data sets from the Hugging Face hub, or from its local cache."""

import datasets
import httpx2
from datasets import DatasetDict
from datasets.exceptions import DatasetsError
from datasets.packaged_modules.cache.cache import Cache
from huggingface_hub import HfApi

from kaprune_runtime.errors import InputError


def fetch(hub_id: str, task: str, *, config: str | None = None, instead: str) -> DatasetDict:
    """Load all splits of a data set.

    Args:
        hub_id: Its repository.
        task: What to call it in errors.
        config: One of the repository's configurations; its default when None.
        instead: What the user may give where there is no hub, for errors.

    Raises:
        InputError: The hub cannot be reached and its cache does not hold the data set.
    """
    try:
        return _ask(hub_id, config)
    except (OSError, ValueError, httpx2.HTTPError, DatasetsError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(
            f"cannot load {task} from the hub ({reason}); check the network, or give {instead}"
        ) from error


def _ask(hub_id: str, config: str | None) -> DatasetDict:
    """Ask the hub once, or else its cache; `load_dataset` alone would try for half a minute before that."""
    try:
        HfApi().dataset_info(hub_id, timeout=5)
    except (OSError, httpx2.HTTPError) as unreachable:
        try:
            return Cache(
                repo_id=hub_id,
                dataset_name=hub_id.rpartition("/")[2],
                config_name=config,
                version="auto",
                hash="auto",
            ).as_dataset()
        except ValueError:
            raise unreachable from None
    return datasets.load_dataset(hub_id, config)
