"""What activations take in both memory models, pinned by shapes where one term rules."""

from __future__ import annotations

import pytest

from quantized_model_operator.domain.accelerators import GIB
from quantized_model_operator.domain.batch_limits import BatchLimits
from quantized_model_operator.domain.engine_version import EngineVersion
from quantized_model_operator.domain.gpu_memory import (
    MemorySetup,
    estimate_memory,
    formula_kv_bytes,
)
from unit.domain.model_shapes import QWEN2_7B_INT4, changed

MIB = 1 << 20
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


def setup(tokens: int, sequences: int, size: int = 1, *, eager: bool = True) -> MemorySetup:
    """A GPU of 40 GiB, all of it for vLLM 0.33."""
    return MemorySetup(
        total_bytes=40 * GIB,
        utilization=1.0,
        tensor_parallel_size=size,
        batch=BatchLimits(max_num_batched_tokens=tokens, max_num_seqs=sequences),
        enforce_eager=eager,
        engine_version=EngineVersion(0, 33),
    )


# In MiB, of 8192 tokens: hidden states 16; attention 8192 * (8 + 2 * 4) * 128 * 2 = 32; linears
# 8192 * 3 * 1024 * 2 = 48; logits 64 * 64 * 8 / 1024 / 1024 = 1/32 with 64 sequences.
@pytest.mark.parametrize(
    ("changes", "sequences", "size", "activation_mib"),
    [
        ({}, 64, 1, 16 + 48),
        ({}, 64, 2, 16 + 24),
        ({"intermediate_size": 512}, 64, 1, 16 + 32),
        ({"intermediate_size": 512}, 64, 4, 16 + 8),
        ({"intermediate_size": 512, "heads": 24}, 64, 1, 16 + 64),
        ({"intermediate_size": 512, "kv_heads": 8}, 64, 1, 16 + 48),
        ({"vocabulary": 131072}, 64, 1, 16 + 64),
        ({"vocabulary": 131072}, 64, 2, 16 + 64),
        ({"vocabulary": 131009}, 64, 1, 16 + 64),
        ({"hidden_size": 2048}, 64, 1, 32 + 48),
    ],
)
def test_the_general_formula_takes_the_largest_term(
    changes: dict[str, int], sequences: int, size: int, activation_mib: int
) -> None:
    """Hidden states and the largest of attention, linears and logits come off the KV cache."""
    facts = changed(NARROW, **changes)
    context_gib = 0.6 if size == 1 else 1.3
    rest_gib = 40 - 1 - context_gib - 0.15
    kv_bytes = formula_kv_bytes(facts, setup(8192, sequences, size), GIB)
    assert (rest_gib * GIB - kv_bytes) / MIB == pytest.approx(activation_mib, abs=0.001)


def test_the_general_formula_keeps_half_a_gibibyte_for_graphs() -> None:
    """Outside of eager mode the formula leaves half a GiB less."""
    eager = formula_kv_bytes(NARROW, setup(8192, 64), GIB)
    assert eager - formula_kv_bytes(NARROW, setup(8192, 64, eager=False), GIB) == GIB // 2


# In MiB, of 8192 tokens: hidden states 16; linears 8192 * 1024 * 6 = 48; sampling 14 bytes for
# each of the padded logits of all sequences, which are no more than the tokens.
@pytest.mark.parametrize(
    ("changes", "tokens", "sequences", "size", "activation_mib"),
    [
        ({}, 8192, 64, 1, 16 + 48),
        ({}, 8192, 64, 4, 16 + 12),
        ({"vocabulary": 131072}, 8192, 64, 1, 16 + 112),
        ({"vocabulary": 131072}, 8192, 64, 4, 16 + 112),
        ({"vocabulary": 131009}, 8192, 64, 1, 16 + 112),
        ({"vocabulary": 131072}, 128, 256, 1, 0.25 + 224),
        ({"hidden_size": 2048}, 8192, 64, 1, 32 + 48),
    ],
)
def test_the_fitted_model_takes_the_larger_term(
    changes: dict[str, int], tokens: int, sequences: int, *, size: int, activation_mib: float
) -> None:
    """Of 0.33, hidden states and the larger of linears and sampling come off the expectation."""
    facts = changed(NARROW, **changes)
    memory = estimate_memory(facts, setup(tokens, sequences, size))
    process_gib = 0.75 if size == 1 else 1.45
    rest_bytes = 40 * GIB - memory.weights_bytes - process_gib * GIB
    taken_mib = (rest_bytes - memory.expected_kv_bytes) / MIB
    assert taken_mib == pytest.approx(activation_mib, abs=0.001)


@pytest.mark.parametrize(
    ("expected_gib", "conservative_gib"), [(1.0, 0.7), (2.0, 1.7), (4.0, 3.4), (0.25, 0.0)]
)
def test_the_margin_is_the_larger_of_both(expected_gib: float, conservative_gib: float) -> None:
    """The verdict stays 0.3 GiB or 15 % below the expectation, whichever is more, never below 0."""
    base = estimate_memory(NARROW, setup(8192, 64)).expected_kv_bytes
    smaller = setup(8192, 64)
    facts = changed(NARROW, weights_bytes=NARROW.weights_bytes + base - int(expected_gib * GIB))
    memory = estimate_memory(facts, smaller)
    assert memory.expected_kv_bytes / GIB == pytest.approx(expected_gib, abs=0.001)
    assert memory.conservative_kv_bytes / GIB == pytest.approx(conservative_gib, abs=0.001)
