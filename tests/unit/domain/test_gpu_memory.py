"""The memory model against every measured run, and its arithmetic by properties."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantized_model_operator.domain.accelerators import GIB
from quantized_model_operator.domain.batch_limits import (
    BatchLimits,
)
from quantized_model_operator.domain.engine_version import EngineVersion
from quantized_model_operator.domain.gpu_memory import (
    MemorySetup,
    estimate_memory,
    formula_kv_bytes,
    memory_is_measured,
    padded_vocabulary,
    rank_weights_bytes,
)
from quantized_model_operator.domain.kv_cache import (
    CPU_BLOCK_TOKENS,
    GPU_BLOCK_TOKENS,
    kv_bytes_per_token,
    kv_cache_tokens,
    needed_kv_bytes,
    needed_kv_tokens,
)
from unit.domain.model_shapes import (
    QWEN2_05B_INT4,
    QWEN2_7B_INT4,
    QWEN2_7B_INT8,
    QWEN2_72B_INT4,
    TINY_INT4,
    changed,
)

if TYPE_CHECKING:
    from quantized_model_operator.domain.checkpoint import CheckpointFacts

V25 = EngineVersion(0, 25, 1)
V33 = EngineVersion(0, 33)
SERVER = BatchLimits(max_num_batched_tokens=8192, max_num_seqs=1024)
SMALL = BatchLimits(max_num_batched_tokens=2048, max_num_seqs=256)


class Run(NamedTuple):
    """One measured start of vLLM on an H200 of 139.8 GiB, tensor parallel size 1."""

    name: str
    version: EngineVersion
    facts: CheckpointFacts
    kv_gib: float
    kv_tokens: int | None
    kv_cache_dtype: str = "auto"
    utilization: float = 0.92
    batch: BatchLimits = SERVER
    enforce_eager: bool = False


# Source: our measurement, logs of vLLM 0.25.1 and 0.33.0 on one H200, 2026-11.
RUNS = (
    Run("0.25 int4", V25, QWEN2_7B_INT4, 121.97, 2_283_888),
    Run("0.25 int8 first start", V25, QWEN2_7B_INT8, 118.93, 2_226_896),
    Run("0.25 int8 warm", V25, QWEN2_7B_INT8, 119.02, 2_228_640),
    Run("0.25 int8 eager", V25, QWEN2_7B_INT8, 118.97, 2_227_616, enforce_eager=True),
    Run("0.25 int8 fp8 KV", V25, QWEN2_7B_INT8, 118.90, 4_452_624, kv_cache_dtype="fp8"),
    Run("0.25 int8 tight", V25, QWEN2_7B_INT8, 0.88, 16_464, utilization=0.075, batch=SMALL),
    Run("0.33 int4", V33, QWEN2_7B_INT4, 119.61, 2_239_600),
    Run("0.33 int8", V33, QWEN2_7B_INT8, 116.62, 2_183_648),
    Run("0.33 int8 eager", V33, QWEN2_7B_INT8, 117.48, 2_199_696, enforce_eager=True),
    Run("0.33 int8 fp8", V33, QWEN2_7B_INT8, 117.48, 4_399_408, "fp8", enforce_eager=True),
    Run("0.33 0.5b eager", V33, QWEN2_05B_INT4, 125.40, 10_957_616, enforce_eager=True),
)
each_run = pytest.mark.parametrize("run", RUNS, ids=[run.name for run in RUNS])


def setup(
    gib: float = 139.8,
    *,
    utilization: float = 0.92,
    size: int = 1,
    batch: BatchLimits = SERVER,
    version: EngineVersion = V33,
    enforce_eager: bool = False,
) -> MemorySetup:
    """A setup that differs from a default start on H200 in what is given."""
    return MemorySetup(
        total_bytes=int(gib * GIB),
        utilization=utilization,
        tensor_parallel_size=size,
        batch=batch,
        enforce_eager=enforce_eager,
        engine_version=version,
    )


def setup_of(run: Run) -> MemorySetup:
    """The setup of a measured run."""
    return setup(
        utilization=run.utilization,
        batch=run.batch,
        version=run.version,
        enforce_eager=run.enforce_eager,
    )


@each_run
def test_expected_is_close_to_what_vllm_logged(run: Run) -> None:
    """The expected KV cache of every measured run is within 0.3 GiB of the log."""
    expected_gib = estimate_memory(run.facts, setup_of(run)).expected_kv_bytes / GIB
    assert expected_gib == pytest.approx(run.kv_gib, abs=0.3)


@each_run
def test_conservative_is_never_above_what_vllm_logged(run: Run) -> None:
    """The KV cache a verdict relies on was there in every measured run."""
    conservative_gib = estimate_memory(run.facts, setup_of(run)).conservative_kv_bytes / GIB
    assert 0 < conservative_gib <= run.kv_gib


@each_run
def test_tokens_follow_from_bytes(run: Run) -> None:
    """The logged tokens are the logged bytes by our KV formula, to the rounding of the log."""
    assert run.kv_tokens is not None
    token_bytes = kv_bytes_per_token(run.facts, 1, run.kv_cache_dtype)
    assert run.kv_tokens * token_bytes / GIB == pytest.approx(run.kv_gib, abs=0.006)


@each_run
def test_the_verdict_on_length_was_right(run: Run) -> None:
    """The longest length that a verdict would allow fitted in every measured run."""
    token_bytes = kv_bytes_per_token(run.facts, 1, run.kv_cache_dtype)
    kv_bytes = estimate_memory(run.facts, setup_of(run)).conservative_kv_bytes
    assert kv_cache_tokens(kv_bytes, token_bytes, GPU_BLOCK_TOKENS) <= (run.kv_tokens or 0)


@pytest.mark.parametrize(
    ("facts", "card", "weights_gib", "kv_gib", "tokens_thousand"),
    [
        (QWEN2_7B_INT4, (14.56, 1), 5.16, 6.7, 125),
        (QWEN2_7B_INT8, (14.56, 1), 8.20, 3.6, 68),
        (QWEN2_7B_INT4, (22.03, 1), 5.16, 13.6, 254),
        (QWEN2_7B_INT8, (22.03, 1), 8.20, 10.5, 197),
        (QWEN2_7B_INT8, (22.03, 2), 4.10, 13.9, 521),
    ],
)
def test_the_general_formula_gives_the_worked_examples(
    facts: CheckpointFacts,
    card: tuple[float, int],
    weights_gib: float,
    kv_gib: float,
    tokens_thousand: int,
) -> None:
    """A 7B on T4 and L4 has the KV cache that was computed by hand from the same formula."""
    gib, size = card
    kv_bytes = formula_kv_bytes(facts, setup(gib, size=size, batch=SMALL), int(weights_gib * GIB))
    assert kv_bytes / GIB == pytest.approx(kv_gib, abs=0.06)
    tokens = kv_cache_tokens(kv_bytes, kv_bytes_per_token(facts, size, "auto"), 16)
    assert tokens / 1000 == pytest.approx(tokens_thousand, rel=0.01)


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


@pytest.mark.parametrize(
    ("length", "tokens"), [(32768, 8208), (8192, 8192), (8208, 8208), (100, 112)]
)
def test_a_sliding_window_bounds_the_need(length: int, tokens: int) -> None:
    """Windowed attention needs the window, two batches and a block, and never more than full."""
    assert needed_kv_tokens(length, 16, 4096, 2048) == tokens


def test_weights_are_as_loaded() -> None:
    """Weights of a 7B are what vLLM 0.33.0 logged after loading, to 0.03 GiB."""
    assert rank_weights_bytes(QWEN2_7B_INT4, setup()) / GIB == pytest.approx(5.29, abs=0.031)
    assert rank_weights_bytes(QWEN2_7B_INT8, setup()) / GIB == pytest.approx(8.33, abs=0.031)


def test_repeated_kv_projections_are_counted() -> None:
    """Eight ranks of four KV heads hold more than an eighth each, by half a projection."""
    facts = changed(QWEN2_7B_INT4, heads=32, hidden_size=4096)
    even = facts.weights_bytes / 8 + 0.07 * GIB
    held = rank_weights_bytes(facts, setup(size=8))
    projections = 2 * 28 * 4 * 128 * (4096 * 4 // 8 + 2 * 32)
    assert held - even == pytest.approx(projections / 4 - projections / 8, abs=4)
    assert rank_weights_bytes(facts, setup(size=4)) == pytest.approx(
        facts.weights_bytes / 4 + 0.07 * GIB, abs=4
    )


def test_vocabulary_is_padded() -> None:
    """The vocabulary is rounded up to multiples of 64."""
    assert [padded_vocabulary(n) for n in (1, 64, 65, 152064)] == [64, 64, 128, 152064]


@pytest.mark.parametrize(("minor", "measured"), [(25, True), (33, True), (32, False), (34, False)])
def test_unmeasured_versions_are_known_as_such(minor: int, *, measured: bool) -> None:
    """Only the versions that were run count as measured."""
    assert memory_is_measured(EngineVersion(0, minor)) is measured


def test_an_unknown_version_is_promised_no_more() -> None:
    """A newer version than any measured gets no more KV cache than the last measured one."""
    newest = estimate_memory(QWEN2_7B_INT4, setup(version=V33))
    unknown = estimate_memory(QWEN2_7B_INT4, setup(version=EngineVersion(0, 50)))
    assert unknown == newest
    assert (
        newest.expected_kv_bytes
        < estimate_memory(QWEN2_7B_INT4, setup(version=V25)).expected_kv_bytes
    )


def test_deeper_models_have_larger_graphs() -> None:
    """Twice the layers take twice the graphs; fewer layers, and eager mode, take no less."""

    def graphs_gib(layers: int) -> float:
        facts = changed(QWEN2_7B_INT4, layers=layers)
        eager = estimate_memory(facts, setup(enforce_eager=True)).expected_kv_bytes
        return (eager - estimate_memory(facts, setup()).expected_kv_bytes) / GIB

    assert graphs_gib(28) == pytest.approx(0.86, abs=0.001)
    assert graphs_gib(56) == pytest.approx(1.72, abs=0.001)
    assert graphs_gib(14) == pytest.approx(0.86, abs=0.001)


def test_a_card_that_is_too_small_has_no_kv_cache() -> None:
    """Weights beyond the budget leave no KV cache, never a negative one."""
    memory = estimate_memory(QWEN2_72B_INT4, setup(22.03, batch=SMALL))
    assert (memory.conservative_kv_bytes, memory.expected_kv_bytes) == (0, 0)


SETUPS = st.builds(
    setup,
    gib=st.floats(8, 200),
    utilization=st.floats(0.05, 1),
    size=st.sampled_from([1, 2, 4]),
    batch=st.builds(
        BatchLimits,
        max_num_batched_tokens=st.integers(256, 32768),
        max_num_seqs=st.integers(1, 2048),
    ),
    version=st.sampled_from([V25, EngineVersion(0, 29), V33]),
    enforce_eager=st.booleans(),
)
MODELS = st.sampled_from([QWEN2_7B_INT4, QWEN2_7B_INT8, QWEN2_72B_INT4])


@given(MODELS, SETUPS)
def test_conservative_stays_below_expected(facts: CheckpointFacts, chosen: MemorySetup) -> None:
    """The conservative figure is at most 85 % of the expected one, and both are sizes."""
    memory = estimate_memory(facts, chosen)
    assert 0 <= memory.conservative_kv_bytes <= 0.85 * memory.expected_kv_bytes + 1
    assert memory.weights_bytes > 0


@given(MODELS, SETUPS, st.floats(1.01, 2))
def test_more_memory_never_means_less_kv_cache(
    facts: CheckpointFacts, chosen: MemorySetup, factor: float
) -> None:
    """A larger card with the same limits has at least the same KV cache."""
    larger = replace(chosen, total_bytes=int(chosen.total_bytes * factor))
    less, more = estimate_memory(facts, chosen), estimate_memory(facts, larger)
    assert more.conservative_kv_bytes >= less.conservative_kv_bytes
    assert more.expected_kv_bytes >= less.expected_kv_bytes


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


@given(st.integers(1, 10**6), st.integers(1, 10**5), st.integers(1, 32768))
def test_a_window_never_needs_more_than_full_attention(
    length: int, window: int, batch: int
) -> None:
    """Windowed need is at most the full need, and at least one block."""
    assert 16 <= needed_kv_tokens(length, 16, window, batch) <= needed_kv_tokens(length, 16)
