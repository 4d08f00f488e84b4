"""The memory model against every measured run, and its arithmetic by properties."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantized_model_operator.domain.accelerators import MIB
from quantized_model_operator.domain.activation_memory import compile_peak_bytes
from quantized_model_operator.domain.batch_limits import BatchLimits
from quantized_model_operator.domain.engine_version import EngineVersion
from quantized_model_operator.domain.gpu_memory import (
    MARGIN_CEILING_BYTES,
    MARGIN_FLOOR_BYTES,
    budget_bytes,
    estimate_memory,
)
from quantized_model_operator.domain.kv_cache import (
    GPU_BLOCK_TOKENS,
    kv_bytes_per_token,
    kv_cache_tokens,
)
from quantized_model_operator.domain.memory_rows import memory_is_measured
from quantized_model_operator.domain.memory_setup import MemorySetup, padded_vocabulary
from quantized_model_operator.domain.quantity import GIB
from quantized_model_operator.domain.tensor_facts import MixtureOfExperts
from unit.domain.memory_runs import FITTED, HELD_BACK, RUNS, SMALL, V25, V33, Run, setup, setup_of
from unit.domain.model_shapes import (
    QWEN2_05B_INT4,
    QWEN2_7B_INT4,
    QWEN2_7B_INT8,
    QWEN2_72B_INT4,
    QWEN25_14B_INT4,
    changed,
)

if TYPE_CHECKING:
    from quantized_model_operator.domain.checkpoint import CheckpointFacts

each_run = pytest.mark.parametrize("run", RUNS, ids=[run.name for run in RUNS])


@each_run
def test_expected_is_close_to_what_vllm_logged(run: Run) -> None:
    """The expected KV cache of every measured run is within 0.1 GiB of the log."""
    expected_gib = estimate_memory(run.facts, setup_of(run)).expected_kv_bytes / GIB
    assert expected_gib == pytest.approx(run.kv_gib, abs=0.1)


def test_half_of_the_runs_were_predicted() -> None:
    """At least a quarter of all measured runs had no part in any constant."""
    assert len(HELD_BACK) * 4 >= len(FITTED) + len(HELD_BACK)


@each_run
def test_conservative_is_never_above_what_vllm_logged(run: Run) -> None:
    """The KV cache a verdict relies on was there in every measured run, with 0.2 GiB to spare."""
    conservative_gib = estimate_memory(run.facts, setup_of(run)).conservative_kv_bytes / GIB
    assert 0 < conservative_gib <= run.kv_gib - 0.2


@each_run
def test_tokens_follow_from_bytes(run: Run) -> None:
    """The logged tokens are the logged bytes by our KV formula, to the rounding of the log."""
    token_bytes = kv_bytes_per_token(run.facts, 1, run.kv_cache_dtype)
    assert run.kv_tokens * token_bytes / GIB == pytest.approx(run.kv_gib, abs=0.006)


@each_run
def test_the_verdict_on_length_was_right(run: Run) -> None:
    """The longest length that a verdict would allow fitted in every measured run."""
    token_bytes = kv_bytes_per_token(run.facts, 1, run.kv_cache_dtype)
    kv_bytes = estimate_memory(run.facts, setup_of(run)).conservative_kv_bytes
    assert kv_cache_tokens(kv_bytes, token_bytes, GPU_BLOCK_TOKENS) <= run.kv_tokens


def test_a_start_that_others_measured_is_met() -> None:
    """Beside its weights an 8B took 1.70 GiB of an A100 on a first start of vLLM 0.31.

    Source: GitHub, a start-up log, 2026-10: 72.91 of budget, 15.0 loaded, 56.21 of KV cache.
    """
    facts = changed(
        QWEN2_7B_INT4,
        layers=32,
        hidden_size=4096,
        intermediate_size=14336,
        heads=32,
        kv_heads=8,
        vocabulary=128256,
    )
    chosen = setup(79.25, batch=SMALL, capability=(8, 0), version=EngineVersion(0, 31))
    memory = estimate_memory(facts, chosen)
    taken_gib = (memory.taken_bytes - memory.weights_bytes) / GIB
    assert taken_gib == pytest.approx(72.91 - 15.0 - 56.21, abs=0.2)


@pytest.mark.parametrize(
    ("expected_gib", "size", "minor", "conservative_gib"),
    [
        (1.0, 1, 33, 0.7),
        (2.0, 1, 33, 1.7),
        (4.0, 1, 33, 3.4),
        (10.0, 1, 33, 8.5),
        (20.0, 1, 33, 18.5),
        (0.25, 1, 33, 0.0),
        (20.0, 1, 31, 17.0),
        (20.0, 1, 32, 17.0),
        (20.0, 1, 34, 17.0),
        (1.0, 2, 33, 0.4),
        (4.0, 2, 33, 3.4),
    ],
)
def test_the_margin_is_a_part_within_bounds(
    expected_gib: float, size: int, minor: int, conservative_gib: float
) -> None:
    """The verdict stays 15 % below, at least 0.3 GiB (0.6 for several GPUs), at most 1.5 GiB.

    The upper bound holds for measured versions alone, and nothing is ever below 0.
    """
    chosen = setup(400, size=size, batch=SMALL, version=EngineVersion(0, minor))
    surplus_bytes = estimate_memory(QWEN2_7B_INT4, chosen).expected_kv_bytes
    more_weights = (surplus_bytes - int(expected_gib * GIB)) * size
    facts = changed(QWEN2_7B_INT4, weights_bytes=QWEN2_7B_INT4.weights_bytes + more_weights)
    memory = estimate_memory(facts, chosen)
    assert memory.expected_kv_bytes / GIB == pytest.approx(expected_gib, abs=0.001)
    assert memory.conservative_kv_bytes / GIB == pytest.approx(conservative_gib, abs=0.001)


@pytest.mark.parametrize(
    ("minor", "measured"),
    [(25, True), (33, True), (20, False), (31, False), (32, False), (34, False)],
)
def test_unmeasured_versions_are_known_as_such(minor: int, *, measured: bool) -> None:
    """Only the versions that were run count as measured."""
    assert memory_is_measured(EngineVersion(0, minor)) is measured


def test_ranks_pay_for_talking_to_each_other() -> None:
    """Two ranks take channels and buffers of sums beside what one GPU takes."""
    one, two = (estimate_memory(QWEN2_7B_INT4, setup(size=size)) for size in (1, 2))
    assert one.process_bytes == int(0.15 * GIB) + 33 * 1024 * 152064 // 8
    assert two.process_bytes - one.process_bytes == int(0.05 * GIB) + 6 * 56 * MIB


def test_versions_that_keep_what_compilation_took_are_charged_for_it() -> None:
    """A first start of 0.26 to 0.30 takes what compilation held; eager mode compiles nothing."""
    chosen = setup(version=EngineVersion(0, 29))
    started = estimate_memory(QWEN2_7B_INT4, chosen).process_bytes
    eager = estimate_memory(QWEN2_7B_INT4, replace(chosen, enforce_eager=True)).process_bytes
    assert started - eager == compile_peak_bytes(QWEN2_7B_INT4, chosen) > GIB


@pytest.mark.parametrize("facts", [QWEN2_05B_INT4, QWEN2_7B_INT4, QWEN2_72B_INT4])
@pytest.mark.parametrize("minor", [20, 24, 26, 32])
def test_an_unmeasured_version_is_promised_no_more(facts: CheckpointFacts, minor: int) -> None:
    """An older version has no more KV cache than the next measured one would have."""
    measured = V25 if minor < V25.minor else V33
    unmeasured = estimate_memory(facts, setup(version=EngineVersion(0, minor)))
    assert (
        unmeasured.conservative_kv_bytes
        <= estimate_memory(facts, setup(version=measured)).conservative_kv_bytes
    )


def test_an_unknown_version_is_promised_no_more() -> None:
    """A newer version than any measured gets no more KV cache than the last measured one."""
    newest = estimate_memory(QWEN2_7B_INT4, setup(version=V33))
    unknown = estimate_memory(QWEN2_7B_INT4, setup(version=EngineVersion(0, 50)))
    assert unknown.expected_kv_bytes == newest.expected_kv_bytes
    assert unknown.conservative_kv_bytes <= newest.conservative_kv_bytes


def test_a_card_that_is_too_small_has_no_kv_cache() -> None:
    """Weights beyond the budget leave no KV cache, never a negative one."""
    memory = estimate_memory(QWEN2_72B_INT4, setup(22.03, batch=SMALL))
    assert (memory.conservative_kv_bytes, memory.expected_kv_bytes) == (0, 0)


def test_vocabulary_is_padded() -> None:
    """The vocabulary is rounded up to multiples of 64."""
    assert [padded_vocabulary(n) for n in (1, 64, 65, 152064)] == [64, 64, 128, 152064]


SETUPS = st.builds(
    setup,
    gib=st.floats(8, 200),
    utilization=st.floats(0.05, 1),
    size=st.sampled_from([1, 2, 4, 8]),
    batch=st.builds(
        BatchLimits,
        max_num_batched_tokens=st.integers(256, 32768),
        max_num_seqs=st.integers(1, 2048),
    ),
    version=st.sampled_from([EngineVersion(0, 20), V25, EngineVersion(0, 29), V33]),
    enforce_eager=st.booleans(),
    capability=st.sampled_from([(7, 5), (8, 9), (9, 0), (10, 0), (12, 0)]),
)
EXPERTS = changed(
    QWEN2_7B_INT4,
    weights_bytes=17 * GIB,
    layers=48,
    hidden_size=2048,
    intermediate_size=6144,
    heads=32,
    mixture=MixtureOfExperts(
        experts=128,
        experts_per_token=8,
        expert_intermediate_size=768,
        shared_intermediate_size=0,
        sparse_layers=48,
    ),
)
MODELS = st.sampled_from([QWEN2_05B_INT4, QWEN2_7B_INT8, QWEN25_14B_INT4, QWEN2_72B_INT4, EXPERTS])


@given(MODELS, SETUPS)
def test_conservative_stays_below_expected(facts: CheckpointFacts, chosen: MemorySetup) -> None:
    """The conservative figure is below the expected one by the margin, and both are sizes."""
    memory = estimate_memory(facts, chosen)
    expected = memory.expected_kv_bytes
    margin_bytes = max(MARGIN_FLOOR_BYTES, min(expected * 15 // 100, MARGIN_CEILING_BYTES))
    assert 0 <= memory.conservative_kv_bytes <= max(0, expected - margin_bytes)


@given(MODELS, SETUPS)
def test_bytes_add_up_to_the_budget(facts: CheckpointFacts, chosen: MemorySetup) -> None:
    """All terms are sizes, and with the expected KV cache they are the budget, or exceed it."""
    memory = estimate_memory(facts, chosen)
    terms = (
        memory.weights_bytes,
        memory.process_bytes,
        memory.activation_bytes,
        memory.graph_bytes,
        memory.expected_kv_bytes,
    )
    assert min(terms) >= 0
    assert memory.taken_bytes + memory.expected_kv_bytes == sum(terms)
    if memory.expected_kv_bytes:
        assert sum(terms) == budget_bytes(chosen)
    else:
        assert sum(terms) >= budget_bytes(chosen)


@given(MODELS, SETUPS, st.floats(1.01, 2))
def test_more_memory_never_means_less_kv_cache(
    facts: CheckpointFacts, chosen: MemorySetup, factor: float
) -> None:
    """A larger card, and a larger share of it, have at least the same KV cache."""
    larger = replace(chosen, total_bytes=int(chosen.total_bytes * factor))
    fuller = replace(chosen, utilization=min(1.0, chosen.utilization * factor))
    less = estimate_memory(facts, chosen)
    for more in (estimate_memory(facts, larger), estimate_memory(facts, fuller)):
        assert more.conservative_kv_bytes >= less.conservative_kv_bytes
        assert more.expected_kv_bytes >= less.expected_kv_bytes


@given(MODELS, SETUPS, st.integers(1, 4096), st.integers(1, 512))
def test_larger_batches_never_mean_more_kv_cache(
    facts: CheckpointFacts, chosen: MemorySetup, tokens: int, sequences: int
) -> None:
    """More tokens or more sequences in one step leave no more KV cache, to 32 MiB.

    A number of sequences between two steps of batch sizes has graphs of its own.
    """
    batch = chosen.batch
    before = estimate_memory(facts, chosen)
    for larger in (
        replace(batch, max_num_batched_tokens=batch.max_num_batched_tokens + tokens),
        replace(batch, max_num_seqs=batch.max_num_seqs + sequences),
    ):
        after = estimate_memory(facts, replace(chosen, batch=larger))
        assert after.expected_kv_bytes <= before.expected_kv_bytes + 32 * MIB
        assert after.conservative_kv_bytes <= before.conservative_kv_bytes + 32 * MIB


@given(MODELS, SETUPS, st.sampled_from([2, 4, 8]))
def test_more_ranks_hold_less_of_the_weights_each(
    facts: CheckpointFacts, chosen: MemorySetup, size: int
) -> None:
    """A rank of more holds less weights and activations, and all ranks together no less."""
    one = estimate_memory(facts, replace(chosen, tensor_parallel_size=1))
    each = estimate_memory(facts, replace(chosen, tensor_parallel_size=size))
    assert each.weights_bytes < one.weights_bytes
    assert each.activation_bytes <= one.activation_bytes
    assert each.weights_bytes * size >= facts.weights_bytes


@given(MODELS, SETUPS)
def test_eager_mode_keeps_nothing_for_graphs(facts: CheckpointFacts, chosen: MemorySetup) -> None:
    """Without graphs none are deducted."""
    assert estimate_memory(facts, replace(chosen, enforce_eager=True)).graph_bytes == 0
