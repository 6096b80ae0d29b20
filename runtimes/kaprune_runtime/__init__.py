"""Runs kaprune-edge deployments: ONNX Runtime, NumPy and tokenizers, nothing else."""
