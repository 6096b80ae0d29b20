"""Runs kaprune-edge deployments: ONNX Runtime, NumPy and tokenizers, nothing else."""

from kaprune_runtime import telemetry as telemetry  # first: whatever imports onnxruntime comes after
from kaprune_runtime.answering import Answer, QuestionAnswerer
from kaprune_runtime.errors import InputError, KapruneError
from kaprune_runtime.operators import instruction_set, library_path
from kaprune_runtime.pipeline import Classifier, Prediction
from kaprune_runtime.session import session
from kaprune_runtime.tagging import Entity, TokenClassifier

__all__ = [
    "Answer",
    "Classifier",
    "Entity",
    "InputError",
    "KapruneError",
    "Prediction",
    "QuestionAnswerer",
    "TokenClassifier",
    "instruction_set",
    "library_path",
    "session",
]
