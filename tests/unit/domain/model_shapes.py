"""Checkpoints, nodes and requests that the tests of the planning arithmetic share."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from checkpoints import seven_billion
from quantized_model_operator.domain.cluster_state import ObservedNode
from quantized_model_operator.domain.quantity import GIB
from quantized_model_operator.domain.serving_plan import ServingPlan, ServingRequest, plan_serving

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from quantized_model_operator.domain.checkpoint import CheckpointFacts
    from quantized_model_operator.domain.outcome import Problem

QWEN2_7B_INT4 = seven_billion(weights_bytes=int(5.19 * GIB))
QWEN2_7B_INT8 = replace(QWEN2_7B_INT4, bits=8, weights_bytes=int(8.25 * GIB))
QWEN2_05B_INT4 = replace(
    QWEN2_7B_INT4,
    weights_bytes=int(0.43 * GIB),
    layers=24,
    hidden_size=896,
    intermediate_size=4864,
    heads=14,
    kv_heads=2,
    head_size=64,
    vocabulary=151936,
    tied_embeddings=True,
)
QWEN25_14B_INT4 = replace(
    QWEN2_7B_INT4,
    weights_bytes=int(9.4 * GIB),
    layers=48,
    hidden_size=5120,
    intermediate_size=13824,
    heads=40,
    kv_heads=8,
)
QWEN2_72B_INT4 = replace(
    QWEN2_7B_INT4,
    weights_bytes=int(38.6 * GIB),
    layers=80,
    hidden_size=8192,
    intermediate_size=29696,
    heads=64,
    kv_heads=8,
)
TINY_INT4 = replace(
    QWEN2_7B_INT4,
    dtype="bfloat16",
    weights_bytes=5_480_000,
    files=1,
    layers=4,
    hidden_size=256,
    intermediate_size=512,
    heads=4,
    kv_heads=2,
    head_size=64,
    vocabulary=4096,
    max_model_length=2048,
)


def changed(facts: CheckpointFacts, **changes: Any) -> CheckpointFacts:  # noqa: ANN401
    """The checkpoint with some facts changed."""
    return replace(facts, **changes)


def gpu_node(
    name: str,
    product: str,
    gpus: int,
    *,
    memory_mib: int | None = None,
    compute_capability: tuple[int, int] | None = None,
    schedulable: bool = True,
    labels: Mapping[str, str] | None = None,
) -> ObservedNode:
    """A node as GPU Feature Discovery and the device plugin describe it."""
    all_labels = {"nvidia.com/gpu.product": product}
    if memory_mib is not None:
        all_labels["nvidia.com/gpu.memory"] = str(memory_mib)
    if compute_capability is not None:
        all_labels["nvidia.com/gpu.compute.major"] = str(compute_capability[0])
        all_labels["nvidia.com/gpu.compute.minor"] = str(compute_capability[1])
    return ObservedNode(
        name=name,
        labels={**all_labels, **(labels or {})},
        allocatable={"cpu": "15890m", "memory": "64Gi", "nvidia.com/gpu": str(gpus)},
        schedulable=schedulable,
    )


def cpu_node(name: str, *, cpu: str = "2", memory: str = "12Gi", **labels: str) -> ObservedNode:
    """A node without a GPU; keyword labels replace ``__`` by ``/`` and ``_`` by ``.``."""
    return ObservedNode(
        name=name,
        labels={key.replace("__", "/").replace("_", "."): value for key, value in labels.items()},
        allocatable={"cpu": cpu, "memory": memory},
        schedulable=True,
    )


def gpu_request(**settings: Any) -> ServingRequest:  # noqa: ANN401
    """A request for GPUs that leaves everything else to the plan."""
    return ServingRequest(**{"device": "GPU", "engine_version": "0.33.0", **settings})


def cpu_request(**settings: Any) -> ServingRequest:  # noqa: ANN401
    """A request for CPU that leaves everything else to the plan."""
    return ServingRequest(**{"device": "CPU", "engine_version": "0.32.0", **settings})


L4 = gpu_node("l4", "NVIDIA-L4", 4)
L4_SINGLE = gpu_node("l4-single", "NVIDIA-L4", 1)
T4 = gpu_node("t4", "Tesla-T4", 1)
V100 = gpu_node("v100", "Tesla-V100-SXM2-16GB", 8)
A100 = gpu_node("a100", "NVIDIA-A100-SXM4-80GB", 8)
H100 = gpu_node("h100", "NVIDIA-H100-80GB-HBM3", 8)


def gpu_planned(
    facts: CheckpointFacts,
    nodes: Sequence[ObservedNode],
    **settings: Any,  # noqa: ANN401
) -> ServingPlan:
    """The plan; fails the test when it is refused."""
    plan = plan_serving(facts, gpu_request(**settings), nodes)
    assert isinstance(plan, ServingPlan), plan
    return plan


def gpu_refused(
    facts: CheckpointFacts,
    nodes: Sequence[ObservedNode],
    **settings: Any,  # noqa: ANN401
) -> Problem:
    """The one problem; fails the test when there is a plan or several problems."""
    problems = plan_serving(facts, gpu_request(**settings), nodes)
    assert not isinstance(problems, ServingPlan), problems
    (problem,) = problems
    return problem
