"""Sparsity patterns, masks and block-sparse-row packing; knows no model and no ONNX."""
