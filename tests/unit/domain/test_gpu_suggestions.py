"""What a refusal suggests is something else than what was refused, and nearest at hand first."""

from __future__ import annotations

from quantized_model_operator.domain.model_length import TIMES
from quantized_model_operator.domain.plan_values import ServingPlan
from quantized_model_operator.domain.quantity import GIB
from quantized_model_operator.domain.serving_plan import plan_serving
from unit.domain.model_shapes import (
    A100,
    H100,
    L4,
    L4_SINGLE,
    QWEN2_7B_INT4,
    QWEN2_72B_INT4,
    changed,
    gpu_node,
    gpu_refused,
    gpu_request,
)


def products_of(problem_suggestion: object) -> list[str]:
    """The products that a suggestion names."""
    assert isinstance(problem_suggestion, dict)
    products: list[str] = problem_suggestion["hardware"]["products"]
    return products


def test_gpus_in_sight_are_suggested_first() -> None:
    """A product that no node has is answered with one that a node has, not with a smaller card."""
    problem = gpu_refused(QWEN2_7B_INT4, [H100, L4], products=("NVIDIA-Otter",))
    assert products_of(problem.suggestion) == ["NVIDIA-L4"]
    assert (
        f"Would fit: 1 {TIMES} NVIDIA-L4, 1 {TIMES} NVIDIA-H100-80GB-HBM3, 1 {TIMES} "
        in problem.message
    )


def test_a_part_of_a_card_is_not_suggested_as_the_card() -> None:
    """Where a label says that only a part of a card is offered, the whole card is no way out."""
    part = gpu_node("part", "Tesla-T4", 8, memory_mib=4000)
    problem = gpu_refused(QWEN2_72B_INT4, [part])
    assert "Tesla-T4" not in problem.message.partition("Would fit")[2]


def test_a_larger_node_of_the_same_gpu_is_suggested() -> None:
    """GPUs that are too few in one node may be enough in another."""
    huge = changed(QWEN2_72B_INT4, weights_bytes=1200 * GIB)
    problem = gpu_refused(huge, [gpu_node("single", "NVIDIA-B200", 1)])
    assert problem.suggestion == {"hardware": {"products": ["NVIDIA-B200"], "gpusPerReplica": 8}}


def test_a_share_that_is_too_small_is_left_out() -> None:
    """Where only the user's share is too small, the suggestion is vLLM's own."""
    problem = gpu_refused(QWEN2_7B_INT4, [L4_SINGLE], gpu_memory_utilization=0.2)
    assert problem.field == "spec.engine.gpuMemoryUtilization"
    assert problem.suggestion == {"engine": {"gpuMemoryUtilization": None}}
    assert isinstance(plan_serving(QWEN2_7B_INT4, gpu_request(), [L4_SINGLE]), ServingPlan)


def test_a_share_is_not_at_fault_where_the_whole_is_too_small() -> None:
    """Weights that the whole card does not take are a matter of hardware, whatever the share."""
    problem = gpu_refused(
        QWEN2_72B_INT4,
        [L4_SINGLE, A100],
        products=("NVIDIA-L4",),
        gpus_per_replica=1,
        gpu_memory_utilization=0.5,
    )
    assert problem.field == "spec.hardware.products"


def test_a_share_of_a_shared_gpu_stands() -> None:
    """A time-shared GPU has no share of its own, so leaving it out is no way."""
    shared = gpu_node("shared", "NVIDIA-L4-SHARED", 4, memory_mib=23034, compute_capability=(8, 9))
    problem = gpu_refused(QWEN2_7B_INT4, [shared], gpu_memory_utilization=0.2)
    assert problem.field != "spec.engine.gpuMemoryUtilization"
