"""What weights take on one rank after loading."""

from __future__ import annotations

import pytest

from quantized_model_operator.domain.accelerators import MIB
from quantized_model_operator.domain.quantity import GIB
from quantized_model_operator.domain.tensor_facts import TensorBytes
from quantized_model_operator.domain.weight_memory import rank_weights_bytes
from unit.domain.memory_runs import HALF_BILLION, INT4, INT8, setup
from unit.domain.model_shapes import QWEN2_7B_INT4, TINY_INT4, changed

TABLE = 2048 * 64 * 2
"""Rotary table of the tiny model."""
CLASSES = TensorBytes(
    embedding_bytes=8 * MIB,
    head_bytes=8 * MIB,
    linear_bytes=16 * MIB,
    expert_bytes=32 * MIB,
    dense_bytes=4 * MIB,
    whole_bytes=1 * MIB,
    outside_bytes=2 * MIB,
    zeros_bytes=1 * MIB,
    index_bytes=2 * MIB,
    expert_zeros_bytes=1 * MIB,
    expert_index_bytes=2 * MIB,
)


@pytest.mark.parametrize(
    ("facts", "loaded_gib"), [(INT4, 5.29), (INT8, 8.33), (HALF_BILLION, 0.43)]
)
def test_weights_are_as_loaded(facts: object, loaded_gib: float) -> None:
    """Weights are what vLLM 0.33.0 logged after loading, to 0.02 GiB."""
    held = rank_weights_bytes(facts, setup())  # type: ignore[arg-type]
    assert held / GIB == pytest.approx(loaded_gib, abs=0.02)


@pytest.mark.parametrize(
    ("size", "tied", "held_mib"),
    [(1, False, 64 + 3), (2, False, 32 + 3), (1, True, 56 + 3), (2, True, 28 + 3)],
)
def test_ranks_share_what_is_split_and_repeat_the_rest(
    size: int, *, tied: bool, held_mib: int
) -> None:
    """Group indices stay on disk, a tied head too; norms and what is outside are on every rank."""
    facts = changed(TINY_INT4, tensor_bytes=CLASSES, tied_embeddings=tied)
    assert rank_weights_bytes(facts, setup(size=size)) == held_mib * MIB + TABLE


def test_repeated_kv_projections_are_counted() -> None:
    """Four ranks of two KV heads hold more than a quarter each, by a quarter of k and v."""
    facts = changed(TINY_INT4, tensor_bytes=CLASSES, group_size=64)
    held = rank_weights_bytes(facts, setup(size=4))
    projections = 2 * 4 * 2 * 64 * (256 * 4 // 8 + 2 * 4)
    assert held == 19 * MIB + TABLE + projections // 2 - projections // 4


# Packed bytes of one layer of a 7B in MiB: qkv 7.875, o 6.125, gate and up 64.75, down 32.375 in
# 4 bits; the last two are rounded up to 66 and 34. In 8 bits: 15.75, 12.25, 129.5 and 64.75, of
# which o is split at its end, since it is below 20 MiB and the end is above 1 MiB.
@pytest.mark.parametrize(
    ("bits", "size", "rounding_mib"),
    [
        (4, 1, 28 * (1.25 + 1.625)),
        (8, 1, 28 * (0.25 + 0.5 + 1.25)),
        (4, 2, 28 * (1.625 + 0)),
    ],
)
def test_large_linears_are_rounded_up(bits: int, size: int, rounding_mib: float) -> None:
    """Ends of blocks of two MiB are lost where the allocator may not split them."""
    facts = changed(QWEN2_7B_INT4, bits=bits, weights_bytes=4 * GIB)
    table = 32768 * 128 * 2
    held = rank_weights_bytes(facts, setup(size=size))
    assert held - 4 * GIB // size - table == rounding_mib * MIB
