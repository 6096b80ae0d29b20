"""ONNX Runtime's own int8 quantization, the baseline to beat."""

from pathlib import Path

from onnxruntime.quantization import QuantType, quantize_dynamic

__all__ = ["dynamic_int8"]


def dynamic_int8(source: Path, output: Path) -> None:
    """Quantize a dense ONNX file as the field does: int8 weights per channel, activations as they come.

    Args:
        source: Dense float32 ONNX.
        output: File to write.
    """
    quantize_dynamic(source, output, weight_type=QuantType.QInt8, per_channel=True, reduce_range=False)
