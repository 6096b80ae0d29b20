"""What makes a weight important: one function a criterion."""

from torch import Tensor


def magnitude(weight: Tensor) -> Tensor:
    """Absolute value, the criterion of Han et al. (2015) and of Xu et al. (2021).

    Args:
        weight: Shape [out_features, in_features].

    Returns:
        Importance of each weight, the same shape.
    """
    return weight.detach().abs()
