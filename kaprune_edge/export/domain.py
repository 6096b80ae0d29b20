"""The operator domain `ai.kaprune`; docs/format.md specifies its operators."""

import onnx.parser
import onnx_ir as ir

__all__ = ["DOMAIN", "IR_VERSION", "OPSET", "VERSION", "define", "is_ours"]

DOMAIN = "ai.kaprune"
VERSION = 1
OPSET = 20
"""Standard opset of every exported file: the first with Gelu, and one that onnxruntime 1.20 runs."""

IR_VERSION = 10
"""Version of ONNX's file format of every exported file: the newest that onnxruntime 1.20 reads."""


def define(model: ir.Model, body: str) -> None:
    """Give a model an operator's definition, and import the domain.

    Args:
        model: Changed in place.
        body: A function in ONNX's text form.
    """
    function = ir.serde.deserialize_function(onnx.parser.parse_function(body))
    model.functions[function.identifier()] = function
    model.opset_imports[DOMAIN] = VERSION


def is_ours(node: ir.Node | None, *op_types: str) -> bool:
    """Whether a node is one of these operators of the domain."""
    return node is not None and node.domain == DOMAIN and node.op_type in op_types
