import pytest
import tiny
import torch

from kaprune_edge.distillation.students import (
    NAMED_STUDENTS,
    StudentShape,
    equal_shape,
    make_student,
    student_shape,
    uniform_layer_map,
)
from kaprune_edge.encoder import encoder_matrices, encoder_weights, num_heads
from kaprune_runtime.errors import InputError


@pytest.fixture(scope="module")
def teacher():
    return tiny.make_model("bert", vocab_size=50)


def test_layers_map_as_in_tinybert():
    assert uniform_layer_map(4, 12) == [3, 6, 9, 12]
    assert uniform_layer_map(6, 12) == [2, 4, 6, 8, 10, 12]
    assert uniform_layer_map(4, 6)[-1] == 6


def test_tinyberts_have_their_published_encoder_sizes():
    """14.5 M and 67 M parameters, less embeddings (30522 words, 512 positions, 2 types) and pooler."""
    small, large = NAMED_STUDENTS["tinybert-4l-312d"], NAMED_STUDENTS["tinybert-6l-768d"]
    for shape, published in ((small, 14.5e6), (large, 67.0e6)):
        embeddings = (30522 + 512 + 2) * shape.width
        assert shape.encoder_weights + embeddings + shape.width**2 == pytest.approx(published, rel=0.015)


@pytest.mark.parametrize("weights", [530_841, 1_061_683, 2_123_366, 4_246_732])
@pytest.mark.parametrize("layers", [4, 6])
def test_an_equal_student_has_the_weights_asked_for(weights, layers):
    shape = equal_shape(weights, layers, 12)
    assert shape.encoder_weights == pytest.approx(weights, rel=0.015)
    assert shape.width % 12 == 0
    assert 2.5 < shape.intermediate / shape.width < 6


@pytest.mark.parametrize("model_type", tiny.CONFIGS)
def test_a_student_of_every_architecture_runs_and_has_its_shape(model_type):
    teacher = tiny.make_model(model_type, vocab_size=50)
    student = make_student(teacher, StudentShape(1, 16, 20))
    assert encoder_weights(student) == 4 * 16 * 16 + 2 * 16 * 20
    assert num_heads(student.config) == num_heads(teacher.config)
    assert student(input_ids=torch.randint(4, 50, (2, 7))).logits.shape == (2, 2)


def test_a_narrow_students_embeddings_keep_as_much_as_any_projection_can(teacher):
    student = make_student(teacher, StudentShape(1, 16, 20))
    words = teacher.get_input_embeddings().weight.detach()
    kept = student.get_input_embeddings().weight.detach().square().sum()
    best = torch.linalg.svdvals(words)[:16].square().sum()
    torch.testing.assert_close(kept, best)


def test_a_shallow_student_of_equal_width_starts_from_the_mapped_layers(teacher):
    student = make_student(teacher, StudentShape(1, 32, 48))
    ours = list(encoder_matrices(student).values())
    theirs = list(encoder_matrices(teacher).values())[6:]
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tiny", "unknown student"),
        ("0x16", "unknown student"),
        ("equal:1.5", "unknown student"),
        ("3x16", "choose fewer"),
        ("1x18", "use 1x16"),
        ("equal:0.999", "lower the sparsity"),
    ],
)
def test_impossible_students_are_refused(teacher, text, message):
    with pytest.raises(InputError, match=message):
        student_shape(text, teacher)
