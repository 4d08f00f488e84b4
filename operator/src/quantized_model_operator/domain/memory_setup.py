"""Pure: what decides about the memory of one GPU beside the checkpoint."""

from dataclasses import dataclass

from quantized_model_operator.domain.batch_limits import BatchLimits
from quantized_model_operator.domain.engine_version import EngineVersion
from quantized_model_operator.domain.quantization import ComputeCapability

HALF_BYTES = 2
"""Bytes of an element in float16 and bfloat16, the only dtypes that GPTQ is served in."""

VOCABULARY_MULTIPLE = 64
"""Source: vLLM 0.33.0 layers/vocab_parallel_embedding.py, 2026-11."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemorySetup:
    """Everything but the checkpoint that decides about memory."""

    total_bytes: int
    """Of one GPU, as torch reports it."""
    compute_capability: ComputeCapability
    utilization: float
    tensor_parallel_size: int
    batch: BatchLimits
    enforce_eager: bool
    engine_version: EngineVersion

    @property
    def sampled_sequences(self) -> int:
        """Sequences of the profile run, no more than its tokens."""
        return min(self.batch.max_num_seqs, self.batch.max_num_batched_tokens)

    def rank_share(self, number: int) -> int:
        """The part of a split dimension that one rank holds, rounded up."""
        return -(-number // self.tensor_parallel_size)


def padded_vocabulary(vocabulary: int) -> int:
    """Vocabulary entries as vLLM pads them."""
    return -(-vocabulary // VOCABULARY_MULTIPLE) * VOCABULARY_MULTIPLE
