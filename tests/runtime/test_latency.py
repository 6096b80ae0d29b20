import numpy as np
import pytest

from kaprune_runtime import InputError, session
from kaprune_runtime.deployment import read_config
from kaprune_runtime.latency import measure, peak_memory, sample_inputs
from kaprune_runtime.session import input_names


def test_every_run_is_measured(tiny):
    result = measure(tiny().folder, runs=7, sequence_length=42, batch_size=2)
    assert result.milliseconds.shape == (7,)
    assert result.milliseconds.min() > 0
    assert result.load_seconds > 0


def test_sample_inputs_are_whole_texts_of_ordinary_tokens(tiny):
    folder = tiny("roberta").folder
    config = read_config(folder)
    inputs = sample_inputs(input_names(session(folder)), config, 3, 40)
    assert set(inputs) == {"input_ids", "attention_mask"}
    ids = inputs["input_ids"]
    assert ids.shape == (3, 40)
    assert config.pad_id < ids.min()
    assert ids.max() < config.vocabulary_size
    assert len(np.unique(ids)) > 20
    assert inputs["attention_mask"].all()


def test_peak_memory_keeps_what_was_freed():
    before = peak_memory()
    held = np.ones(before // 8 + 5_000_000)
    assert peak_memory() >= held.nbytes
    del held
    assert peak_memory() >= before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"runs": 0}, "0 runs measure nothing"),
        ({"sequence_length": 43}, "takes 1 to 42 tokens, not 43"),
        ({"sequence_length": 0}, "takes 1 to 42 tokens, not 0"),
        ({"batch_size": 0}, "batch of 0 texts"),
        ({"threads": 0}, "0 threads"),
    ],
)
def test_unusable_arguments_are_refused(tiny, options, message):
    with pytest.raises(InputError, match=message):
        measure(tiny().folder, **{"runs": 1, "sequence_length": 8, **options})
