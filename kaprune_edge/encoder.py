"""Where the supported architectures keep their layers: the one place that knows module names."""

from dataclasses import asdict, dataclass
from typing import Any, cast

from optimum.utils import NormalizedConfigManager
from torch import nn
from transformers import PretrainedConfig, PreTrainedModel

from kaprune_runtime.errors import InputError


@dataclass(frozen=True)
class LayerLayout:
    """Paths of a layer's six linear modules and two layer norms, relative to the layer."""

    layers: str
    query: str
    key: str
    value: str
    attention_output: str
    intermediate: str
    output: str
    attention_norm: str
    output_norm: str

    @property
    def linears(self) -> tuple[str, ...]:
        """The six paths, in the order of computation."""
        return (self.query, self.key, self.value, self.attention_output, self.intermediate, self.output)


_BERT = LayerLayout(
    layers="encoder.layer",
    query="attention.self.query",
    key="attention.self.key",
    value="attention.self.value",
    attention_output="attention.output.dense",
    intermediate="intermediate.dense",
    output="output.dense",
    attention_norm="attention.output.LayerNorm",
    output_norm="output.LayerNorm",
)
LAYOUTS = {
    "bert": _BERT,
    "roberta": _BERT,
    "electra": _BERT,
    "distilbert": LayerLayout(
        layers="transformer.layer",
        query="attention.q_lin",
        key="attention.k_lin",
        value="attention.v_lin",
        attention_output="attention.out_lin",
        intermediate="ffn.lin1",
        output="ffn.lin2",
        attention_norm="sa_layer_norm",
        output_norm="output_layer_norm",
    ),
    "mpnet": LayerLayout(
        layers="encoder.layer",
        query="attention.attn.q",
        key="attention.attn.k",
        value="attention.attn.v",
        attention_output="attention.attn.o",
        intermediate="intermediate.dense",
        output="output.dense",
        attention_norm="attention.LayerNorm",
        output_norm="output.LayerNorm",
    ),
}


@dataclass(frozen=True)
class Layer:
    """One encoder layer: the whole module, its linear modules, and the norms after each residual sum."""

    module: nn.Module
    query: nn.Linear
    key: nn.Linear
    value: nn.Linear
    attention_output: nn.Linear
    intermediate: nn.Linear
    output: nn.Linear
    attention_norm: nn.LayerNorm
    output_norm: nn.LayerNorm


def check_supported(config: PretrainedConfig) -> None:
    """Raise InputError unless the architecture is one whose layers are known."""
    if config.model_type not in LAYOUTS:
        supported = ", ".join(sorted(LAYOUTS))
        raise InputError(f"architecture '{config.model_type}' is not supported; use one of: {supported}")


def num_heads(config: PretrainedConfig) -> int:
    """Attention heads of a layer, whatever the architecture calls them."""
    return int(
        NormalizedConfigManager.get_normalized_config_class(config.model_type)(config).num_attention_heads
    )


def encoder_layers(model: PreTrainedModel) -> list[Layer]:
    """Find the layers of a supported encoder.

    Raises:
        InputError: The architecture is not supported.
    """
    check_supported(model.config)
    paths = asdict(LAYOUTS[model.config.model_type])
    layers = model.base_model.get_submodule(paths.pop("layers"))
    return [
        Layer(layer, **{role: cast(Any, layer.get_submodule(path)) for role, path in paths.items()})
        for layer in layers.children()
    ]


def encoder_matrices(model: PreTrainedModel) -> dict[str, nn.Parameter]:
    """The matrices that pruning may touch: query, key, value, attention output, both feed-forward ones.

    Returns:
        Parameter name in the model -> weight, shape [out_features, in_features], in layer order.

    Raises:
        InputError: The architecture is not supported.
    """
    check_supported(model.config)
    layout = LAYOUTS[model.config.model_type]
    prefix = f"{model.base_model_prefix}.{layout.layers}"
    layers = model.base_model.get_submodule(layout.layers).named_children()
    names = [f"{prefix}.{index}.{path}.weight" for index, _ in layers for path in layout.linears]
    return {name: model.get_parameter(name) for name in names}


def encoder_size(model: PreTrainedModel) -> int:
    """Count all weights in the encoder's prunable matrices, zeros included."""
    return sum(weight.numel() for weight in encoder_matrices(model).values())


def encoder_weights(model: PreTrainedModel) -> int:
    """Count the nonzero weights in the encoder's prunable matrices."""
    return sum(int(weight.count_nonzero()) for weight in encoder_matrices(model).values())
