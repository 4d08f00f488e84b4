"""Pure: what the weights of a checkpoint take on one rank after loading."""

from quantized_model_operator.domain.accelerators import MIB
from quantized_model_operator.domain.checkpoint import CheckpointFacts
from quantized_model_operator.domain.linear_layers import rank_layers
from quantized_model_operator.domain.memory_setup import HALF_BYTES, MemorySetup
from quantized_model_operator.domain.tensor_facts import TensorBytes

ROUNDING_BYTES = 2 * MIB
ROUNDED_FROM_BYTES = 10 * MIB
UNSPLIT_FROM_BYTES = 20 * MIB
"""The CUDA allocator rounds requests from 10 MiB on to 2 MiB, and vLLM forbids it to split blocks
above 20 MiB while loading. Source: torch 2.14 c10/cuda/CUDACachingAllocator.cpp; vLLM 0.33.0
v1/worker/gpu_worker.py (max_split_size_mb), 2026-11."""


def rank_weights_bytes(facts: CheckpointFacts, setup: MemorySetup) -> int:
    """Weights on one GPU after loading: its share of every class, k and v repeated if need be.

    Measured with vLLM 0.33.0: 5.29 GiB (here 5.28), 8.33 (8.32) and 0.43 (0.44), 2026-11.
    """
    return (
        _checkpoint_bytes(facts, setup)
        + _repeated_kv_bytes(facts, setup.tensor_parallel_size)
        + _allocator_rounding_bytes(facts, setup)
        + _rotary_table_bytes(facts)
    )


def _checkpoint_bytes(facts: CheckpointFacts, setup: MemorySetup) -> int:
    """A rank's share of what is on disk and loaded."""
    classes = facts.tensor_bytes
    if classes is None:
        return setup.rank_share(facts.weights_bytes)
    shared_bytes = _shared_bytes(classes, tied=facts.tied_embeddings)
    return setup.rank_share(shared_bytes) + classes.whole_bytes + classes.outside_bytes


def _shared_bytes(classes: TensorBytes, *, tied: bool) -> int:
    """What ranks split among them: zero points are loaded, group indices are not."""
    head_bytes = 0 if tied else classes.head_bytes
    loaded_bytes = classes.embedding_bytes + head_bytes + classes.dense_bytes
    quantized_bytes = classes.linear_bytes + classes.expert_bytes
    index_bytes = classes.index_bytes + classes.expert_index_bytes
    return loaded_bytes + quantized_bytes - index_bytes


def _repeated_kv_bytes(facts: CheckpointFacts, size: int) -> int:
    """What a rank holds of k and v projections beyond its even share."""
    if size <= facts.kv_heads:
        return 0
    features = facts.hidden_size * facts.kv_heads * facts.head_size
    groups = 1 if facts.group_size == -1 else -(-facts.hidden_size // facts.group_size)
    scales = groups * facts.kv_heads * facts.head_size
    projections_bytes = 2 * facts.layers * (features * facts.bits // 8 + HALF_BYTES * scales)
    return projections_bytes // facts.kv_heads - projections_bytes // size


def _allocator_rounding_bytes(facts: CheckpointFacts, setup: MemorySetup) -> int:
    """Ends of blocks behind packed weights that nothing else can use."""
    return sum(
        layer.count * _unused_end_bytes(layer.in_features * layer.out_features * layer.bits // 8)
        for layer in rank_layers(facts, setup.tensor_parallel_size)
        if layer.kind == "dense"
    )


def _unused_end_bytes(request_bytes: int) -> int:
    if request_bytes < ROUNDED_FROM_BYTES:
        return 0
    end_bytes = -request_bytes % ROUNDING_BYTES
    return end_bytes if request_bytes >= UNSPLIT_FROM_BYTES or end_bytes <= MIB else 0


def _rotary_table_bytes(facts: CheckpointFacts) -> int:
    return facts.max_model_length * facts.head_size * HALF_BYTES
