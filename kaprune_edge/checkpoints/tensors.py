"""The tensors of a checkpoint's files, under the names that a plain PyTorch model gives them."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from pickle import UnpicklingError

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor
from transformers import PretrainedConfig

from kaprune_edge.checkpoints.files import refuse_pointer, weight_files
from kaprune_edge.encoder import LAYOUTS
from kaprune_runtime.deployment import CONFIG
from kaprune_runtime.errors import InputError

_WRAPPERS = re.compile(
    r"^module\.|(?:^|(?<=\.))(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\."
)
"""What DataParallel, torch.compile, FSDP and activation checkpointing put before a module's own name."""

_FORMS = (
    (
        r"lora_|ia3_|\.base_layer\.|modules_to_save|adapter_?(fusion|s)?\.|prompt_encoder|prefix_encoder",
        "an adapter's",
        "merge it into the model with PEFT's merge_and_unload() and save again",
    ),
    (
        r"(weight|bias)_u$",
        "of spectral normalization",
        "call torch.nn.utils.remove_spectral_norm on each module and save again",
    ),
    (
        r"(weight|bias)_(orig|mask)$",
        "of torch.nn.utils.prune",
        "call torch.nn.utils.prune.remove on each pruned module and save again",
    ),
    (
        r"weight_[gv]$",
        "of weight normalization",
        "call torch.nn.utils.remove_weight_norm on each module and save again",
    ),
    (
        r"(^|\.)parametrizations\.",
        "of a parametrization",
        "call torch.nn.utils.parametrize.remove_parametrizations on each module and save again",
    ),
    (
        r"mask_scores$|(^|\.)masks?\.",
        "masks that its tool applies while it runs",
        "multiply them into the weights with that tool and save again",
    ),
    (
        r"activation_post_process|fake_quant|(^|\.)_?observer|(pre_ops|nncf)\.",
        "of training with simulated quantization",
        "save the model without it",
    ),
    (
        r"in_proj_(weight|bias)$|linear[12]_weight$",
        "of BetterTransformer",
        "call model.reverse_bettertransformer() and save again",
    ),
    (
        r"qweight$|qzeros$|g_idx$|\.SCB$|absmax$|quant_map|quant_state|_packed_params|weight_scale$|"
        r"input_scale$|zero_point$|weight_packed$|\.bitmask$|\.compressed$",
        "of weights that another tool quantized or packed",
        "name the checkpoint before that; `kaprune-edge export --quantize int8` quantizes",
    ),
)
"""Pattern of a tensor's name; whose it is; how to get plain weights of it."""


def read_tensors(folder: Path, config: PretrainedConfig) -> dict[str, Tensor]:
    """Read the weights of a checkpoint whose sizes are those of its configuration.

    Args:
        folder: Holds the files.
        config: Its configuration.

    Returns:
        Parameter and buffer names, without what wrappers put before them, and the tensors as stored.

    Raises:
        InputError: A file is missing or damaged, the weights are not plain ones, or the sizes differ from
            the configuration's.
    """
    files = weight_files(folder)
    shapes: dict[str, tuple[int, ...]] = {}
    for file in files:
        refuse_pointer(file)
        shapes |= _header(file)
    names = {name: _WRAPPERS.sub("", name) for name in shapes}
    if len(set(names.values())) < len(names):
        raise InputError(f"{files[0]} holds a model twice, wrapped and plain; save the plain one alone")
    _check_forms(names, files[0])
    _check_sizes({names[name]: shape for name, shape in shapes.items()}, config, folder)
    tensors = {names[name]: tensor for file in files for name, tensor in _load(file).items()}
    for name, tensor in tensors.items():
        if not tensor.is_floating_point() and not name.endswith("position_ids"):
            kind = str(tensor.dtype).removeprefix("torch.")
            raise InputError(f"{name} in {folder} has the type {kind}; save the model in float32")
    return tensors


def _header(file: Path) -> dict[str, tuple[int, ...]]:
    """Shape of each tensor of a file, read without its contents."""
    if file.suffix != ".safetensors":
        return {name: tuple(tensor.shape) for name, tensor in _load(file).items()}
    try:
        with safe_open(file, "pt") as opened:
            return {name: tuple(opened.get_slice(name).get_shape()) for name in opened.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise _damaged(file, error) from error


def _load(file: Path) -> Mapping[str, Tensor]:
    try:
        if file.suffix == ".safetensors":
            with safe_open(file, "pt") as opened:
                return {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
        content = torch.load(file, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        raise InputError(
            f"{file} is damaged or holds more than tensors, which is not read: such files can run code; save "
            "the model as model.safetensors (save_pretrained does)"
        ) from error
    except (OSError, SafetensorError, EOFError, RuntimeError, ValueError, KeyError) as error:
        raise _damaged(file, error) from error
    if not isinstance(content, dict) or not all(isinstance(tensor, Tensor) for tensor in content.values()):
        raise InputError(
            f"{file} holds more than a model's tensors; save the model as model.safetensors "
            "(save_pretrained does)"
        )
    return content


def _damaged(file: Path, error: Exception) -> InputError:
    return InputError(f"{file} is damaged ({' '.join(str(error).split())[:120]}); fetch the checkpoint again")


def _check_forms(names: Iterable[str], file: Path) -> None:
    for pattern, whose, remedy in _FORMS:
        if found := [name for name in names if re.search(pattern, name)]:
            raise InputError(f"{file} holds tensors {whose} ({found[0]}); {remedy}")


def _check_sizes(shapes: Mapping[str, tuple[int, ...]], config: PretrainedConfig, folder: Path) -> None:
    """Compare the sizes in config.json with the tensors before anything of these sizes is made."""
    layers = re.compile(rf"(?:^|\.){re.escape(LAYOUTS[config.model_type].layers)}\.(\d+)\.")
    found = {int(match[1]) for name in shapes if (match := layers.search(name))}
    stated = config.num_hidden_layers
    if len(found) != stated:
        raise InputError(
            f"{folder / CONFIG} says {stated} layers, the weights beside it have {len(found)}; fetch the "
            "checkpoint again"
        )
    width = config.hidden_size
    narrow = getattr(config, "embedding_size", width)
    expected = {
        "embeddings.word_embeddings.weight": (config.vocab_size, narrow),
        "embeddings.position_embeddings.weight": (config.max_position_embeddings, narrow),
        "embeddings.token_type_embeddings.weight": (getattr(config, "type_vocab_size", 0), narrow),
        f"0.{LAYOUTS[config.model_type].query}.weight": (width, width),
        f"0.{LAYOUTS[config.model_type].intermediate}.weight": (_inner(config), width),
    }
    for ending, shape in expected.items():
        for name, own in shapes.items():
            if name.endswith(ending) and own != shape:
                raise InputError(
                    f"{name} in {folder} is {list(own)}, its config.json says {list(shape)}; fetch the "
                    "checkpoint again"
                )


def _inner(config: PretrainedConfig) -> int:
    return int(config.hidden_dim if config.model_type == "distilbert" else config.intermediate_size)
