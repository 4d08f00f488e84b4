"""What of a cluster's GPUs is taken."""

from __future__ import annotations

import pytest

from fake_nodes import Body, gpu_node_body, gpu_pod_body, running_nodes
from quantized_model_operator.cluster.capacity import ClusterUnreadableError, read_capacity
from quantized_model_operator.cluster.connection import Connection
from quantized_model_operator.cluster.credentials import FixedToken

GPU = "nvidia.com/gpu"


def connection(url: str) -> Connection:
    """Plain HTTP with a token that nobody checks."""
    return Connection(server=url, authorization=FixedToken("secret"))


def container(gpus: int) -> Body:
    """A container that asks for so many GPUs."""
    return {"name": "c", "resources": {"limits": {GPU: str(gpus)}}}


async def taken(pod: Body) -> int:
    """GPUs of the one node that this pod takes."""
    with running_nodes([gpu_node_body("den", "NVIDIA-L4", 8)], [pod]) as server:
        capacity = await read_capacity(connection(server.url), GPU)
    assert capacity.taken is not None
    assert [node.name for node in capacity.nodes] == ["den"]
    return capacity.taken.get("den", 0)


async def test_all_containers_of_a_pod_count() -> None:
    """GPUs of containers that run together add up."""
    pod = gpu_pod_body("busy", "den", 1)
    pod["spec"]["containers"] = [container(1), container(2), {"name": "plain"}]
    assert await taken(pod) == 3


async def test_init_containers_run_one_after_the_other() -> None:
    """Of init containers the greediest counts, if it takes more than the others together."""
    pod = gpu_pod_body("busy", "den", 1)
    pod["spec"]["initContainers"] = [container(2), container(4), container(1)]
    assert await taken(pod) == 4


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
async def test_pods_that_ended_take_nothing(phase: str) -> None:
    """What has ended has given its GPUs back."""
    assert await taken(gpu_pod_body("done", "den", 4, phase)) == 0


async def test_pods_without_a_node_take_nothing() -> None:
    """A pod that waits for a node holds no GPU of any."""
    assert await taken(gpu_pod_body("waiting", "", 4, "Pending")) == 0


async def test_other_resources_are_not_counted() -> None:
    """A pod that holds slices of another kind leaves the GPUs free."""
    pod = gpu_pod_body("busy", "den", 4)
    pod["spec"]["containers"] = [{"name": "c", "resources": {"limits": {"example.com/gpu": "4"}}}]
    assert await taken(pod) == 0


async def test_a_cluster_that_is_gone() -> None:
    """Where nobody listens the error names the server."""
    with running_nodes([]) as server:
        url = server.url
    with pytest.raises(ClusterUnreadableError, match=url):
        await read_capacity(connection(url), GPU)


async def test_nodes_that_may_not_be_listed() -> None:
    """Without the right to list nodes there is nothing to plan on."""
    with running_nodes([]) as server:
        server.forbidden.add("/api/v1/nodes")
        with pytest.raises(ClusterUnreadableError, match="403"):
            await read_capacity(connection(server.url), GPU)


async def test_pods_that_may_not_be_listed() -> None:
    """Without the right to list pods the nodes are told, and not what is free."""
    with running_nodes([gpu_node_body("den", "NVIDIA-L4", 8)]) as server:
        server.forbidden.add("/api/v1/pods")
        capacity = await read_capacity(connection(server.url), GPU)
    assert len(capacity.nodes) == 1
    assert capacity.taken is None
