"""Execution providers: those that onnxruntime was built with, and others in libraries of their own."""

from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import onnxruntime

from kaprune_runtime.errors import InputError, KapruneError

CPU = "CPUExecutionProvider"

_RECORD_PLACEMENT = "session.record_ep_graph_assignment_info"


def choose_provider(options: onnxruntime.SessionOptions, provider: str) -> str:
    """Have a session run on a provider, and the CPU take what that leaves.

    Args:
        options: Told of a provider in a library; any other is to be named to the session.
        provider: Name of one that onnxruntime was built with, or path of a plugin library.

    Returns:
        The provider's name.

    Raises:
        InputError: There is no such provider.
        KapruneError: The plugin finds nothing to run on.
    """
    options.add_session_config_entry(_RECORD_PLACEMENT, "1")
    if is_plugin(provider):
        device = _plugin_device(Path(provider).resolve())
        options.add_provider_for_devices([device], {})
        return device.ep_name
    if provider not in (available := onnxruntime.get_available_providers()):
        raise InputError(f"this onnxruntime has no {provider}; choose from {', '.join(available)}")
    return provider


def is_plugin(provider: str) -> bool:
    """Tell the path of a library from a provider's name."""
    return Path(provider).suffix in (".so", ".dylib", ".dll")


def placement(loaded: onnxruntime.InferenceSession) -> dict[str, dict[str, int]] | None:
    """Count the graph's nodes by the provider that took them, and by operator.

    Fused nodes count as one; nodes that a provider compiles into one count as what they were.

    Returns:
        Provider -> operator -> nodes; None where this onnxruntime (before 1.24) does not tell.
    """
    if not hasattr(loaded, "get_provider_graph_assignment_info"):
        return None
    nodes: dict[str, Counter[str]] = {}
    for part in loaded.get_provider_graph_assignment_info():
        nodes.setdefault(part.ep_name, Counter()).update(node.op_type for node in part.get_nodes())
    return {provider: dict(counts.most_common()) for provider, counts in nodes.items()}


@cache
def _plugin_device(path: Path) -> Any:
    """Load a plugin library and give the first device that it finds."""
    if not hasattr(onnxruntime, "register_execution_provider_library"):
        raise InputError(
            f"onnxruntime {onnxruntime.__version__} takes no plugin libraries; 1.22 and newer do"
        )
    known = len(onnxruntime.get_ep_devices())
    try:
        onnxruntime.register_execution_provider_library(path.stem.removeprefix("lib"), str(path))
    except Exception as error:
        raise InputError(f"onnxruntime cannot load {path}: {' '.join(str(error).split())}") from error
    found = onnxruntime.get_ep_devices()[known:]
    if not found:
        raise KapruneError(f"{path.name} finds nothing to run on in this machine; use {CPU}")
    return found[0]
