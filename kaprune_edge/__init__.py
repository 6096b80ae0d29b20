"""Prune BERT-like encoders with distillation and ship them as portable sparse ONNX."""

import kaprune_runtime as kaprune_runtime  # before onnxruntime, whose telemetry it switches off
