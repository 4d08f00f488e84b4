"""Pure: buffers for the sums that tensor parallel ranks exchange."""

from quantized_model_operator.domain.accelerators import MIB
from quantized_model_operator.domain.checkpoint import CheckpointFacts
from quantized_model_operator.domain.memory_setup import HALF_BYTES, MemorySetup

FUSED_SUM_LIMIT_BYTES = {
    9: {2: 64 * MIB, 4: 2 * MIB, 8: MIB},
    10: {2: 64 * MIB, 4: 32 * MIB, 8: MIB},
}
"""Largest hidden states that are summed and normalised in one kernel, by major compute capability
and number of ranks; others are summed by NCCL, whose buffers exist before vLLM looks at the GPU.
Source: vLLM 0.33.0 compilation/passes/fusion/allreduce_rms_fusion.py, 2026-11."""

BUFFERS_PER_RANK = 4
"""One for two-step sums and three in turn for one-step sums. Source: FlashInfer 0.7.2
comm/trtllm_ar.py, 2026-11."""


def exchange_bytes(facts: CheckpointFacts, setup: MemorySetup) -> int:
    """What the fused kernel keeps on each rank; 0 in eager mode, which does not use it."""
    size = setup.tensor_parallel_size
    limits = FUSED_SUM_LIMIT_BYTES.get(setup.compute_capability[0], {})
    if setup.enforce_eager or size not in limits:
        return 0
    token_bytes = facts.hidden_size * HALF_BYTES
    tokens = min(limits[size] // token_bytes, setup.batch.max_num_batched_tokens)
    return BUFFERS_PER_RANK * size * tokens * token_bytes
