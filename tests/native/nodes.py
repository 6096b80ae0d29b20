"""Models of one SparseLinear node, sound or spoilt."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from kaprune_edge.sparsity.packing import pack


def sparse_weight(rows, columns, block, sparsity=0.9, seed=0):
    """Draw a float32 [rows, columns] matrix with whole blocks at zero."""
    random = np.random.default_rng(seed)
    kept = random.random((rows // block[0], columns // block[1])) >= sparsity
    return random.standard_normal((rows, columns), np.float32) * np.kron(kept, np.ones(block, np.float32))


def linear_parts(weight, block, activation="none"):
    """Give a node's initializers by name, and its attributes."""
    packed = pack(weight, block)
    tensors = {
        "values": packed.values,
        "crow_indices": packed.crow_indices,
        "col_indices": packed.col_indices,
        "bias": np.random.default_rng(1).standard_normal(len(weight), np.float32),
    }
    attributes = {"out_features": len(weight), "blocksize": list(block), "activation": activation}
    return tensors, attributes


def linear_model(tensors, attributes, *, computed=(), scales=None):
    """Build the model's bytes.

    Args:
        tensors: Initializers; a name that is missing leaves the input out.
        attributes: Of the node.
        computed: Names of tensors that are made by an Identity node from a model input.
        scales: The optional initializer.
    """
    tensors = {**tensors, **({} if scales is None else {"scales": scales})}
    names = ["values", "crow_indices", "col_indices", "scales", "bias"]
    inputs = ["X", *(name if name in tensors else "" for name in names)]
    nodes = [helper.make_node("Identity", [f"given_{name}"], [name]) for name in computed]
    nodes.append(helper.make_node("SparseLinear", inputs, ["Y"], domain="ai.kaprune", **attributes))
    given = [
        helper.make_tensor_value_info(
            f"given_{name}", helper.np_dtype_to_tensor_dtype(tensors[name].dtype), tensors[name].shape
        )
        for name in computed
    ]
    graph = helper.make_graph(
        nodes,
        "linear",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, None), *given],
        [helper.make_tensor_value_info("Y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array, name) for name, array in tensors.items() if name not in computed],
    )
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("ai.kaprune", 1)]
    return onnx.ModelProto.SerializeToString(helper.make_model(graph, opset_imports=opsets, ir_version=10))
