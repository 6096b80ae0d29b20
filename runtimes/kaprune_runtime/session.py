"""A deployment as an ONNX Runtime session."""

import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnxruntime

from kaprune_runtime.deployment import MODEL, verify, warn_unless_checked
from kaprune_runtime.errors import InputError, KapruneError
from kaprune_runtime.onnx_file import map_weights
from kaprune_runtime.operators import library_path
from kaprune_runtime.processors import check_threads
from kaprune_runtime.providers import CPU, choose_provider, is_plugin

ANSWER_OUTPUTS = ("start_logits", "end_logits")
"""Outputs of a model for question answering, [batch, length] each."""

_FIRST_THAT_MAPS = (1, 22)
"""The onnxruntime release that takes external data beside a model that it is given as bytes."""
_EXTERNAL_FOLDER = "session.model_external_initializers_file_folder_path"


def session(
    folder_or_onnx: str | Path, *, threads: int = 1, provider: str = CPU, portable: bool = False
) -> onnxruntime.InferenceSession:
    """Load a deployment folder, or any single ONNX file, for running.

    The native operator library runs the sparse operators, on the CPU whatever the provider; where it does not
    load, one warning says so and ONNX Runtime runs their portable definitions: the same results, slower.

    Args:
        folder_or_onnx: The folder, or the file.
        threads: Threads that one run may use; at least 1, at most as many as this process may use cores.
        provider: Execution provider of this onnxruntime, or path of a plugin library that holds one; what it
            cannot run falls to the CPU provider.
        portable: Leave the native operator library out.

    Raises:
        InputError: The deployment is missing or damaged, an argument is impossible, or the provider is not in
            this onnxruntime.
        KapruneError: The provider is there but did not start.
    """
    path = Path(folder_or_onnx)
    if path.is_dir() or path.suffix != ".onnx":
        verify(path, MODEL)
        warn_unless_checked(path)
        path = path / MODEL
    elif not path.is_file():
        raise InputError(f"{path} does not exist; give a deployment folder or an ONNX file")
    check_threads(threads)

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    name = choose_provider(options, provider)
    if not portable:
        _register_library(options)
    named = None if is_plugin(provider) else list(dict.fromkeys([name, CPU]))
    try:
        model = _map_weights(path, options) or path
        loaded = onnxruntime.InferenceSession(model, options, providers=named)
    except Exception as error:
        raise InputError(f"onnxruntime cannot load {path}: {_one_line(error)}") from error
    if name not in loaded.get_providers():
        raise KapruneError(f"{name} did not start on this machine; use {CPU}")
    return loaded


def _map_weights(path: Path, options: onnxruntime.SessionOptions) -> bytes | None:
    if tuple(map(int, onnxruntime.__version__.split(".")[:2])) < _FIRST_THAT_MAPS:
        return None
    mapped = map_weights(path)
    if mapped is not None:
        options.add_session_config_entry(_EXTERNAL_FOLDER, str(path.resolve().parent))
    return mapped


def _register_library(options: onnxruntime.SessionOptions) -> None:
    try:
        options.register_custom_ops_library(str(library_path()))
    except Exception as error:
        # Always at the same line, so that Python shows it once.
        warnings.warn(
            f"running without sparse kernels, slower: {_one_line(error)}", RuntimeWarning, stacklevel=1
        )


def input_names(loaded: onnxruntime.InferenceSession) -> list[str]:
    """Name the encoder inputs that a model takes, of input_ids, attention_mask and token_type_ids.

    Raises:
        InputError: It takes others.
    """
    names = [node.name for node in loaded.get_inputs()]
    if unknown := set(names) - {"input_ids", "attention_mask", "token_type_ids"}:
        raise InputError(f"the model takes {', '.join(sorted(unknown))}; give a text encoder")
    return names


def run(loaded: onnxruntime.InferenceSession, feeds: Mapping[str, np.ndarray]) -> np.ndarray:
    """Run once and return the first output, float32 [batch, labels] or [batch, length, labels].

    Of a model for question answering it is the scores of starts and ends together, [batch, length, 2].

    Raises:
        KapruneError: ONNX Runtime failed, out of memory for one.
    """
    try:
        if {node.name for node in loaded.get_outputs()} >= set(ANSWER_OUTPUTS):
            return np.stack(loaded.run(ANSWER_OUTPUTS, dict(feeds)), axis=-1)
        return np.asarray(loaded.run(None, dict(feeds))[0])
    except Exception as error:
        raise KapruneError(f"onnxruntime failed while running the model: {_one_line(error)}") from error


def finite(outputs: np.ndarray) -> np.ndarray:
    """Give a model's outputs back.

    Raises:
        KapruneError: One is not finite.
    """
    if not np.isfinite(outputs).all():
        raise KapruneError(
            "the model's outputs are not finite; export it again from a checkpoint whose outputs are"
        )
    return outputs


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
