import copy

import pytest
import tiny
import torch
from torch import nn

from kaprune_edge.checkpoints import load_classifier, load_tokenizer
from kaprune_edge.distillation.teaching import distillation_loss, prune_while_training
from kaprune_edge.distillation.training import Lessons
from kaprune_edge.encoder import encoder_matrices
from kaprune_edge.progress import Silent
from kaprune_edge.pruning.magnitude import Magnitude
from kaprune_edge.pruning.movement import Movement
from kaprune_edge.pruning.pruner import Pruner
from kaprune_edge.pruning.schedule import Schedule
from kaprune_edge.recipe import LossWeights, Training
from kaprune_edge.sparse_training import PackedMatrices
from kaprune_edge.sparsity.patterns import parse_pattern
from kaprune_edge.tasks import load_task, tokenize


@pytest.fixture
def threads():
    """Set PyTorch's threads for a test."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def pruned(out_features, in_features, pattern="unstructured", sparsity=0.9):
    linear = nn.Linear(in_features, out_features)
    mask = parse_pattern(pattern).mask(linear.weight.detach(), sparsity)
    with torch.no_grad():
        linear.weight.mul_(mask)
    return nn.ModuleDict({"only": linear}), mask


def learn(linear, x):
    """Run a module forwards and backwards."""
    x = x.clone().requires_grad_()
    y = linear(x)
    y.backward(torch.linspace(0, 1, y.numel()).view_as(y))
    return y, x.grad, linear.bias.grad, linear.weight.grad


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize(("shape", "pattern"), [((48, 33), "unstructured"), ((16, 64), "4x1")])
@pytest.mark.parametrize("tokens", [(1,), (3, 70), (2, 2, 150)])
def test_products_and_gradients_are_those_of_the_whole_matrix(count, shape, pattern, tokens, threads):
    threads(count)
    torch.manual_seed(0)
    model, mask = pruned(*shape, pattern)
    x = torch.randn(*tokens, shape[1])
    *expected, of_weight = learn(copy.deepcopy(model).double()["only"], x.double())
    PackedMatrices(model).pack({"only.weight": mask})
    found = learn(model["only"], x)
    for one, other in zip(found, [*expected, of_weight[mask]], strict=True):
        assert one.shape == other.shape
        assert (one - other).abs().max() <= 1e-5 * (1 + other.abs().max())


def test_a_matrix_without_weights_gives_its_bias():
    model, mask = pruned(8, 8)
    with torch.no_grad():
        model["only"].weight.zero_()
    PackedMatrices(model).pack({"only.weight": torch.zeros_like(mask)})
    y, to_x, _, to_weight = learn(model["only"], torch.ones(3, 8))
    assert torch.equal(y, model["only"].bias.expand(3, 8))
    assert not to_x.any()
    assert to_weight.shape == (0,)


def test_a_module_follows_its_kept_weights_and_has_them_in_its_matrix_again():
    model, mask = pruned(16, 16)
    linear, x = model["only"], torch.randn(5, 16)
    matrix = linear.weight
    packed = PackedMatrices(model)
    packed.pack({"only.weight": mask})
    assert packed.names == {"only.weight"}
    with torch.no_grad():
        linear.weight.fill_(1)
    torch.testing.assert_close(linear(x), x @ mask.float().T + linear.bias)
    packed.unpack()
    assert not packed.names
    assert linear.weight is matrix
    assert torch.equal(matrix, mask.float())
    torch.testing.assert_close(linear(x), x @ mask.float().T + linear.bias)


def test_a_matrix_that_is_not_sparse_stays_whole():
    model, mask = pruned(16, 16, sparsity=0.5)
    packed = PackedMatrices(model)
    packed.pack({"only.weight": mask})
    assert not packed.names
    assert model["only"].weight.shape == (16, 16)


@pytest.mark.parametrize("optimizer_class", [torch.optim.AdamW, torch.optim.SGD])
def test_an_optimizer_goes_on_with_packed_weights_and_back_as_if_they_had_been_masked(optimizer_class):
    model, mask = pruned(16, 16)
    masked = copy.deepcopy(model)
    x = torch.randn(5, 16)

    def step(model, optimizer):
        model["only"](x).square().sum().backward()
        optimizer.step()
        optimizer.zero_grad()
        if model["only"].weight.shape == mask.shape:
            with torch.no_grad():
                model["only"].weight.mul_(mask)

    packed = PackedMatrices(model)
    optimizers = [optimizer_class(each.parameters(), lr=0.01) for each in (model, masked)]
    for change in (
        lambda: packed.pack({"only.weight": mask}, optimizers[0]),
        lambda: packed.unpack(optimizers[0]),
        lambda: packed.pack({"only.weight": mask}, optimizers[0]),
    ):
        change()
        for _ in range(3):
            step(model, optimizers[0])
            step(masked, optimizers[1])
        if packed.names:
            torch.testing.assert_close(model["only"].weight, masked["only"].weight[mask])
        torch.testing.assert_close(model["only"].bias, masked["only"].bias)


def test_the_bfloat16_of_autocast_comes_in_and_float32_goes_out():
    model, mask = pruned(16, 16)
    x = torch.randn(5, 16).bfloat16()
    weight = model["only"].weight
    PackedMatrices(model).pack({"only.weight": mask})
    with torch.autocast("cpu", torch.bfloat16):
        y = model["only"](x)
    assert y.dtype == torch.float32
    torch.testing.assert_close(y, x.float() @ weight.T + model["only"].bias)


@pytest.mark.parametrize("model_type", tiny.CONFIGS)
def test_a_model_learns_the_same_of_its_teacher(model_type, checkpoint, task_spec):
    task, source = load_task(task_spec, train_rows=8), checkpoint(model_type)
    student, teacher = (load_classifier(source, task, fine_tuned=True, dropout=0) for _ in range(2))
    pruner = Pruner(encoder_matrices(student), parse_pattern("4x1"))
    pruner.prune(dict.fromkeys(pruner.matrices, 0.9), Magnitude())
    batch = load_tokenizer(source)(
        list(task.train["text"]), padding=True, truncation=True, max_length=32, return_tensors="pt"
    )
    loss = distillation_loss(student, teacher, [1, 2], LossWeights())

    def gradients():
        student.zero_grad()
        loss(student, batch, 0).backward()
        return {
            name: weight.grad.clone()
            for name, weight in student.named_parameters()
            if weight.grad is not None
        }

    expected = gradients()
    PackedMatrices(student).pack(pruner.masks)
    for name, found in gradients().items():
        kept = expected[name][pruner.masks[name] != 0] if name in pruner.masks else expected[name]
        torch.testing.assert_close(found, kept, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("criterion", [Magnitude, Movement])
def test_removed_weights_get_gradients_while_criteria_need_them(criterion, checkpoint, task_spec, tmp_path):
    task, source = load_task(task_spec, train_rows=32), checkpoint("bert")
    student, teacher = (load_classifier(source, task, fine_tuned=True, dropout=0) for _ in range(2))
    tokenizer = load_tokenizer(source)
    training = Training(epochs=1, batch_size=8, max_length=24)
    pruner = Pruner(encoder_matrices(student), parse_pattern("unstructured"))
    seen = []
    for matrix in pruner.matrices.values():
        matrix.register_post_accumulate_grad_hook(
            lambda weight: seen.append(bool(weight.grad[weight == 0].any()))
        )
    prune_while_training(
        student,
        distillation_loss(student, teacher, [1, 2], LossWeights()),
        pruner,
        criterion(),
        Schedule(pruning_steps=2, fixed_share=0.5),
        dict.fromkeys(pruner.matrices, 0.99),
        Lessons(
            tokenize(task.train, task, tokenizer), tokenizer, training, 0, tmp_path, Silent(), on_epoch=dict
        ),
    )
    steps_of_whole_matrices = 1 if criterion is Movement else 0
    assert len(seen) == steps_of_whole_matrices * len(pruner.matrices)
    assert all(seen)
    assert encoder_matrices(student).keys() == pruner.matrices.keys()
    assert all((weight == 0).float().mean() >= 0.98 for weight in encoder_matrices(student).values())
