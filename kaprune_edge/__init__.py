"""Prune BERT-like encoders with distillation and ship them as portable sparse ONNX."""
