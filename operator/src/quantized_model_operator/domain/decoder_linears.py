"""Pure: the linears that the tensors of a decoder show, named and fused as vLLM does it.

Fused in the file (``qkv_proj``) or apart (``q_proj``, ``k_proj``, ``v_proj``) gives the same. No
table of architectures: modules are known by the last part of their names, and where that part
is unknown, by their shapes.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from quantized_model_operator.domain.engine_names import FUSED_NAME, is_expert
from quantized_model_operator.domain.quantization_settings import QuantizationSettings
from quantized_model_operator.domain.readable_text import readable_name
from quantized_model_operator.domain.tensor_facts import (
    UNQUANTIZED_BITS,
    LinearKind,
    LinearShape,
    Split,
)
from quantized_model_operator.domain.tensor_layout import (
    Layer,
    Module,
    derive,
    is_complete,
    is_quantized,
)

_SAME = {"w2": "down_proj"}
"""A name of Mixtral's experts, and what other families call the same linear."""

_ROW = frozenset(
    {"o_proj", "down_proj", "w2", "wo", "out_proj", "c_proj", "fc2", "dense", "dense_4h_to_h"}
)
_COLUMN = frozenset(
    {"qkv_proj", "gate_up_proj", "fc1", "dense_h_to_4h", "query_key_value", "c_fc", "c_attn"}
) | {"W_pack"}
_WHOLE = frozenset(
    {"gate", "router", "shared_expert_gate", "q_a_proj", "kv_a_proj_with_mqa", "fused_qkv_a_proj"}
)
"""How vLLM splits linears of these names. Others are split by their outputs, unless they lead
back to the hidden size: that is the stricter case, where groups must not be cut.
Source: vLLM 0.33.0, model_executor/models, checked 2026-11."""

MOST_LINEARS = 10
"""Kinds of linears that a report has room for; our choice."""
_LONGEST_NAME = 32
_MATRIX = 2
"""Dimensions."""


class _Shape(NamedTuple):
    inputs: int
    outputs: int
    bits: int
    group_size: int


def split_of(name: str, shape: tuple[int, int] = (0, 0), hidden_size: int = 0) -> Split:
    """How ranks share the linear of this name; without a shape by the name alone."""
    last = name.rpartition(".")[2]
    if last in _WHOLE:
        return "whole"
    if last in _ROW:
        leads_away = shape[0] == hidden_size != shape[1]
        return "column" if leads_away else "row"
    known = last in FUSED_NAME or last in _COLUMN
    leads_back = shape[1] == hidden_size > 0
    return "row" if not known and (leads_back or last.endswith("out")) else "column"


def is_linear_name(name: str) -> bool:
    """Whether an unquantised matrix of this name is a linear of a decoder."""
    last = name.rpartition(".")[2]
    return last.endswith("_proj") or last in FUSED_NAME or last in _ROW | _COLUMN


def decoder_linears(
    layers: Mapping[int, Layer], settings: QuantizationSettings, hidden_size: int
) -> tuple[LinearShape, ...]:
    """One entry for each kind of linear, the heaviest ``MOST_LINEARS`` of them, in a fixed order.

    Linears whose shapes contradict each other are left out: the checks tell of them.
    """
    counts: Counter[tuple[str, _Shape, Split, LinearKind]] = Counter()
    for layer in layers.values():
        for name, shape in _fused(layer, settings):
            kind: LinearKind = "expert" if is_expert(name) else "dense"
            split = split_of(name, shape[:2], hidden_size)
            counts[_short_name(name), shape, split, kind] += 1
    heaviest = sorted(counts, key=lambda key: -counts[key] * key[1].inputs * key[1].outputs)
    return tuple(
        LinearShape(
            readable_name(name, _LONGEST_NAME),
            shape.inputs,
            shape.outputs,
            split,
            kind,
            counts[name, shape, split, kind],
            shape.bits,
            shape.group_size,
        )
        for name, shape, split, kind in sorted(heaviest[:MOST_LINEARS])
    )


def _fused(layer: Layer, settings: QuantizationSettings) -> Iterator[tuple[str, _Shape]]:
    """Name inside the layer and shape, once for each linear as vLLM holds it."""
    outputs: Counter[tuple[str, int, int, int]] = Counter()
    for name, module in layer.modules.items():
        shape = _shape(f"{layer.stack}.{layer.number}.{name}", module, settings)
        if shape is not None:
            parent, _, last = name.rpartition(".")
            whole = f"{parent}.{FUSED_NAME.get(last, last)}"
            outputs[whole, shape.inputs, shape.bits, shape.group_size] += shape.outputs
    for (name, inputs, bits, group_size), count in outputs.items():
        yield name, _Shape(inputs, count, bits, group_size)


def _shape(name: str, module: Module, settings: QuantizationSettings) -> _Shape | None:
    if not is_quantized(module):
        weight = module.get("weight")
        if weight is None or len(weight.shape) != _MATRIX or not is_linear_name(name):
            return None
        return _Shape(weight.shape[1], weight.shape[0], UNQUANTIZED_BITS, -1)
    found = derive(module) if is_complete(module) else None
    if found is None:
        return None
    # As declared: the shapes alone do not tell 128 from -1 where there is one group.
    declared = settings.declared_for(name)
    return _Shape(found.inputs, found.outputs, found.bits, declared[1] if declared else -1)


def _short_name(name: str) -> str:
    parent, _, last = name.rpartition(".")
    prefix = "experts." if is_expert(name) else ""
    if "shared_expert" in parent:
        prefix = "shared_expert."
    return prefix + _SAME.get(last, last)
