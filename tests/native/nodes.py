"""Models of one node of `ai.kaprune`, sound or spoilt."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from kaprune_edge.sparsity.packing import pack


def _matrix(prefix):
    return [prefix + name for name in ("values", "crow_indices", "col_indices", "scales", "bias")]


INPUTS = {
    "SparseLinear": ["X", *_matrix("")],
    "SparseFeedForward": ["X", *_matrix("intermediate_"), *_matrix("output_"), "gamma", "beta"],
    "SparseAttention": [
        *("X", "mask", "position_bias"),
        *(name for role in ("query_", "key_", "value_", "output_") for name in _matrix(role)),
        *("gamma", "beta"),
    ],
}
FED = "X", "mask", "position_bias"


def sparse_weight(rows, columns, block, sparsity=0.9, seed=0):
    """Draw a float32 [rows, columns] matrix with whole blocks at zero."""
    random = np.random.default_rng(seed)
    kept = random.random((rows // block[0], columns // block[1])) >= sparsity
    return random.standard_normal((rows, columns), np.float32) * np.kron(kept, np.ones(block, np.float32))


def linear_parts(weight, block, activation="none"):
    """Give a node's initializers by name, and its attributes."""
    tensors, attributes = _packed("", weight, block)
    return tensors, {"out_features": len(weight), "activation": activation, **attributes}


def feed_forward_parts(features, intermediate, block):
    """Give a node's initializers by name, and its attributes."""
    tensors = dict.fromkeys(("gamma", "beta"), np.ones(features, np.float32))
    attributes = {
        "intermediate_features": intermediate,
        "output_features": features,
        "activation": "gelu",
        "epsilon": 1e-5,
    }
    for role, shape in {
        "intermediate_": (intermediate, features),
        "output_": (features, intermediate),
    }.items():
        _add(tensors, attributes, _packed(role, sparse_weight(*shape, block, 0.5), block))
    return tensors, attributes


def attention_parts(features, heads, head_size, block):
    """Give a node's initializers by name, of position_bias none, and its attributes."""
    inner = heads * head_size
    tensors = dict.fromkeys(("gamma", "beta"), np.ones(features, np.float32))
    tensors["position_bias"] = np.zeros((1, 1, 1, 1), np.float32)
    attributes = {
        "num_heads": heads,
        "inner_features": inner,
        "output_features": features,
        "scale": head_size**-0.5,
        "epsilon": 1e-5,
    }
    for role in ("query_", "key_", "value_", "output_"):
        shape = (features, inner) if role == "output_" else (inner, features)
        _add(tensors, attributes, _packed(role, sparse_weight(*shape, block, 0.5), block))
    return tensors, attributes


def _packed(prefix, weight, block):
    packed = pack(weight, block)
    tensors = {
        "values": packed.values,
        "crow_indices": packed.crow_indices,
        "col_indices": packed.col_indices,
        "bias": np.random.default_rng(1).standard_normal(len(weight), np.float32),
    }
    named = {prefix + name: array for name, array in tensors.items()}
    return named, {f"{prefix}blocksize": list(block)}


def _add(tensors, attributes, packed):
    tensors.update(packed[0])
    attributes.update(packed[1])


def changed(array, index, value):
    """Copy an array with another value at one place."""
    array = array.copy()
    array[index] = value
    return array


def linear_model(tensors, attributes, **options):
    return node_model("SparseLinear", tensors, attributes, **options)


def node_model(op_type, tensors, attributes, *, computed=()):
    """Build the model's bytes.

    Args:
        op_type: A name in `INPUTS`.
        tensors: Initializers; a name that is missing becomes a model input where it is one of `FED`, and
            leaves the node's input out where it is not.
        attributes: Of the node.
        computed: Names of tensors that are made by an Identity node from a model input.
    """
    names = [name if name in tensors or name in FED else "" for name in INPUTS[op_type]]
    fed = [name for name in FED if name in names and name not in tensors]
    nodes = [helper.make_node("Identity", [f"given_{name}"], [name]) for name in computed]
    nodes.append(helper.make_node(op_type, names, ["Y"], domain="ai.kaprune", **attributes))
    given = [
        helper.make_tensor_value_info(
            f"given_{name}", helper.np_dtype_to_tensor_dtype(tensors[name].dtype), tensors[name].shape
        )
        for name in computed
    ]
    graph = helper.make_graph(
        nodes,
        "node",
        [*(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in fed), *given],
        [helper.make_tensor_value_info("Y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array, name) for name, array in tensors.items() if name not in computed],
    )
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("ai.kaprune", 1)]
    return onnx.ModelProto.SerializeToString(helper.make_model(graph, opset_imports=opsets, ir_version=10))
