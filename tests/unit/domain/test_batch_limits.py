"""How much vLLM puts into one step: its defaults per card, and the user's settings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantized_model_operator.domain.accelerators import KNOWN_ACCELERATORS
from quantized_model_operator.domain.batch_limits import (
    CPU_BATCH_LIMITS,
    BatchLimits,
    batch_problem,
    chosen_batch_limits,
    default_batch_limits,
    step_problem,
)
from quantized_model_operator.domain.quantity import GIB
from quantized_model_operator.domain.serving_plan import ServingPlan, plan_serving
from unit.domain.model_shapes import (
    A100,
    H100,
    L4,
    QWEN2_7B_INT4,
    TINY_INT4,
    cpu_request,
    gpu_planned,
    gpu_refused,
)

SERVER = BatchLimits(max_num_batched_tokens=8192, max_num_seqs=1024)


@pytest.mark.parametrize(
    ("product", "gib", "limits"),
    [
        ("NVIDIA-B200", 178.35, (16384, 1024)),
        ("NVIDIA-H200", 139.8, (8192, 1024)),
        ("NVIDIA-H100-80GB-HBM3", 79.1, (8192, 1024)),
        ("NVIDIA-A100-SXM4-80GB", 79.14, (2048, 256)),
        ("NVIDIA-L40S", 44.39, (2048, 256)),
        ("Otter", 70.0, (8192, 1024)),
        ("Otter", 69.9, (2048, 256)),
        ("Otter", 160.0, (16384, 1024)),
        ("Otter", 0.0, (2048, 256)),
    ],
)
def test_batch_defaults_follow_the_card(product: str, gib: float, limits: tuple[int, int]) -> None:
    """Batched tokens and sequences are vLLM's defaults for the card, A100-80 excepted."""
    found = default_batch_limits(product, int(gib * GIB))
    assert (found.max_num_batched_tokens, found.max_num_seqs) == limits


def test_every_known_gpu_has_batch_defaults() -> None:
    """No card of the table is left without limits, and sequences never exceed tokens."""
    for item in KNOWN_ACCELERATORS:
        limits = default_batch_limits(item.product, item.memory_bytes)
        assert 0 < limits.max_num_seqs <= limits.max_num_batched_tokens


@pytest.mark.parametrize(
    ("tokens", "sequences", "limits"),
    [
        (None, None, (8192, 1024)),
        (4096, None, (4096, 1024)),
        (512, None, (512, 512)),
        (None, 16, (8192, 16)),
        (256, 300, (256, 300)),
    ],
)
def test_the_users_limits_win(
    tokens: int | None, sequences: int | None, limits: tuple[int, int]
) -> None:
    """A user's limit replaces the default, and default sequences never exceed the tokens."""
    chosen = chosen_batch_limits(SERVER, tokens, sequences)
    assert (chosen.max_num_batched_tokens, chosen.max_num_seqs) == limits


@pytest.mark.parametrize(
    ("tokens", "sequences", "length", "limits"),
    [
        (None, 2, 1000, (2000, 2)),
        (None, 16, 1000, (8192, 16)),
        (None, None, 2, (2048, 1024)),
        (4096, 2, 1000, (4096, 2)),
    ],
)
def test_default_tokens_are_no_more_than_all_sequences_have(
    tokens: int | None, sequences: int | None, length: int, limits: tuple[int, int]
) -> None:
    """Few short requests bound the tokens of a step, unless the user set them."""
    chosen = chosen_batch_limits(SERVER, tokens, sequences, length)
    assert (chosen.max_num_batched_tokens, chosen.max_num_seqs) == limits


@pytest.mark.parametrize(
    ("tokens", "length", "chosen_tokens"),
    [(None, 32768, 32768), (None, 4096, 8192), (40000, 32768, 40000)],
)
def test_without_chunked_prefill_a_step_holds_a_whole_prompt(
    tokens: int | None, length: int, chosen_tokens: int
) -> None:
    """The default grows to the length of a request; a limit of the user's does not."""
    chosen = chosen_batch_limits(SERVER, tokens, None, length, chunked_prefill=False)
    assert (chosen.max_num_batched_tokens, chosen.max_num_seqs) == (chosen_tokens, 1024)


@given(st.integers(1, 10**5), st.integers(1, 10**5))
def test_more_sequences_than_tokens_are_refused(tokens: int, sequences: int) -> None:
    """Exactly the limits with more sequences than tokens are a problem, at the sequences."""
    problem = batch_problem(BatchLimits(max_num_batched_tokens=tokens, max_num_seqs=sequences))
    assert (problem is not None) == (sequences > tokens)
    assert problem is None or problem.field == "spec.engine.maxNumSeqs"


@pytest.mark.parametrize(
    ("tokens", "chunked", "refused"),
    [
        (4095, False, True),
        (4096, False, False),
        (4097, False, False),
        (None, False, False),
        (16, True, False),
    ],
)
def test_a_step_holds_a_request_that_is_not_cut(
    tokens: int | None, *, chunked: bool, refused: bool
) -> None:
    """Only a limit of the user's below the length is refused, and only without chunks."""
    problem = step_problem(tokens, 4096, chunked_prefill=chunked)
    assert (problem is not None) == refused
    assert problem is None or problem.field == "spec.engine.maxNumBatchedTokens"


def test_sequences_beyond_the_default_tokens_of_a_card_are_refused() -> None:
    """4096 sequences exceed the 2048 tokens of an L4, not the 8192 of an H100."""
    problem = gpu_refused(QWEN2_7B_INT4, [L4], max_num_seqs=4096)
    assert problem.reason == "InvalidSpec"
    assert "maxNumBatchedTokens to 4096 or more" in problem.message
    plan = gpu_planned(QWEN2_7B_INT4, [L4, A100, H100], max_num_seqs=4096)
    assert plan.products == ("NVIDIA-H100-80GB-HBM3",)
    remedied = gpu_planned(QWEN2_7B_INT4, [L4], max_num_seqs=4096, max_num_batched_tokens=4096)
    assert remedied.products == ("NVIDIA-L4",)


def test_sequences_beyond_the_default_tokens_of_a_cpu_are_refused() -> None:
    """On CPU 2048 sequences are planned and 2049 refused."""
    assert CPU_BATCH_LIMITS.max_num_batched_tokens == 2048
    most = plan_serving(TINY_INT4, cpu_request(max_num_seqs=2048), [])
    assert isinstance(most, ServingPlan)
    more = plan_serving(TINY_INT4, cpu_request(max_num_seqs=2049), [])
    assert not isinstance(more, ServingPlan)
    assert [item.field for item in more] == ["spec.engine.maxNumSeqs"]
