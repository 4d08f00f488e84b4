"""Which GPUs a plan may use: nodes in sight, pools at zero, shared, sliced and unsupported ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from quantized_model_operator.domain.quantity import GIB
from unit.domain.model_shapes import (
    A100,
    H100,
    L4,
    L4_SINGLE,
    QWEN2_7B_INT4,
    QWEN2_72B_INT4,
    T4,
    V100,
    cpu_node,
    gpu_node,
    gpu_planned,
    gpu_refused,
)

if TYPE_CHECKING:
    from quantized_model_operator.domain.cluster_state import ObservedNode


def test_products_restrict_the_choice() -> None:
    """Only products that the request names are planned, however well others would fit."""
    plan = gpu_planned(QWEN2_7B_INT4, [T4, L4, H100], products=("NVIDIA-H100-80GB-HBM3",))
    assert plan.products == ("NVIDIA-H100-80GB-HBM3",)
    assert plan.kernel == "Machete"


def test_more_gpus_than_a_node_has_are_refused() -> None:
    """Four GPUs on nodes with one are refused with what a node can give."""
    problem = gpu_refused(QWEN2_7B_INT4, [L4_SINGLE], gpus_per_replica=4)
    assert (problem.reason, problem.field) == ("NotEnoughGpus", "spec.hardware.gpusPerReplica")
    assert "set gpusPerReplica to 1" in problem.message


def test_more_gpus_than_a_node_has_may_come_with_a_named_product() -> None:
    """With the product named, a pool of larger nodes may be at zero: planned, with a warning."""
    plan = gpu_planned(QWEN2_7B_INT4, [L4_SINGLE], gpus_per_replica=4, products=("NVIDIA-L4",))
    assert (plan.tensor_parallel_size, plan.nodes_that_fit) == (4, 0)
    assert any("pods wait for one" in text for text in plan.warnings)


def test_nothing_in_sight_is_refused_with_what_would_fit() -> None:
    """Without any GPU in sight the refusal names known products that would do."""
    problem = gpu_refused(QWEN2_7B_INT4, [cpu_node("plain")])
    assert (problem.reason, problem.field) == ("NoAcceleratorInSight", "spec.hardware.products")
    assert "Would fit: 1 \N{MULTIPLICATION SIGN} Tesla-T4" in problem.message


def test_what_would_fit_does_fit() -> None:
    """Naming a suggested product leads to a plan, for a model that few cards take."""
    problem = gpu_refused(QWEN2_72B_INT4, [T4])
    assert problem.reason == "InsufficientGpuMemory"
    suggested = problem.message.split("Would fit: ")[1].split(", ")
    for text in suggested:
        gpus, product = text.split(" \N{MULTIPLICATION SIGN} ")
        plan = gpu_planned(QWEN2_72B_INT4, [], products=(product,))
        assert plan.tensor_parallel_size == int(gpus)


def test_the_cluster_is_described_when_products_are_missing() -> None:
    """A product that nobody knows is refused, and the GPUs of the cluster are named."""
    problem = gpu_refused(QWEN2_7B_INT4, [L4, A100], products=("Otter-9000",))
    assert problem.reason == "NoAcceleratorInSight"
    assert "(Otter-9000)" in problem.message
    assert "1 node with NVIDIA-L4" in problem.message


def test_a_named_product_is_planned_without_a_node() -> None:
    """A pool that grows from zero: a known product by name is planned with a warning."""
    plan = gpu_planned(QWEN2_7B_INT4, [], products=("NVIDIA-L4",))
    assert (plan.products, plan.nodes_that_fit) == (("NVIDIA-L4",), 0)
    assert any("no node in sight has 1" in text for text in plan.warnings)


def test_nodes_in_sight_come_before_a_pool_at_zero() -> None:
    """Of two named products the one with a node is planned, though the other is smaller."""
    plan = gpu_planned(QWEN2_7B_INT4, [A100], products=("NVIDIA-L4", "NVIDIA-A100-SXM4-80GB"))
    assert plan.products[0] == "NVIDIA-A100-SXM4-80GB"
    assert plan.nodes_that_fit == 1


def test_a_cordoned_node_is_waited_for() -> None:
    """A cluster whose only GPU node is cordoned gets a plan that waits for it."""
    plan = gpu_planned(QWEN2_7B_INT4, [gpu_node("l4", "NVIDIA-L4", 2, schedulable=False)])
    assert (plan.products, plan.nodes_that_fit) == (("NVIDIA-L4",), 0)
    assert [text[0] for text in plan.alternatives] == ["2"]


def test_nodes_without_labels_are_explained() -> None:
    """A GPU node without product labels is refused with what is missing on it."""
    node = changed_labels(L4)
    problem = gpu_refused(QWEN2_7B_INT4, [node])
    assert problem.reason == "NoAcceleratorInSight"
    assert "GPU Feature Discovery" in problem.message
    assert "node l4" in problem.message


def changed_labels(node: ObservedNode) -> ObservedNode:
    """The node without any label."""
    return type(node)(
        name=node.name, labels={}, allocatable=node.allocatable, schedulable=node.schedulable
    )


@pytest.mark.parametrize(
    ("product", "resource_name", "reason", "field"),
    [
        (
            "Tesla-V100-SXM2-16GB",
            "nvidia.com/gpu",
            "ComputeCapabilityTooLow",
            "spec.hardware.products",
        ),
        (
            "AMD-Instinct-MI300X",
            "nvidia.com/gpu",
            "UnsupportedAccelerator",
            "spec.hardware.products",
        ),
        ("NVIDIA-L4", "amd.com/gpu", "UnsupportedAccelerator", "spec.hardware.resourceName"),
    ],
)
def test_unsupported_gpus_are_refused(
    product: str, resource_name: str, reason: str, field: str
) -> None:
    """V100 and GPUs of other vendors are refused with their own reasons."""
    problem = gpu_refused(QWEN2_7B_INT4, [], products=(product,), resource_name=resource_name)
    assert (problem.reason, problem.field) == (reason, field)


def test_one_unsupported_gpu_does_not_spoil_the_others() -> None:
    """A V100 beside an L4 is passed over in silence."""
    plan = gpu_planned(QWEN2_7B_INT4, [V100, L4])
    assert plan.products == ("NVIDIA-L4",)
    assert plan.warnings == ()


def test_shared_gpus_are_planned_only_knowingly() -> None:
    """A time-sliced GPU needs a utilisation or its name, is planned alone and warned about."""
    shared = gpu_node("l4", "NVIDIA-L4-SHARED", 4)
    assert "gpuMemoryUtilization" in gpu_refused(QWEN2_7B_INT4, [shared]).message
    plan = gpu_planned(QWEN2_7B_INT4, [shared], gpu_memory_utilization=0.5)
    assert plan.products == ("NVIDIA-L4-SHARED",)
    assert plan.alternatives == ()
    assert any("time slicing" in text for text in plan.warnings)
    assert gpu_planned(QWEN2_7B_INT4, [shared], products=("NVIDIA-L4-SHARED",)).nodes_that_fit == 1


def test_slices_do_not_work_together() -> None:
    """Two MIG slices cannot hold one model: more than one per replica is refused."""
    slices = gpu_node(
        "mig", "NVIDIA-H100-80GB-HBM3-MIG-3g.40gb", 2, memory_mib=40320, compute_capability=(9, 0)
    )
    assert gpu_planned(QWEN2_7B_INT4, [slices]).tensor_parallel_size == 1
    assert gpu_refused(QWEN2_7B_INT4, [slices], gpus_per_replica=2).reason == "NotEnoughGpus"


def test_cards_of_one_product_count_as_the_smallest() -> None:
    """Nodes that state different memory for one product are one place, of the least memory."""
    nodes = [
        gpu_node(f"node-{mib}", "Otter", 1, memory_mib=mib, compute_capability=(8, 6))
        for mib in (49152, 24576)
    ]
    plan = gpu_planned(QWEN2_7B_INT4, nodes)
    assert plan.nodes_that_fit == 2
    assert plan.gpu_memory_bytes < 24 * GIB


def test_unlabelled_nodes_are_counted() -> None:
    """Of several nodes without labels one is named and the others counted; one stands alone."""
    one = gpu_refused(QWEN2_7B_INT4, [changed_labels(L4)]).message
    two = gpu_refused(QWEN2_7B_INT4, [changed_labels(L4), changed_labels(T4)]).message
    assert "node l4 offers it" in one
    assert "node l4 and 1 more offers it" in two
    assert "none of the" not in one


def test_an_empty_cluster_is_called_empty() -> None:
    """Only when nothing offers the resource does the refusal count the nodes."""
    empty = gpu_refused(QWEN2_7B_INT4, [cpu_node("plain")]).message
    other = gpu_refused(QWEN2_7B_INT4, [L4], products=("Otter-9000",)).message
    assert "none of the 1 nodes in sight" in empty
    assert "none of the" not in other
    assert "shared GPUs" not in other


def test_sharing_is_explained_only_where_it_decides() -> None:
    """With products named, shared GPUs are not the reason, and are not explained."""
    shared = gpu_node("l4", "NVIDIA-L4-SHARED", 4)
    named = gpu_refused(QWEN2_7B_INT4, [shared], products=("Otter-9000",)).message
    assert "NVIDIA-L4-SHARED" in named
    assert "gpuMemoryUtilization" not in named


def test_products_are_suggested_for_their_own_resource_only() -> None:
    """A resource of another vendor gets no suggestion of NVIDIA products."""
    problem = gpu_refused(QWEN2_7B_INT4, [], resource_name="otter.example/gpu")
    assert problem.reason == "NoAcceleratorInSight"
    assert "Would fit" not in problem.message


def test_refusals_of_other_fields_suggest_no_products() -> None:
    """A refusal that another field mends names no products."""
    problem = gpu_refused(QWEN2_7B_INT4, [H100], kv_cache_dtype="fp8")
    assert problem.field == "spec.engine.kvCacheDtype"
    assert "Would fit" not in problem.message


def test_as_many_gpus_as_a_node_has_leave_no_pool_to_grow() -> None:
    """Asking for what the node has is planned onto that node, and no larger node is imagined."""
    plan = gpu_planned(QWEN2_7B_INT4, [L4], gpus_per_replica=4, products=("NVIDIA-L4",))
    assert plan.nodes_that_fit == 1
    pair = gpu_node("pair", "NVIDIA-L4", 2)
    alternatives = gpu_planned(
        QWEN2_7B_INT4, [pair], gpus_per_replica=2, products=("NVIDIA-L4",)
    ).alternatives
    assert [text[0] for text in alternatives] == ["1"]
