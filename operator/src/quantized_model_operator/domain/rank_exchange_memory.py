"""Pure: buffers for the sums that tensor parallel ranks exchange."""

from quantized_model_operator.domain.accelerators import MIB
from quantized_model_operator.domain.checkpoint import CheckpointFacts
from quantized_model_operator.domain.memory_setup import HALF_BYTES, MemorySetup

FUSED_SUM_LIMIT_BYTES = {
    (9, 0): {2: 64 * MIB, 4: 2 * MIB, 8: MIB // 2},
    (10, 0): {2: 64 * MIB, 4: 32 * MIB, 8: MIB},
    (10, 3): {2: 64 * MIB, 4: 64 * MIB, 8: 4 * MIB},
}
"""Largest hidden states that FlashInfer sums, by compute capability and number of ranks; others
are summed by kernels whose buffers exist before vLLM looks at the GPU. Source: vLLM 0.33.0
compilation/passes/fusion/allreduce_rms_fusion.py, 2026-11."""

BUFFERS = 3 * 2
"""Three in turn, for both steps of a sum. Source: FlashInfer 0.7.2 comm/trtllm_mnnvl_ar.py; a log
of 0.33.0 on two H200 shows that this kind is taken, eager mode included, 2026-11."""


def exchange_bytes(facts: CheckpointFacts, setup: MemorySetup) -> int:
    """What FlashInfer keeps on each rank for sums.

    Compiled, the buffers hold one step or as much of it as is summed this way; in eager mode the
    first sum within the limit makes them as large as the limit.
    """
    limits = FUSED_SUM_LIMIT_BYTES.get(setup.compute_capability, {})
    token_bytes = facts.hidden_size * HALF_BYTES
    tokens = limits.get(setup.tensor_parallel_size, 0) // token_bytes
    if not setup.enforce_eager:
        tokens = min(tokens, setup.batch.max_num_batched_tokens)
    return BUFFERS * tokens * token_bytes
