"""Pure: what every layer of a family of models has, so that what all layers lack is missed too.

Comparing layers finds what one of them lacks; a tool that forgot the same tensor everywhere is
found only by knowing the family. Linears may be fused in the file or not.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from quantized_model_operator.domain.engine_names import FUSED, is_expert
from quantized_model_operator.domain.tensor_layout import Layer

_NORMS = ("input_layernorm", "post_attention_layernorm")
_MORE_NORMS = ("pre_feedforward_layernorm", "post_feedforward_layernorm")
_HEAD_NORMS = ("self_attn.q_norm", "self_attn.k_norm")
_ATTENTION = ("self_attn.qkv_proj", "self_attn.o_proj")
_BIASES = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj")


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyLayer:
    """Modules inside a layer; of a sparse one instead of the dense feed-forward."""

    always: tuple[str, ...] = (*_ATTENTION, *_NORMS)
    dense: tuple[str, ...] = ("mlp.gate_up_proj", "mlp.down_proj")
    sparse: tuple[str, ...] = ()
    biases: tuple[str, ...] = ()
    """Modules that have a bias in vLLM whatever config.json says."""


_SHARED = ("mlp.shared_expert.gate_up_proj", "mlp.shared_expert.down_proj")

FAMILIES: Mapping[str, FamilyLayer] = {
    "gemma": FamilyLayer(),
    "gemma2": FamilyLayer(always=(*_ATTENTION, *_NORMS, *_MORE_NORMS)),
    "gemma3": FamilyLayer(always=(*_ATTENTION, *_NORMS, *_MORE_NORMS, *_HEAD_NORMS)),
    "gemma3_text": FamilyLayer(always=(*_ATTENTION, *_NORMS, *_MORE_NORMS, *_HEAD_NORMS)),
    "llama": FamilyLayer(),
    "mistral": FamilyLayer(),
    "mixtral": FamilyLayer(sparse=("block_sparse_moe.gate",)),
    "phi3": FamilyLayer(),
    "qwen2": FamilyLayer(biases=_BIASES),
    "qwen2_moe": FamilyLayer(
        sparse=("mlp.gate", "mlp.shared_expert_gate", *_SHARED), biases=_BIASES
    ),
    "qwen3": FamilyLayer(always=(*_ATTENTION, *_NORMS, *_HEAD_NORMS)),
    "qwen3_moe": FamilyLayer(always=(*_ATTENTION, *_NORMS, *_HEAD_NORMS), sparse=("mlp.gate",)),
}
"""By ``model_type``. Source: vLLM 0.33.0, model_executor/models, and Transformers 5.23, modelling
files of these families, checked 2026-11."""


UNIFORM_WINDOWS = frozenset({"qwen2", "qwen3"})
"""Families whose layers have a window all or none. Source: vLLM 0.20.2 to 0.33.0, the assertion
in models/qwen2.py, checked 2026-11."""


def missing_of_family(
    model_type: str, layers: Mapping[int, Layer], *, has_attention_bias: bool, has_shared: bool
) -> Iterator[str]:
    """Full names of modules (``name.*``) and biases that the family has and a layer lacks."""
    family = FAMILIES.get(model_type)
    if family is None:
        return
    biases = _BIASES if has_attention_bias else family.biases
    for number, layer in sorted(layers.items()):
        for name in _lacking(family, layer, biases):
            if has_shared or not name.startswith("mlp.shared_expert."):
                yield f"{layer.stack}.{number}.{name}"


def _lacking(family: FamilyLayer, layer: Layer, biases: tuple[str, ...]) -> Iterator[str]:
    is_sparse = any(map(is_expert, layer.modules))
    for name in (*family.always, *(family.sparse if is_sparse else family.dense)):
        parts = _parts(name)
        if name not in layer.modules and not all(part in layer.modules for part in parts):
            lost = [part for part in parts if part not in layer.modules]
            yield from (f"{part}.*" for part in lost or [name])
    for name in biases:
        if name in layer.modules and "bias" not in layer.modules[name]:
            yield f"{name}.bias"


def _parts(name: str) -> tuple[str, ...]:
    """Names of the linears that are fused to this one; of others its own."""
    parent, _, last = name.rpartition(".")
    parts = next((parts for whole, parts in FUSED if whole == last), (last,))
    return tuple(f"{parent}.{part}".lstrip(".") for part in parts)
