"""Pure: what vLLM keeps free for CUDA graphs, as its own profiling of them comes out.

vLLM captures the pieces between attention for every batch size, two whole graphs of the largest
batches, and multiplies the second of these by the number of batch sizes.
"""

from quantized_model_operator.domain.activation_memory import forward_peak_bytes
from quantized_model_operator.domain.batch_limits import BatchLimits
from quantized_model_operator.domain.checkpoint import CheckpointFacts
from quantized_model_operator.domain.memory_setup import HALF_BYTES, MemorySetup
from quantized_model_operator.domain.quantization import ComputeCapability

KIB = 1 << 10
HOPPER: ComputeCapability = (9, 0)
DATACENTRE_BLACKWELL_MAJOR = 10

PIECE_BYTES = 190 * KIB
WHOLE_GRAPH_BYTES_PER_LAYER = 82 * KIB
"""Of a captured piece, and of each layer of a whole graph. Source: our measurement, vLLM 0.33.0 on
H100 and H200, 2026-11: estimates of 0.86, 0.43 and 0.19 GiB, met within 0.03 GiB; an 8B of 16
bits on an A100 had 0.43, here 0.50 (public log of 0.31)."""

ATTENTION_SPLITS = 32
"""Partial results that FlashAttention 3 keeps in float32 for each token of a graph. Source: vLLM
0.33.0 config/attention.py and v1/attention/backends/flash_attn.py, 2026-11."""


def graph_estimate_bytes(facts: CheckpointFacts, setup: MemorySetup) -> int:
    """What vLLM estimates before it sizes the KV cache; 0 in eager mode."""
    if setup.enforce_eager:
        return 0
    sizes = capture_sizes(setup.batch, setup.compute_capability)
    whole = [size for size in sizes if size <= setup.batch.max_num_seqs]
    pieces_bytes = (facts.layers + 1) * len(sizes) * PIECE_BYTES
    # The second graph, by which the others are counted, adds its hidden states to the pool.
    second = whole[-2:][0]
    second_bytes = (
        facts.layers * WHOLE_GRAPH_BYTES_PER_LAYER + second * facts.hidden_size * HALF_BYTES
    )
    splits_bytes = 0
    if setup.compute_capability == HOPPER:
        attention = setup.rank_share(facts.heads * facts.head_size)
        splits_bytes = 4 * ATTENTION_SPLITS * whole[-1] * attention
    pool_bytes = forward_peak_bytes(facts, setup, max(sizes)) + splits_bytes
    return pieces_bytes + len(whole) * second_bytes + pool_bytes


def capture_sizes(batch: BatchLimits, capability: ComputeCapability) -> tuple[int, ...]:
    """Batch sizes that are captured: 51 of them up to 512, in growing steps.

    Source: vLLM 0.33.0 config/vllm.py, checked 2026-11; 51 and 19 seen in logs.
    """
    ceiling = 1024 if capability[0] == DATACENTRE_BLACKWELL_MAJOR else 512
    largest = min(2 * batch.max_num_seqs, ceiling, batch.max_num_batched_tokens)
    steps = (1, 2, 4, *range(8, 256, 8), *range(256, largest + 1, 16), batch.max_num_seqs)
    return tuple(sorted({size for size in steps if size <= largest}))
