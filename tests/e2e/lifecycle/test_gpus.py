"""Nodes with GPUs: what a pod asks for, what is refused, and what comes later."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from e2e.support import documents
from e2e.support.documents import SEVEN_BILLION, gpu_spec
from e2e.support.world import World
from qmo_cluster import kwok
from qmo_cluster.kwok import GpuModel

pytestmark = pytest.mark.e2e

PRODUCT = "nvidia.com/gpu.product"


@contextmanager
def gpu_nodes(world: World, count: int, gpu: GpuModel) -> Iterator[Sequence[str]]:
    """Nodes that exist only here."""
    names = world.cluster.add_gpu_nodes(count, gpu, prefix=world.namespace)
    try:
        yield names
    finally:
        for name in names:
            world.cluster.api.delete(f"/api/v1/nodes/{name}")


def pod_spec(world: World, name: str) -> dict[str, Any]:
    """Of a model's Deployment."""
    found: dict[str, Any] = world.the("deployments", name)["spec"]["template"]["spec"]
    return found


def test_a_gpu_model_asks_for_what_was_planned(world: World) -> None:
    """Its pod has GPU limits, the product's affinity and the toleration, and gets such a node."""
    world.know(**SEVEN_BILLION)
    world.operator()
    with gpu_nodes(world, 1, kwok.L4) as (node,):
        world.model("otter", gpu_spec())
        ready = world.until_ready("otter")

        spec = pod_spec(world, "otter")
        assert spec["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "1"
        (term,) = spec["affinity"]["nodeAffinity"][
            "requiredDuringSchedulingIgnoredDuringExecution"
        ]["nodeSelectorTerms"]
        assert term["matchExpressions"] == [
            {"key": PRODUCT, "operator": "In", "values": ["NVIDIA-L4"]}
        ]
        tolerated = {item.get("key"): item.get("operator") for item in spec["tolerations"]}
        assert tolerated["nvidia.com/gpu"] == "Exists"
        (pod,) = world.cluster.api.get(world.path("pods"))["items"]
        assert pod["spec"]["nodeName"] == node
        assert ready["status"]["plan"]["products"] == ["NVIDIA-L4"]


def test_a_gpu_model_waits_for_gpus_without_a_pod(world: World) -> None:
    """Without GPUs in sight it is refused before any pod exists, and goes on when they come."""
    world.know(**SEVEN_BILLION)
    world.operator()
    world.model("otter", gpu_spec())
    refused = world.until_reason("otter", "NoAcceleratorInSight", "Stalled")
    assert world.get("deployments", "otter") is None
    assert documents.condition(refused, "Planned")["status"] == "False"

    with gpu_nodes(world, 1, kwok.L4):
        world.until_ready("otter")


def test_a_named_product_needs_no_node_yet(world: World) -> None:
    """Pods of a named product go Pending for an autoscaler to see, and run when a node comes."""
    world.know(**SEVEN_BILLION)
    world.operator()
    world.model("otter", gpu_spec(products=["NVIDIA-L4"]))
    world.until_reason("otter", "Unschedulable", "Stalled")
    before = pod_spec(world, "otter")

    with gpu_nodes(world, 1, kwok.L4):
        world.until_ready("otter")
        assert pod_spec(world, "otter") == before


def test_nodes_that_come_and_go_restart_nothing(world: World) -> None:
    """Better GPUs that appear, and go again, write nothing about a model that runs."""
    world.know(**SEVEN_BILLION)
    world.operator()
    with gpu_nodes(world, 1, kwok.L4):
        world.model("otter", gpu_spec())
        world.until_ready("otter")
        mark = world.mark()

        names = world.cluster.add_gpu_nodes(1, kwok.H100, prefix=f"{world.namespace}-more")
        world.settle(2.0)
        for name in names:
            world.cluster.api.delete(f"/api/v1/nodes/{name}")

        assert world.writes(mark) == {}


def test_a_model_too_large_for_one_gpu_is_split(world: World) -> None:
    """When the weights need two GPUs of a node, both are asked for."""
    world.know(**SEVEN_BILLION)
    world.operator()
    two = GpuModel("NVIDIA-L4", "ada-lovelace", 23034, "8.9", gpus=2)
    with gpu_nodes(world, 1, two):
        world.model("otter", gpu_spec(gpusPerReplica=2))
        ready = world.until_ready("otter")

        limits = pod_spec(world, "otter")["containers"][0]["resources"]["limits"]
        assert limits["nvidia.com/gpu"] == "2"
        assert ready["status"]["plan"]["tensorParallelSize"] == 2
