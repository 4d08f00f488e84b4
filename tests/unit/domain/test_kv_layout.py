"""Blocks of models whose layers forget, do not, or are mixed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantized_model_operator.domain.kv_cache import kv_bytes_per_token, kv_cache_tokens
from quantized_model_operator.domain.kv_layout import KvLayout, kv_layout
from quantized_model_operator.domain.quantity import GIB
from unit.domain.memory_runs import FITTED, HELD_BACK, SMALL, Run
from unit.domain.model_shapes import QWEN2_7B_INT4, changed

LAYER = 2 * 4 * 128 * 2 * 16
"""Bytes of a block of one layer of the 7B."""
GEMMA3_27B = changed(
    QWEN2_7B_INT4, layers=62, kv_heads=16, sliding_window=1024, full_attention_layers=10
)
GEMMA2_9B = changed(
    QWEN2_7B_INT4, layers=42, kv_heads=8, sliding_window=4096, full_attention_layers=21
)
MISTRAL_7B = changed(QWEN2_7B_INT4, layers=32, kv_heads=8, sliding_window=4096)


@pytest.mark.parametrize("run", [*FITTED, *HELD_BACK], ids=lambda run: run.name)
def test_layers_that_are_alike_share_one_group(run: Run) -> None:
    """The size of the cache is the one vLLM logged, to a block."""
    layout = kv_layout(run.facts, 1, run.kv_cache_dtype, run.batch)
    token_bytes = kv_bytes_per_token(run.facts, 1, run.kv_cache_dtype)
    kv_bytes = (run.kv_tokens + 16) * token_bytes
    assert (layout.full_groups, layout.window_groups) == (1, 0)
    assert layout.tokens(kv_bytes, 32768) == run.kv_tokens
    assert kv_cache_tokens(kv_bytes, token_bytes, 16) == run.kv_tokens


@pytest.mark.parametrize(
    ("layers", "full_layers", "groups"),
    [
        (62, 10, (10, 1, 6)),
        (42, 21, (21, 1, 1)),
        (26, 4, (4, 1, 6)),
        (24, 12, (12, 1, 1)),
        (25, 13, (13, 1, 1)),
        (30, 20, (10, 2, 1)),
        (32, 0, (32, 0, 1)),
        (32, 32, (32, 1, 0)),
    ],
)
def test_groups_have_as_many_layers(
    layers: int, full_layers: int, groups: tuple[int, int, int]
) -> None:
    """The fewer layers of two kinds make a group; kinds that are close are padded to the more."""
    facts = changed(
        QWEN2_7B_INT4, layers=layers, sliding_window=1024, full_attention_layers=full_layers
    )
    layout = kv_layout(facts, 1, "auto", SMALL)
    assert (layout.block_bytes // LAYER, layout.full_groups, layout.window_groups) == groups


@pytest.mark.parametrize(
    ("facts", "length", "blocks"),
    [
        (GEMMA3_27B, 131072, 8192 + 6 * (320 + 1)),
        (GEMMA3_27B, 4096, 256 + 6 * (256 + 1)),
        (GEMMA2_9B, 8192, 512 + 512 + 1),
        (MISTRAL_7B, 32768, 512 + 1),
        (MISTRAL_7B, 100, 7 + 1),
        (QWEN2_7B_INT4, 32768, 2048),
    ],
)
def test_windows_keep_themselves_and_two_steps(facts: object, length: int, blocks: int) -> None:
    """1023 tokens of a window and two steps of 2048 are 320 blocks, and one for a bad start."""
    layout = kv_layout(facts, 1, "auto", SMALL)  # type: ignore[arg-type]
    assert layout.needed_blocks(length) == blocks


def test_a_long_context_of_a_mixed_model_needs_less_than_it_seems() -> None:
    """A Gemma 3 of 27B fits 131072 tokens where the same with whole attention fits a third."""
    plain = changed(GEMMA3_27B, sliding_window=0, full_attention_layers=0)
    fits, fits_plain = (
        kv_layout(facts, 1, "auto", SMALL).longest_length(20 * GIB, 131072)
        for facts in (GEMMA3_27B, plain)
    )
    assert fits == 131072
    assert fits_plain < fits // 3


def test_ranks_share_kv_heads_and_fp8_halves() -> None:
    """Blocks shrink with ranks up to one KV head, and with the bytes of an element."""
    whole = kv_layout(QWEN2_7B_INT4, 1, "auto", SMALL).block_bytes
    assert kv_layout(QWEN2_7B_INT4, 2, "auto", SMALL).block_bytes * 2 == whole
    assert kv_layout(QWEN2_7B_INT4, 8, "auto", SMALL).block_bytes * 4 == whole
    assert kv_layout(QWEN2_7B_INT4, 1, "fp8", SMALL).block_bytes * 2 == whole


@pytest.mark.parametrize(
    ("blocks", "longest"), [(2050, 32768), (2049, 32768), (2048, 32752), (2, 16), (1, 0), (0, 0)]
)
def test_a_request_that_fills_the_cache_to_the_last_block_fits(blocks: int, longest: int) -> None:
    """32768 tokens are 2048 blocks, and one more that vLLM keeps for itself."""
    layout = kv_layout(QWEN2_7B_INT4, 1, "auto", SMALL)
    assert layout.longest_length(blocks * layout.block_bytes, 32768) == longest


LAYOUTS = st.builds(
    KvLayout,
    block_bytes=st.integers(1, 10**7),
    full_groups=st.integers(1, 4),
    window_groups=st.integers(0, 8),
    window_tokens=st.integers(1, 40000),
)


@given(LAYOUTS, st.integers(0, 10**11), st.integers(1, 200_000))
def test_the_longest_length_fits_and_one_more_does_not(
    layout: KvLayout, kv_bytes: int, limit: int
) -> None:
    """Searching finds the exact boundary, within the limit."""
    longest = layout.longest_length(kv_bytes, limit)
    blocks = layout.usable_blocks(kv_bytes)
    assert 0 <= longest <= limit
    assert longest == 0 or layout.needed_blocks(longest) <= blocks
    assert longest == limit or layout.needed_blocks(longest + 1) > blocks


@given(LAYOUTS, st.integers(0, 10**11), st.integers(1, 200_000))
def test_tokens_of_one_request_and_more_agree(layout: KvLayout, kv_bytes: int, length: int) -> None:
    """A length fits exactly when the cache has at least as many tokens of such requests."""
    fits = layout.needed_blocks(length) <= layout.usable_blocks(kv_bytes)
    assert fits == (layout.tokens(kv_bytes, length) >= length)


@given(LAYOUTS, st.integers(1, 200_000))
def test_longer_requests_never_need_less(layout: KvLayout, length: int) -> None:
    """One token more takes no fewer blocks."""
    assert layout.needed_blocks(length + 1) >= layout.needed_blocks(length)
