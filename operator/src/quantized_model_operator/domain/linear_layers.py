"""Pure: the linear layers of a decoder, fused and split as vLLM does it.

Shapes: ``K`` in-features, ``N`` out-features, per layer of the model or per rank. They follow
from the numbers of config.json; where the tensors show others (an architecture with layers of
its own, several bits, linears left unquantised), the inspection has recorded the linears
themselves and those are taken.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from quantized_model_operator.domain.checkpoint import CheckpointFacts
from quantized_model_operator.domain.tensor_facts import (
    UNQUANTIZED_BITS,
    LinearKind,
    LinearShape,
    MixtureOfExperts,
)

QKV = "qkv_proj"
SHARED, EXPERTS = "shared_expert.", "experts."
"""Prefixes of the names of linears that are no dense layer's own."""

_REMEMBERED = 256
"""Answers for checkpoints and sizes: a plan asks the same for every kind of GPU."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearLayer:
    """One linear layer as a single kernel call sees it; q+k+v and gate+up are fused.

    Rules of linears hold for ``kind`` ``dense``; experts of a layer run in one kernel of their
    own (fused mixture of experts) with other rules, but are split along the same dimensions.
    """

    name: str
    """``qkv_proj``, ``o_proj``, ``gate_up_proj`` or ``down_proj``, behind ``shared_expert.`` or
    ``experts.`` where it belongs to those; in unknown architectures the tensor's own name."""
    in_features: int
    out_features: int
    row_parallel: bool
    """Split along K (o_proj, down_proj) instead of along N."""
    kind: LinearKind = "dense"
    whole: bool = False
    """Neither: every rank holds all of it."""
    count: int = 0
    """How many the model has, over all layers and experts; weights are ``count * K * N``."""
    bits: int = 0
    """Of this linear; 16 where it is not quantised."""
    group_size: int = -1
    """Of this linear, -1 where it is not quantised; mostly the checkpoint's own."""

    @property
    def quantized(self) -> bool:
        """Whether a GPTQ kernel computes it."""
        return self.bits != UNQUANTIZED_BITS


@lru_cache(maxsize=_REMEMBERED)
def linear_layers(facts: CheckpointFacts) -> tuple[LinearLayer, ...]:
    """The quantised linears of the decoder, whole, one for each shape; dense ones come first.

    A model without experts has four; sparse layers add those of shared and of routed experts.
    Source: vLLM 0.33.0, models/qwen2.py, llama.py and qwen2_moe.py, checked 2026-11.
    """
    return tuple(layer for layer in all_linears(facts) if layer.quantized)


def all_linears(facts: CheckpointFacts) -> tuple[LinearLayer, ...]:
    """The linears of the decoder, quantised or not."""
    if facts.linears:
        return tuple(_recorded(shape) for shape in facts.linears)
    return linears_of_config(facts)


def linears_of_config(facts: CheckpointFacts) -> tuple[LinearLayer, ...]:
    """The linears that the numbers of config.json make, all quantised alike."""
    made = (*_attention(facts), *_feed_forwards(facts))
    return tuple(replace(item, bits=facts.bits, group_size=facts.group_size) for item in made)


@lru_cache(maxsize=_REMEMBERED)
def rank_layers(facts: CheckpointFacts, tensor_parallel_size: int) -> tuple[LinearLayer, ...]:
    """``linear_layers``, in the same order, as one rank holds them.

    Sizes must be legal for the shapes. KV heads are replicated when there are fewer than ranks;
    ``count`` stays that of the model.
    """
    return tuple(rank_layer(layer, facts, tensor_parallel_size) for layer in linear_layers(facts))


def rank_layer(
    layer: LinearLayer, facts: CheckpointFacts, tensor_parallel_size: int
) -> LinearLayer:
    """What one rank holds of a linear."""
    if layer.whole:
        return layer
    if layer.row_parallel:
        return replace(layer, in_features=layer.in_features // tensor_parallel_size)
    heads = facts.heads + 2 * facts.kv_heads
    if layer.name == QKV and layer.out_features == heads * facts.head_size:
        rank_kv_heads = max(1, facts.kv_heads // tensor_parallel_size)
        rank_heads = facts.heads // tensor_parallel_size + 2 * rank_kv_heads
        return replace(layer, out_features=rank_heads * facts.head_size)
    return replace(layer, out_features=layer.out_features // tensor_parallel_size)


def _attention(facts: CheckpointFacts) -> Iterator[LinearLayer]:
    attention = facts.heads * facts.head_size
    yield LinearLayer(
        name=QKV,
        in_features=facts.hidden_size,
        out_features=attention + 2 * facts.kv_heads * facts.head_size,
        row_parallel=False,
        count=facts.layers,
    )
    yield LinearLayer(
        name="o_proj",
        in_features=attention,
        out_features=facts.hidden_size,
        row_parallel=True,
        count=facts.layers,
    )


def _feed_forwards(facts: CheckpointFacts) -> Iterator[LinearLayer]:
    mixture = facts.mixture
    dense_layers = facts.layers - (mixture.sparse_layers if mixture else 0)
    if dense_layers > 0:
        yield from _feed_forward(facts, "", facts.intermediate_size, dense_layers)
    if mixture:
        yield from _experts(facts, mixture)


def _experts(facts: CheckpointFacts, mixture: MixtureOfExperts) -> Iterator[LinearLayer]:
    shared, layers = mixture.shared_intermediate_size, mixture.sparse_layers
    if shared:
        yield from _feed_forward(facts, SHARED, shared, layers)
    routed = _feed_forward(
        facts, EXPERTS, mixture.expert_intermediate_size, layers * mixture.experts
    )
    yield from (replace(layer, kind="expert") for layer in routed)


def _feed_forward(
    facts: CheckpointFacts, prefix: str, intermediate_size: int, count: int
) -> Iterator[LinearLayer]:
    yield LinearLayer(
        name=f"{prefix}gate_up_proj",
        in_features=facts.hidden_size,
        out_features=2 * intermediate_size,
        row_parallel=False,
        count=count,
    )
    yield LinearLayer(
        name=f"{prefix}down_proj",
        in_features=intermediate_size,
        out_features=facts.hidden_size,
        row_parallel=True,
        count=count,
    )


def _recorded(shape: LinearShape) -> LinearLayer:
    return LinearLayer(
        name=shape.name,
        in_features=shape.inputs,
        out_features=shape.outputs,
        row_parallel=shape.split == "row",
        whole=shape.split == "whole",
        kind=shape.kind,
        count=shape.count,
        bits=shape.bits,
        group_size=shape.group_size,
    )
