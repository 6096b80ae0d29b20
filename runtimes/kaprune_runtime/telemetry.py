"""ONNX Runtime's telemetry: off in every process of ours.

Wheels of onnxruntime (1.31 for one) look up a host of their vendor's seconds after they are imported, and
leave an identifier in `~/.cache/Microsoft`. They read this variable while they are loaded, so that
`disable_telemetry_events` comes too late. Both packages of ours import this module before onnxruntime.
"""

import os

SWITCH = "ORT_DISABLE_TELEMETRY"

os.environ.setdefault(SWITCH, "1")
