import onnxruntime
import pytest

from kaprune_runtime import library_path


@pytest.fixture(scope="session")
def load():
    """Load a model's bytes with the operator library registered."""
    library = str(library_path())

    def load(model, threads=1):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 4
        options.register_custom_ops_library(library)
        return onnxruntime.InferenceSession(model, options)

    return load
