"""No weight of an exported model is infinite or not a number."""

from collections.abc import Iterable

import numpy as np

from kaprune_runtime.errors import InputError

__all__ = ["check_finite"]


def check_finite(weights: Iterable[tuple[str, np.ndarray]], source: str) -> None:
    """Check the weights of a model, before anything is made of them.

    A single infinite number may stand alone: exporters write masks with it.

    Args:
        weights: Each with its name, as the source has them.
        source: What the model is, for the message.

    Raises:
        InputError: A tensor is not finite; the message names it.
    """
    for name, content in weights:
        if content.dtype.kind != "f":
            continue
        wrong = ~np.isfinite(content) if content.size > 1 else np.isnan(content)
        if wrong.any():
            raise InputError(
                f"{name} of {source} has {np.count_nonzero(wrong)} weights that are not finite (NaN or "
                "infinity); give a model whose training did not diverge"
            )
