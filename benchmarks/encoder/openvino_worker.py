"""OpenVINO as a worker of the benchmark, in its own environment: float32, as the others."""

import openvino
from engine_worker import Run, serve


def load(file: str, tokens: int, threads: int) -> Run:
    core = openvino.Core()
    model = core.read_model(file)
    model.reshape({node: [1, tokens] for node in model.inputs})
    options = {
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": "f32",
        "PERFORMANCE_HINT": "LATENCY",
        "ENABLE_CPU_PINNING": False,
    }
    return core.compile_model(model, "CPU", options).create_infer_request().infer


if __name__ == "__main__":
    serve(load)
