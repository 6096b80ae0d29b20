"""From PyTorch or ONNX to a deployment."""
