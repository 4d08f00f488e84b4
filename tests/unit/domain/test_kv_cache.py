"""The KV cache: bytes of a token, tokens that fit, tokens that a request needs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantized_model_operator.domain.kv_cache import (
    CPU_BLOCK_TOKENS,
    GPU_BLOCK_TOKENS,
    kv_bytes_per_token,
    kv_cache_tokens,
    needed_kv_bytes,
    needed_kv_tokens,
)
from quantized_model_operator.domain.quantity import GIB
from unit.domain.model_shapes import (
    QWEN2_05B_INT4,
    QWEN2_7B_INT4,
    QWEN2_72B_INT4,
    TINY_INT4,
    changed,
)


def test_kv_bytes_per_token_of_known_models() -> None:
    """7B, 72B, 0.5B and the tiny model have the bytes per token computed by hand."""
    assert kv_bytes_per_token(QWEN2_7B_INT4, 1, "auto") == 57_344
    assert kv_bytes_per_token(QWEN2_7B_INT4, 2, "auto") == 28_672
    assert kv_bytes_per_token(QWEN2_72B_INT4, 1, "auto") == 327_680
    assert kv_bytes_per_token(QWEN2_05B_INT4, 1, "auto") == 12_288
    assert kv_bytes_per_token(TINY_INT4, 1, "auto") == 2_048


def test_fp8_halves_the_bytes_and_replication_saves_none() -> None:
    """fp8 needs half; more ranks than KV heads need no less than as many ranks as KV heads."""
    facts = changed(QWEN2_7B_INT4, heads=32)
    assert kv_bytes_per_token(facts, 1, "fp8") * 2 == kv_bytes_per_token(facts, 1, "bfloat16")
    assert kv_bytes_per_token(facts, 8, "auto") == kv_bytes_per_token(facts, 4, "auto")


def test_one_mebibyte_on_cpu_is_384_tokens() -> None:
    """As vLLM said on CPU: 1 MiB is four blocks of 128 tokens, one of which is reserved."""
    token_bytes = kv_bytes_per_token(TINY_INT4, 1, "auto")
    assert kv_cache_tokens(1 << 20, token_bytes, CPU_BLOCK_TOKENS) == 384


def test_need_of_a_full_7b_context_is_as_vllm_prints_it() -> None:
    """32768 tokens of a 7B need 1.75 GiB."""
    assert needed_kv_bytes(32768, 57_344, GPU_BLOCK_TOKENS) == 1.75 * GIB


@pytest.mark.parametrize(("length", "tokens"), [(1, 16), (16, 16), (17, 32), (32768, 32768)])
def test_requests_take_whole_blocks(length: int, tokens: int) -> None:
    """A request takes its tokens rounded up to blocks."""
    assert needed_kv_tokens(length, 16) == tokens


@given(st.integers(0, 10**12), st.integers(1, 10**6), st.sampled_from([16, 128]))
def test_tokens_are_whole_blocks_that_fit(kv_bytes: int, token_bytes: int, block: int) -> None:
    """Tokens come in blocks, one block is kept back, and one block more would not fit."""
    tokens = kv_cache_tokens(kv_bytes, token_bytes, block)
    assert tokens % block == 0
    assert tokens == 0 or (tokens + block) * token_bytes <= kv_bytes
    assert (tokens + 2 * block) * token_bytes > kv_bytes


@given(st.integers(0, 10**12), st.integers(1, 10**6), st.integers(1, 10**6))
def test_a_length_fits_exactly_when_its_blocks_do(
    kv_bytes: int, token_bytes: int, length: int
) -> None:
    """Comparing tokens and comparing bytes give the same verdict on a length."""
    fits_by_tokens = length <= kv_cache_tokens(kv_bytes, token_bytes, 16)
    reserved_bytes = 16 * token_bytes
    fits_by_bytes = needed_kv_bytes(length, token_bytes, 16) + reserved_bytes <= kv_bytes
    assert fits_by_tokens == fits_by_bytes
