"""From PyTorch or ONNX to a deployment."""

from kaprune_edge.export.deployment import Deployment, check_calibration, export_model
from kaprune_edge.export.from_torch import to_onnx
from kaprune_edge.export.targets import TARGETS

__all__ = ["TARGETS", "Deployment", "check_calibration", "export_model", "to_onnx"]
