"""Pure: the quantised linear layers of a dense decoder, fused and split as vLLM does it.

Shapes: ``K`` in-features, ``N`` out-features, per layer of the model or per rank.
"""

from dataclasses import dataclass

from quantized_model_operator.domain.checkpoint import CheckpointFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearLayer:
    """One linear layer as a single kernel call sees it; q+k+v and gate+up are fused."""

    name: str
    in_features: int
    out_features: int
    row_parallel: bool
    """Split along K (o_proj, down_proj) instead of along N."""


def linear_layers(facts: CheckpointFacts) -> tuple[LinearLayer, ...]:
    """The four linears of a decoder layer, whole.

    Source: vLLM 0.33.0, models/qwen2.py and models/llama.py, checked 2026-11.
    """
    attention = facts.heads * facts.head_size
    return (
        LinearLayer(
            name="qkv_proj",
            in_features=facts.hidden_size,
            out_features=attention + 2 * facts.kv_heads * facts.head_size,
            row_parallel=False,
        ),
        LinearLayer(
            name="o_proj", in_features=attention, out_features=facts.hidden_size, row_parallel=True
        ),
        LinearLayer(
            name="gate_up_proj",
            in_features=facts.hidden_size,
            out_features=2 * facts.intermediate_size,
            row_parallel=False,
        ),
        LinearLayer(
            name="down_proj",
            in_features=facts.intermediate_size,
            out_features=facts.hidden_size,
            row_parallel=True,
        ),
    )


def rank_layers(facts: CheckpointFacts, tensor_parallel_size: int) -> tuple[LinearLayer, ...]:
    """The same linears as one rank holds them; sizes must be legal for the shapes.

    KV heads are replicated when there are fewer than ranks.
    """
    qkv, output, gate_up, down = linear_layers(facts)
    rank_heads = facts.heads // tensor_parallel_size
    rank_kv_heads = max(1, facts.kv_heads // tensor_parallel_size)
    return (
        LinearLayer(
            name=qkv.name,
            in_features=qkv.in_features,
            out_features=(rank_heads + 2 * rank_kv_heads) * facts.head_size,
            row_parallel=False,
        ),
        LinearLayer(
            name=output.name,
            in_features=output.in_features // tensor_parallel_size,
            out_features=output.out_features,
            row_parallel=True,
        ),
        LinearLayer(
            name=gate_up.name,
            in_features=gate_up.in_features,
            out_features=gate_up.out_features // tensor_parallel_size,
            row_parallel=False,
        ),
        LinearLayer(
            name=down.name,
            in_features=down.in_features // tensor_parallel_size,
            out_features=down.out_features,
            row_parallel=True,
        ),
    )
