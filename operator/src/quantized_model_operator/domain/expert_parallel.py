"""Pure: experts given out whole among the GPUs of a replica instead of each being split.

The user asks for it with ``--enable-expert-parallel``. Shapes of experts then stay whole on every
rank, so they stand in no way of a tensor parallel size; weights are shared as before.
Source: vLLM 0.33.0 fused_moe/config.py (``use_ep``) and experts/marlin_moe.py, 2026-11, read.
"""

from dataclasses import replace

from quantized_model_operator.domain.checkpoint import CheckpointFacts
from quantized_model_operator.domain.linear_layers import LinearLayer, all_linears
from quantized_model_operator.domain.plan_values import ServingRequest
from quantized_model_operator.domain.tensor_facts import LinearShape, Split


def as_shared(facts: CheckpointFacts, request: ServingRequest) -> CheckpointFacts:
    """The checkpoint as the ranks of this request share it, which decides over their number."""
    return with_whole_experts(facts) if request.expert_parallel else facts


def with_whole_experts(facts: CheckpointFacts) -> CheckpointFacts:
    """The checkpoint as ranks see it that share experts by number."""
    return replace(facts, linears=tuple(_shape(layer) for layer in all_linears(facts)))


def _shape(layer: LinearLayer) -> LinearShape:
    split: Split = "row" if layer.row_parallel else "column"
    return LinearShape(
        name=layer.name,
        inputs=layer.in_features,
        outputs=layer.out_features,
        split="whole" if layer.whole or layer.kind == "expert" else split,
        kind=layer.kind,
        count=layer.count,
        bits=layer.bits,
        group_size=layer.group_size,
    )
