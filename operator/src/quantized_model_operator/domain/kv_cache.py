"""Pure: the KV cache in tokens and bytes: what one token takes, what fits, what is needed."""

from quantized_model_operator.domain.checkpoint import CheckpointFacts

GPU_BLOCK_TOKENS = 16
CPU_BLOCK_TOKENS = 128
"""Tokens of a KV block. Source: vLLM 0.33.0 on CUDA; our measurement with 0.32.0 on CPU."""

KV_CACHE_DTYPE_BYTES = {
    "auto": 2,
    "float16": 2,
    "bfloat16": 2,
    "fp8": 1,
    "fp8_e4m3": 1,
    "fp8_e5m2": 1,
}
"""Bytes of one key or value. Source: vLLM 0.33.0, measured for auto and fp8 on H200, 2026-11;
``auto`` is the model's dtype, two bytes for GPTQ whatever the bits of the weights."""


def kv_bytes_per_token(
    facts: CheckpointFacts, tensor_parallel_size: int, kv_cache_dtype: str
) -> int:
    """KV bytes of one token on one rank, over all layers.

    Source: vLLM 0.33.0 v1/kv_cache_interface.py; exact in every run on H200, fp8 included.
    """
    rank_kv_heads = max(1, facts.kv_heads // tensor_parallel_size)
    element_bytes = KV_CACHE_DTYPE_BYTES[kv_cache_dtype]
    return 2 * rank_kv_heads * facts.head_size * element_bytes * facts.layers


def kv_cache_tokens(kv_bytes: int, bytes_per_token: int, block_tokens: int) -> int:
    """Tokens that fit: whole blocks, less the one that vLLM keeps for itself.

    Source: vLLM 0.33.0 v1/core/block_pool.py; measured on GPU and CPU.
    """
    blocks = kv_bytes // (bytes_per_token * block_tokens)
    return max(0, blocks - 1) * block_tokens


def needed_kv_tokens(length_tokens: int, block_tokens: int) -> int:
    """KV tokens one request of this length needs, in whole blocks, if no layer forgets.

    Source: vLLM 0.33.0 v1/kv_cache_interface.py, checked 2026-11.
    """
    return -(-length_tokens // block_tokens) * block_tokens


def needed_kv_bytes(length_tokens: int, bytes_per_token: int, block_tokens: int) -> int:
    """KV bytes one request of this length needs, the reserved block not counted."""
    return needed_kv_tokens(length_tokens, block_tokens) * bytes_per_token
