"""What vLLM keeps free for CUDA graphs."""

from __future__ import annotations

import pytest

from quantized_model_operator.domain.batch_limits import BatchLimits
from quantized_model_operator.domain.graph_memory import capture_sizes, graph_estimate_bytes
from quantized_model_operator.domain.quantity import GIB
from unit.domain.memory_runs import FEW, SERVER, setup
from unit.domain.model_shapes import QWEN2_05B_INT4, QWEN2_7B_INT4, changed


@pytest.mark.parametrize(
    ("facts", "batch", "estimate_gib"),
    [(QWEN2_7B_INT4, SERVER, 0.86), (QWEN2_05B_INT4, SERVER, 0.43), (QWEN2_7B_INT4, FEW, 0.19)],
)
def test_the_estimate_is_as_vllm_logged_it(
    facts: object, batch: BatchLimits, estimate_gib: float
) -> None:
    """The estimates of three starts on Hopper are met within 0.03 GiB."""
    chosen = setup(batch=batch)
    estimate = graph_estimate_bytes(facts, chosen)  # type: ignore[arg-type]
    assert estimate / GIB == pytest.approx(estimate_gib, abs=0.03)


@pytest.mark.parametrize(
    ("tokens", "sequences", "capability", "count", "largest"),
    [
        (8192, 1024, (9, 0), 51, 512),
        (2048, 256, (8, 9), 51, 512),
        (8192, 64, (9, 0), 19, 128),
        (8192, 1024, (10, 0), 83, 1024),
        (8192, 1024, (12, 0), 51, 512),
        (300, 256, (9, 0), 37, 288),
        (8192, 100, (9, 0), 29, 200),
        (8192, 3, (9, 0), 4, 4),
        (8192, 1, (9, 0), 2, 2),
        (1, 1, (9, 0), 1, 1),
    ],
)
def test_batch_sizes_are_captured_in_growing_steps(
    tokens: int, sequences: int, capability: tuple[int, int], count: int, largest: int
) -> None:
    """Up to twice the sequences, 512 (1024 on compute capability 10) and the tokens of a step."""
    limits = BatchLimits(max_num_batched_tokens=tokens, max_num_seqs=sequences)
    sizes = capture_sizes(limits, capability)
    assert (len(sizes), sizes[-1]) == (count, largest)


def test_deeper_and_wider_models_have_larger_graphs() -> None:
    """Twice the layers take nearly twice, and a wider model more."""
    base = graph_estimate_bytes(QWEN2_7B_INT4, setup())
    deeper = graph_estimate_bytes(changed(QWEN2_7B_INT4, layers=56), setup())
    wider = graph_estimate_bytes(changed(QWEN2_7B_INT4, hidden_size=7168), setup())
    assert 1.4 * base < deeper < 2 * base
    assert base < wider


@pytest.mark.parametrize(("batch", "largest"), [(SERVER, 512), (FEW, 64)])
def test_only_hopper_keeps_split_attention(batch: BatchLimits, largest: int) -> None:
    """FlashAttention 3, which keeps partial results for graphs, runs on Hopper alone."""
    hopper = graph_estimate_bytes(QWEN2_7B_INT4, setup(batch=batch))
    ada = graph_estimate_bytes(QWEN2_7B_INT4, setup(batch=batch, capability=(8, 9)))
    assert hopper - ada == 4 * 32 * largest * 28 * 128


def test_eager_mode_keeps_nothing_free_for_graphs() -> None:
    """Without graphs there is nothing to estimate."""
    assert graph_estimate_bytes(QWEN2_7B_INT4, setup(enforce_eager=True)) == 0
