"""Buffers for the sums that ranks exchange."""

from __future__ import annotations

import pytest

from quantized_model_operator.domain.accelerators import MIB
from quantized_model_operator.domain.rank_exchange_memory import exchange_bytes
from unit.domain.memory_runs import SMALL, setup
from unit.domain.model_shapes import QWEN2_7B_INT4, changed

WIDE = changed(QWEN2_7B_INT4, hidden_size=8192)
"""8192 tokens of it are 128 MiB, of a 7B 56 MiB."""


@pytest.mark.parametrize(
    ("size", "capability", "eager", "held_mib"),
    [
        (2, (9, 0), False, 56),
        (2, (10, 0), False, 56),
        (2, (10, 3), False, 56),
        (2, (8, 9), False, 0),
        (2, (8, 9), True, 0),
        (1, (9, 0), False, 0),
        (16, (9, 0), False, 0),
    ],
)
def test_sums_have_buffers_on_hopper_and_blackwell(
    size: int, capability: tuple[int, int], *, eager: bool, held_mib: int
) -> None:
    """Six buffers hold the hidden states of one step."""
    chosen = setup(size=size, capability=capability, enforce_eager=eager)
    assert exchange_bytes(QWEN2_7B_INT4, chosen) == 6 * held_mib * MIB


@pytest.mark.parametrize(
    ("capability", "size", "limit_mib"),
    [
        ((9, 0), 2, 64),
        ((9, 0), 4, 2),
        ((9, 0), 8, 0.5),
        ((10, 0), 2, 64),
        ((10, 0), 4, 32),
        ((10, 0), 8, 1),
        ((10, 3), 2, 64),
        ((10, 3), 4, 64),
        ((10, 3), 8, 4),
    ],
)
def test_buffers_are_limited(capability: tuple[int, int], size: int, limit_mib: float) -> None:
    """Hidden states beyond the limit of so many ranks are not summed this way."""
    chosen = setup(size=size, capability=capability)
    assert exchange_bytes(WIDE, chosen) == 6 * limit_mib * MIB


def test_eager_mode_holds_the_limit() -> None:
    """The first sum makes buffers of the full limit, however small the steps."""
    held = exchange_bytes(QWEN2_7B_INT4, setup(size=2, enforce_eager=True, batch=SMALL))
    assert 6 * (64 * MIB - 7168) < held <= 6 * 64 * MIB
    assert exchange_bytes(WIDE, setup(size=2, enforce_eager=True)) == 6 * 64 * MIB
