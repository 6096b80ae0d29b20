"""ONNX Runtime's own int8 quantization, the baseline to beat."""

from pathlib import Path

import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic

from kaprune_edge.export.quiet import quiet

__all__ = ["dynamic_int8"]


def dynamic_int8(source: Path, output: Path, *, saturates: bool) -> None:
    """Quantize a dense ONNX file as experts do: int8 weights per channel, activations as they come.

    Args:
        source: Dense float32 ONNX.
        output: File to write.
        saturates: Whether sums saturate where it is to run (see `int8_saturates`): weights then get 7 bits,
            which fit at the same speed. ONNX Runtime's own switch (`session.x64quantprecision`) would keep 8
            and take a sixth more time.
    """
    model = onnx.load(source)
    # The quantizer transposes weights and would then find the shapes that the file states for them wrong.
    del model.graph.value_info[:]
    with quiet("root"):
        quantize_dynamic(model, output, weight_type=QuantType.QInt8, per_channel=True, reduce_range=saturates)
