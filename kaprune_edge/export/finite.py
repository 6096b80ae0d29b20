"""No weight of an exported model is infinite or not a number."""

import numpy as np
from onnx import ModelProto, TensorProto, numpy_helper

from kaprune_edge.export.reading import parts
from kaprune_runtime.errors import InputError

__all__ = ["check_finite"]

_FLOATS = (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16)


def check_finite(model: ModelProto, name: str) -> None:
    """Check the tensors of a graph, before anything is made of them.

    A single infinite number may stand alone: exporters write masks with it.

    Args:
        model: As it was read or traced.
        name: Of its source, for the message.

    Raises:
        InputError: A tensor is not finite; the message names it.
    """
    for tensor in parts(model, TensorProto):
        if tensor.data_type not in _FLOATS:
            continue
        content = numpy_helper.to_array(tensor)
        wrong = ~np.isfinite(content) if content.size > 1 else np.isnan(content)
        if wrong.any():
            raise InputError(
                f"{tensor.name} of {name} has {np.count_nonzero(wrong)} weights that are not finite (NaN or "
                "infinity); give a model whose training did not diverge"
            )
