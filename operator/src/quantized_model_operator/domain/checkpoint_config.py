"""Pure: what config.json says of the architecture of a model."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from quantized_model_operator.domain.attention_windows import (
    attention_windows,
    longest_context,
    number_in,
)
from quantized_model_operator.domain.readable_text import readable_name

_NAMES: Mapping[str, tuple[str, ...]] = {
    "hidden_size": ("hidden_size", "n_embd", "d_model"),
    "num_hidden_layers": ("num_hidden_layers", "n_layer", "num_layers", "n_layers"),
    "num_attention_heads": ("num_attention_heads", "n_head", "n_heads"),
    "vocab_size": ("vocab_size", "padded_vocab_size"),
    "intermediate_size": ("intermediate_size", "n_inner", "ffn_dim", "moe_intermediate_size"),
    "num_key_value_heads": ("num_key_value_heads", "num_kv_heads", "multi_query_group_num"),
    "head_dim": ("head_dim", "kv_channels"),
    "num_experts": ("num_local_experts", "num_experts", "n_routed_experts"),
    "num_experts_per_tok": ("num_experts_per_tok", "num_experts_per_token", "moe_topk"),
    "expert_intermediate_size": ("moe_intermediate_size", "intermediate_size"),
}
"""Names by which model families know the same number, first match wins. Source: Transformers
5.23, configuration classes, checked 2026-11."""

_DEFAULTS: Mapping[str, Mapping[str, int]] = {
    "gemma3_text": {
        "num_attention_heads": 8,
        "num_key_value_heads": 4,
        "head_dim": 256,
        "vocab_size": 262_208,
        "max_position_embeddings": 131_072,
        "sliding_window": 4096,
    },
}
"""Numbers that configurations of a family leave out, as the published one of Gemma 3 4B does.
Source: Transformers 5.23, ``Gemma3TextConfig``, checked 2026-11."""

_REQUIRED = ("hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size")

_MOST_LAYERS = 10_000

MODEL_TYPES: Mapping[str, tuple[str, ...]] = {
    "GemmaForCausalLM": ("gemma",),
    "Gemma2ForCausalLM": ("gemma2",),
    "Gemma3ForCausalLM": ("gemma3_text",),
    "Gemma3ForConditionalGeneration": ("gemma3",),
    "GPTNeoXForCausalLM": ("gpt_neox",),
    "LlamaForCausalLM": ("llama",),
    "MistralForCausalLM": ("mistral",),
    "MixtralForCausalLM": ("mixtral",),
    "OPTForCausalLM": ("opt",),
    "PhiForCausalLM": ("phi",),
    "Phi3ForCausalLM": ("phi3",),
    "Qwen2ForCausalLM": ("qwen2",),
    "Qwen2MoeForCausalLM": ("qwen2_moe",),
    "Qwen3ForCausalLM": ("qwen3",),
    "Qwen3MoeForCausalLM": ("qwen3_moe",),
}
"""``model_type`` by which Transformers finds the configuration of these architectures; another
one ends vLLM at its start. Source: Transformers 5.23, configuration classes, checked 2026-11."""

TIED_BY_DEFAULT = frozenset({"bloom", "cohere", "cohere2", "falcon", "gemma", "gemma2", "gpt2"}) | {
    "gemma3",
    "gemma3_text",
    "gpt_bigcode",
    "mpt",
    "opt",
}
"""Families whose ``tie_word_embeddings`` is true when config.json is silent. Source: Transformers
5.23, configuration classes, checked 2026-11."""


_SPARSE_BY_STEP = frozenset({"mixtral", "qwen2_moe", "qwen3_moe"})


class InvalidConfigError(ValueError):
    """config.json does not describe a model; the text is a whole sentence with the remedy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """Numbers and names of the architecture; 0 or empty where config.json does not say."""

    architecture: str
    model_type: str
    dtype: str
    layers: int
    hidden_size: int
    intermediate_size: int
    """Of a dense feed-forward."""
    heads: int
    kv_heads: int
    head_size: int
    vocabulary: int
    max_model_length: int
    tied_embeddings: bool
    tied_is_stated: bool
    sliding_window: int
    full_attention_layers: int
    """Layers without the window that ``sliding_window`` sets; 0 when all or none have one."""
    experts: int
    """Routed experts of a sparse layer; 0 for a model without experts."""
    experts_per_token: int
    expert_intermediate_size: int
    shared_intermediate_size: int
    dense_layers: frozenset[int] | None
    """Layers that have no experts in a model with experts; ``None`` where no rule is known."""
    has_latent_attention: bool
    """Keys and values are kept compressed (DeepSeek V2 and V3)."""
    has_linear_attention: bool
    """Some layers keep a state instead of keys and values."""
    has_attention_bias: bool
    """config.json adds biases to q, k and v of a family that has none by itself."""
    known_architecture: bool
    """Whether its family is known here; of others nothing is demanded that tensors can tell."""
    needs_remote_code: bool
    """The repository brings its own model code (``auto_map``)."""


def read_object(content: bytes, name: str) -> dict[str, Any]:
    """The JSON object in a file; ``InvalidConfigError`` when it is none."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InvalidConfigError(f"{name} is no valid JSON; restore the file") from error
    if not isinstance(document, dict):
        raise InvalidConfigError(f"{name} is no JSON object; restore the file")
    return document


def parse_config(document: Mapping[str, Any]) -> ModelConfig:
    """The architecture that config.json declares; ``InvalidConfigError`` when it cannot be.

    Multimodal models keep the numbers of their language model in ``text_config``.
    """
    nested = document.get("text_config")
    merged = {**document, **nested} if isinstance(nested, dict) else dict(document)
    architecture = _architecture(document)
    model_type = _word(document.get("model_type"))
    _check_model_type(architecture, model_type)
    merged = {**_DEFAULTS.get(_word(merged.get("model_type")), {}), **merged}
    numbers = {key: number_in(merged, names) for key, names in _NAMES.items()}
    known = architecture in MODEL_TYPES
    _check_numbers(numbers, _REQUIRED if known else ())
    hidden_size, heads = numbers["hidden_size"], numbers["num_attention_heads"]
    tied = _stated_tied(document, merged)
    window = attention_windows(merged, numbers["num_hidden_layers"])
    return ModelConfig(
        architecture=architecture,
        model_type=model_type,
        dtype=_word(merged.get("dtype") or merged.get("torch_dtype")).removeprefix("torch."),
        layers=numbers["num_hidden_layers"],
        hidden_size=hidden_size,
        intermediate_size=numbers["intermediate_size"],
        heads=heads,
        kv_heads=numbers["num_key_value_heads"] or heads,
        head_size=numbers["head_dim"] or hidden_size // max(heads, 1),
        vocabulary=numbers["vocab_size"],
        max_model_length=longest_context(merged),
        tied_embeddings=model_type in TIED_BY_DEFAULT if tied is None else tied,
        tied_is_stated=tied is not None,
        sliding_window=window.tokens,
        full_attention_layers=window.full_layers,
        experts=numbers["num_experts"],
        experts_per_token=numbers["num_experts_per_tok"],
        expert_intermediate_size=numbers["expert_intermediate_size"],
        shared_intermediate_size=_shared_intermediate_size(merged, numbers),
        dense_layers=_dense_layers(merged, numbers),
        has_latent_attention=number_in(merged, ("kv_lora_rank",)) > 0,
        has_linear_attention=window.has_other_layers,
        has_attention_bias=merged.get("attention_bias") is True,
        known_architecture=known,
        needs_remote_code=bool(document.get("auto_map")),
    )


def _architecture(document: Mapping[str, Any]) -> str:
    names = document.get("architectures")
    if not isinstance(names, list) or not names or not _word(names[0]):
        raise InvalidConfigError(
            "config.json names no architectures, so vLLM cannot know the model; restore the file"
        )
    return _word(names[0])


def _check_model_type(architecture: str, model_type: str) -> None:
    if not model_type:
        raise InvalidConfigError("config.json has no model_type; restore the file")
    known = MODEL_TYPES.get(architecture)
    if known and model_type not in known:
        raise InvalidConfigError(
            f"config.json says model_type: {model_type}, but {architecture} belongs to "
            f"{known[0]}, and Transformers does not recognise it otherwise; correct model_type"
        )


def _check_numbers(numbers: Mapping[str, int], required: tuple[str, ...]) -> None:
    missing = [key for key in required if not numbers[key]]
    if missing:
        raise InvalidConfigError(
            f"config.json has no usable {', '.join(missing)}; restore the file"
        )
    if numbers["num_hidden_layers"] > _MOST_LAYERS:
        raise InvalidConfigError(
            f"config.json says num_hidden_layers: {numbers['num_hidden_layers']}, which no model "
            "has; correct it"
        )


def _word(value: object) -> str:
    return readable_name(value, 64) if isinstance(value, str) else ""


def _stated_tied(document: Mapping[str, Any], merged: Mapping[str, Any]) -> bool | None:
    for source in (document, merged):
        value = source.get("tie_word_embeddings")
        if isinstance(value, bool):
            return value
    return None


def _dense_layers(document: Mapping[str, Any], numbers: Mapping[str, int]) -> frozenset[int] | None:
    """Source: vLLM 0.33.0, models/mixtral.py, qwen2_moe.py and qwen3_moe.py, checked 2026-11."""
    layers = range(numbers["num_hidden_layers"])
    if not numbers["num_experts"] or document.get("model_type") not in _SPARSE_BY_STEP:
        return None
    step = number_in(document, ("decoder_sparse_step",)) or 1
    stated = document.get("mlp_only_layers")
    only = stated if isinstance(stated, list) else []
    return frozenset(number for number in layers if (number + 1) % step or number in only)


def _shared_intermediate_size(document: Mapping[str, Any], numbers: Mapping[str, int]) -> int:
    """Of the shared experts of a layer together: stated, or so many times that of one expert."""
    if not numbers["num_experts"]:
        return 0
    count = number_in(document, ("n_shared_experts", "num_shared_experts"))
    stated = number_in(document, ("shared_expert_intermediate_size", "shared_intermediate_size"))
    return stated or count * numbers["expert_intermediate_size"]
