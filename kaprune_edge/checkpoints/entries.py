"""Entries of config.json: which change what a model computes, and which of them are honoured.

A family's own entries, which the installed transformers reads, are honoured, but for the values that `ONLY`
leaves out. An entry that only other releases or tools read is refused where its name says that it changes the
computation and its value switches it on.
"""

import re
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from transformers import CONFIG_MAPPING

from kaprune_runtime.errors import InputError

ACTIVATIONS = (
    "gelu",
    "gelu_python",
    "gelu_new",
    "gelu_fast",
    "gelu_accurate",
    "gelu_pytorch_tanh",
    "quick_gelu",
    "relu",
    "relu2",
    "relu6",
    "silu",
    "swish",
    "mish",
    "tanh",
    "sigmoid",
    "leaky_relu",
    "linear",
)
"""Activation functions without weights of their own, by transformers' names."""

ONLY: Mapping[str, tuple[object, ...]] = {
    "hidden_act": ACTIVATIONS,
    "activation": ACTIVATIONS,
    "position_embedding_type": ("absolute",),
    "is_decoder": (False,),
    "is_encoder_decoder": (False,),
    "add_cross_attention": (False,),
}
"""Entry -> the values that are honoured."""

_UNREAD: Mapping[str, object] = {"hidden_act": "gelu", "activation": "gelu", "layer_norm_eps": 1e-12}
"""Entries of some families -> what a family that does not read them computes with."""

_FOREIGN = ("pruned_heads", "quantization_config", "compression_config", "auto_map")

# fmt: off
DROPPED = frozenset((
    "return_dict", "output_attentions", "output_hidden_states", "torchscript", "use_bfloat16",
    "chunk_size_feed_forward", "gradient_checkpointing", "torch_dtype", "dtype", "attn_implementation",
    "_attn_implementation", "_attn_implementation_internal", "experts_implementation",
    "transformers_version", "_commit_hash", "use_return_dict", "auto_map",
))
# fmt: on
"""How a model is run, stored or answers, not what it computes: the loader decides that."""

# fmt: off
HARMLESS = frozenset((
    "architectures", "model_type", "_name_or_path", "name_or_path", "finetuning_task",
    "task_specific_params", "tokenizer_class", "directionality", "use_cache", "output_past", "xla_device",
    "pruned_heads", "cross_attention_hidden_size", "tie_word_embeddings", "tie_encoder_decoder",
    "tie_weights_", "initializer_range", "initializer_factor", "layerdrop", "adapters", "problem_type",
    "id2label", "label2id", "num_labels", "_num_labels", "language", "vocab_file", "num_beam_groups",
    "num_hidden_states", "classifier_dropout", "sinusoidal_pos_embds", "sentence_transformers",
    "sbert_ce_default_activation_function", "kaprune", "custom_pipelines",
))
# fmt: on
"""Entries of real checkpoints that no encoder's outputs depend on."""

_HARMLESS = re.compile(r"_|pooler_|summary_|.*_token_id$|.*dropout|.*_prob$|.*_penalty$|.*_version$|freeze")
_SPEAKS_OF_COMPUTATION = re.compile(
    r"position|rope|rotary|alibi|atten|attn|norm|bias|activation|_act(_|$)|layer|head|(^|_)emb|pool|(^|_)gat(e|i)|"
    r"glu(_|$)|window|moe(_|$)|expert|lora|adapter|(^|_)kv|scal(e|ing)|residual|hidden|(^|_)conv(_|$)|kernel|"
    r"decoder|parallel|bottleneck|distance|bucket|quant|compress|causal|ffn|feed_?forward|width|depth|qk|mlp"
)
_OFF: tuple[object, ...] = (None, False, 0, "", "none", "absolute", [], {})


def check_entries(config: Mapping[str, Any], path: Path) -> None:
    """Refuse what changes a model's computation and is not honoured.

    Args:
        config: What config.json holds, of a supported family.
        path: The file, for messages.

    Raises:
        InputError: An entry is refused.
    """
    family = CONFIG_MAPPING[config["model_type"]]
    own = {field.name for field in fields(family)} | family.attribute_map.keys()
    for entry, value in config.items():
        if value is None or entry in DROPPED - {*_FOREIGN}:
            continue
        if entry in _FOREIGN:
            _check_foreign(entry, value, path)
        elif entry in _UNREAD and entry not in own:
            if value != _UNREAD[entry]:
                raise InputError(
                    f"{entry} {value!r} in {path} is not supported: a {config['model_type']} reads no such "
                    f"entry, and computes as with {_UNREAD[entry]!r}"
                )
        elif entry in ONLY:
            if value not in ONLY[entry]:
                known = ", ".join(str(one).lower() if one is False else str(one) for one in ONLY[entry])
                raise InputError(f"{entry} {value!r} in {path} is not supported; supported: {known}")
        elif entry in ("embedding_size", "emb_size") and entry not in own:
            if value != config.get("hidden_size", value):
                raise InputError(
                    f"{entry} {value!r} in {path} is not supported in a {config['model_type']}; it must be "
                    "its hidden_size"
                )
        elif entry not in own and _changes(entry, value):
            raise InputError(
                f"{path} has the entry {entry} ({_short(value)}), which transformers' {config['model_type']} "
                "does not know; if the model was trained with it, it is not supported: take the entry out "
                "only if it was not"
            )


def _check_foreign(entry: str, value: Any, path: Path) -> None:
    if not value:
        return
    if entry == "auto_map":
        raise InputError(f"{path} names code of its own (auto_map); such code is never run")
    if entry == "pruned_heads":
        if any(value.values() if isinstance(value, Mapping) else value):
            raise InputError(
                f"{path} says that heads were cut out (pruned_heads), which is not supported; set "
                "the heads' weights to zero in the whole model instead, and export that"
            )
        return
    method = value.get("quant_method", "another tool") if isinstance(value, Mapping) else "another tool"
    raise InputError(
        f"the weights beside {path} are quantized by {method} ({entry}); name the checkpoint before that and "
        "quantize with `kaprune-edge export --quantize int8`"
    )


def _changes(entry: str, value: Any) -> bool:
    """Whether an unknown entry is switched on and its name speaks of the computation."""
    if entry in HARMLESS or _HARMLESS.match(entry) or value in _OFF:
        return False
    return _SPEAKS_OF_COMPUTATION.search(entry.lower()) is not None


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
