"""What activations take at their peak, pinned by shapes where one moment rules."""

from __future__ import annotations

import pytest

from quantized_model_operator.domain.accelerators import MIB
from quantized_model_operator.domain.activation_memory import (
    activation_peak_bytes,
    compile_peak_bytes,
    forward_peak_bytes,
    sampling_peak_bytes,
)
from quantized_model_operator.domain.batch_limits import BatchLimits
from quantized_model_operator.domain.engine_version import EngineVersion
from quantized_model_operator.domain.memory_rows import memory_row
from quantized_model_operator.domain.quantity import GIB
from quantized_model_operator.domain.tensor_facts import MixtureOfExperts
from unit.domain.memory_runs import FEW, SERVER, SMALL, V25, V33, setup
from unit.domain.model_shapes import QWEN2_7B_INT4, changed

NARROW = changed(
    QWEN2_7B_INT4,
    hidden_size=1024,
    heads=8,
    kv_heads=4,
    head_size=128,
    intermediate_size=1024,
    vocabulary=64,
    layers=28,
)
"""Of these numbers each term is a round number of MiB."""


def batch(tokens: int, sequences: int) -> BatchLimits:
    """Limits of one step."""
    return BatchLimits(max_num_batched_tokens=tokens, max_num_seqs=sequences)


# In MiB, of 8192 tokens in two bytes: 16 for each 1024 elements: gate, up and product 3, what
# attention left 1, residuals 2 (3 in eager mode); q, k and v before and after rotation 1 + 2.
@pytest.mark.parametrize(
    ("changes", "size", "eager", "peak_mib"),
    [
        ({}, 1, False, 16 * (3 + 1 + 2)),
        ({}, 1, True, 16 * (3 + 1 + 3)),
        ({}, 2, False, 8 * (3 + 1) + 16 * 2),
        ({"intermediate_size": 4096}, 1, False, 16 * (12 + 1 + 2)),
        ({"intermediate_size": 512}, 1, False, 16 * (3 + 1 + 2)),
        ({"intermediate_size": 512, "kv_heads": 8}, 1, False, 16 * (5 + 1 + 2)),
        ({"intermediate_size": 512, "heads": 32}, 1, False, 16 * (6 + 4 + 2)),
        ({"hidden_size": 2048}, 1, False, 16 * (3 + 1 + 4)),
    ],
)
def test_the_widest_moment_of_a_layer_counts(
    changes: dict[str, int], size: int, *, eager: bool, peak_mib: int
) -> None:
    """Feed-forward or attention, whichever is wider, and the buffers beside it."""
    chosen = setup(size=size, batch=SERVER, enforce_eager=eager)
    assert forward_peak_bytes(changed(NARROW, **changes), chosen, 8192) == peak_mib * MIB


# In MiB, of 8192 tokens in two bytes: two experts of 1024 take 2 * (2 + 1), their sum 1; shared
# or dense feed-forwards of 4096 take 12.
@pytest.mark.parametrize(
    ("mixture", "widest"),
    [
        ({}, 2 * (2 + 1) + 1),
        ({"expert_intermediate_size": 256}, 2 * 1 + 2 * 0.25 + 1),
        ({"shared_intermediate_size": 4096}, 12),
        ({"sparse_layers": 27}, 12),
    ],
)
def test_experts_count_as_many_as_a_token_takes(mixture: dict[str, int], widest: float) -> None:
    """All chosen experts of all tokens are computed at once."""
    experts = MixtureOfExperts(
        **{
            "experts": 8,
            "experts_per_token": 2,
            "expert_intermediate_size": 1024,
            "shared_intermediate_size": 0,
            "sparse_layers": 28,
            **mixture,
        }
    )
    facts = changed(NARROW, intermediate_size=4096, mixture=experts)
    assert forward_peak_bytes(facts, setup(), 8192) == 16 * (widest + 1 + 2) * MIB


# In MiB: 14 bytes for each padded logit, 2 in 0.25; hidden states of 8192 tokens 16, and of the
# sampled sequences 1/8 (64 of them).
@pytest.mark.parametrize(
    ("vocabulary", "chosen", "peak_mib"),
    [
        (131072, setup(batch=FEW), 14 * 8 + 16 + 0.125),
        (131009, setup(batch=FEW), 14 * 8 + 16 + 0.125),
        (131072, setup(batch=FEW, size=4), 14 * 8 + 16 + 0.125),
        (131072, setup(batch=FEW, version=V25), 2 * 8 + 16 + 0.125),
        (131072, setup(batch=batch(128, 256)), 14 * 16 + 0.25 + 0.25),
    ],
)
def test_sampling_takes_all_logits_on_every_rank(
    vocabulary: int, chosen: object, peak_mib: float
) -> None:
    """As many sequences as there are tokens, each with the whole vocabulary."""
    facts = changed(NARROW, vocabulary=vocabulary)
    row = memory_row(chosen.engine_version)  # type: ignore[attr-defined]
    assert sampling_peak_bytes(facts, chosen, row) == peak_mib * MIB  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("size", "eager", "peak_mib"), [(1, False, 256 + 32), (2, False, 128 + 32), (1, True, 0)]
)
def test_compilation_copies_the_embedding(size: int, *, eager: bool, peak_mib: int) -> None:
    """A first start holds a copy of the rank's embedding and two outputs of the kernel."""
    facts = changed(NARROW, vocabulary=131072)
    chosen = setup(size=size, enforce_eager=eager)
    assert compile_peak_bytes(facts, chosen) == peak_mib * MIB


@pytest.mark.parametrize(
    ("changes", "sequences", "largest"),
    [
        ({"intermediate_size": 32768}, 64, forward_peak_bytes),
        ({"vocabulary": 131072}, 64, compile_peak_bytes),
    ],
)
def test_the_largest_moment_is_the_peak(
    changes: dict[str, int], sequences: int, largest: object
) -> None:
    """Forward pass and compilation do not add up: the larger one counts."""
    facts = changed(NARROW, **changes)
    chosen = setup(batch=batch(8192, sequences))
    peak = activation_peak_bytes(facts, chosen, memory_row(V33))
    arguments = (facts, chosen, 8192) if largest is forward_peak_bytes else (facts, chosen)
    assert peak == largest(*arguments)  # type: ignore[operator]


def test_the_peak_of_a_7b_is_as_vllm_logged_it() -> None:
    """2.09 GiB with 1024 sequences, and 1.13 with 64, as on H200 and H100."""
    row = memory_row(V33)
    many = activation_peak_bytes(QWEN2_7B_INT4, setup(enforce_eager=True), row)
    few = activation_peak_bytes(QWEN2_7B_INT4, setup(batch=FEW), row)
    assert many / GIB == pytest.approx(2.09, abs=0.005)
    assert few / GIB == pytest.approx(1.13, abs=0.01)


QWEN3_30B_A3B = changed(
    QWEN2_7B_INT4,
    layers=48,
    hidden_size=2048,
    heads=32,
    kv_heads=4,
    vocabulary=151936,
    mixture=MixtureOfExperts(
        experts=128,
        experts_per_token=8,
        expert_intermediate_size=768,
        shared_intermediate_size=0,
        sparse_layers=48,
    ),
)
QWEN3_32B = changed(
    QWEN2_7B_INT4,
    layers=64,
    hidden_size=5120,
    intermediate_size=25600,
    heads=64,
    kv_heads=8,
    vocabulary=151936,
)


def test_a_peak_that_others_measured_is_met_without_compilation() -> None:
    """A 30B of experts in eager mode on an RTX 5090 had a peak of 0.53 GiB with vLLM 0.28.

    Source: GitHub, logs of a comparison of engines, 2026-09: 28.22 of budget, 16.66 consumed and
    11.03 of KV cache.
    """
    chosen = setup(31.36, batch=SMALL, capability=(12, 0), enforce_eager=True)
    peak = activation_peak_bytes(QWEN3_30B_A3B, chosen, memory_row(EngineVersion(0, 28)))
    assert peak / GIB == pytest.approx(0.53, abs=0.02)


def test_peaks_that_others_measured_are_met_cold_and_warm() -> None:
    """A 32B had 1.46 GiB on a first start of a 5090, and 0.47 less with caches on two 4090.

    Source: GitHub, a start-up log with vLLM's own figures, 2026-09; vLLM pull request 54479.
    """
    alone = setup(31.36, batch=SMALL, capability=(12, 0))
    assert compile_peak_bytes(QWEN3_32B, alone) / GIB == pytest.approx(1.46, abs=0.03)
    limits = batch(3584, 40)
    pair = setup(23.52, size=2, batch=limits, capability=(8, 9), version=EngineVersion(0, 28))
    row = memory_row(pair.engine_version)
    cold = activation_peak_bytes(QWEN3_32B, pair, row)
    assert (cold - forward_peak_bytes(QWEN3_32B, pair, 3584)) / GIB == pytest.approx(0.47, abs=0.05)
