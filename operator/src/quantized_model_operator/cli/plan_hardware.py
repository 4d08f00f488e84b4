"""I/O: the nodes that a plan is made for: those of a cluster, or some that were named."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from quantized_model_operator.cli.cluster_access import (
    NoClusterError,
    asked,
    cluster_connection,
)
from quantized_model_operator.cli.plan_subject import PlanOptions, Subject
from quantized_model_operator.domain.accelerators import (
    DEFAULT_RESOURCE_NAME,
    known_accelerator,
    product_label,
)
from quantized_model_operator.domain.cluster_state import ObservedNode
from quantized_model_operator.domain.gpu_candidates import GPUS_OF_AN_UNSEEN_NODE
from quantized_model_operator.plan.nodes import nodes_for


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """The nodes of a plan, and where they come from."""

    nodes: tuple[ObservedNode, ...]
    origin: str
    """In a few words."""
    resource_name: str = DEFAULT_RESOURCE_NAME
    free: Mapping[str, int] | None = None
    """GPUs of each node that no pod asks for; ``None`` where that is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuPool:
    """The schedulable nodes with one kind of GPU."""

    product: str
    gpus_by_node: tuple[int, ...]
    free_by_node: tuple[int, ...] | None
    """``None`` where it is not known."""


def hardware_of(subject: Subject, options: PlanOptions) -> Hardware | None:
    """The nodes to plan for; ``None`` for all known GPUs.

    Named GPUs go first, then a cluster, then the products in the manifest. ``NoClusterError`` when
    nothing says on which GPUs.
    """
    count = options.gpu_count or subject.request.gpus_per_replica
    if options.gpus:
        return _named([gpu.accelerator.product for gpu in options.gpus], count or 1, "--gpu")
    if options.all_gpus or (options.gpu_count and subject.request.device == "GPU"):
        return None
    try:
        return _cluster(subject, options)
    except NoClusterError:
        if options.context or options.kubeconfig:
            raise
        assumed = _without_cluster(subject, count or GPUS_OF_AN_UNSEEN_NODE)
        if assumed is None:
            raise
        return assumed


def gpu_pools(hardware: Hardware) -> tuple[GpuPool, ...]:
    """The kinds of GPUs among the nodes, ordered by product."""
    label = product_label(hardware.resource_name)
    nodes: dict[str, list[ObservedNode]] = {}
    for node in hardware.nodes:
        if label in node.labels and node.schedulable and _gpus(node, hardware.resource_name):
            nodes.setdefault(node.labels[label], []).append(node)
    free = hardware.free
    return tuple(
        GpuPool(
            product=product,
            gpus_by_node=tuple(_gpus(node, hardware.resource_name) for node in found),
            free_by_node=None if free is None else tuple(free[node.name] for node in found),
        )
        for product, found in sorted(nodes.items())
    )


def gpu_node(product: str, gpus: int) -> ObservedNode:
    """A node with so many GPUs of a kind and enough of everything else."""
    return replace(
        _LARGE_NODE,
        name=product,
        labels={product_label(): product},
        allocatable={**_LARGE_NODE.allocatable, DEFAULT_RESOURCE_NAME: str(gpus)},
    )


_LARGE_NODE = ObservedNode(
    name="cpu", labels={}, allocatable={"cpu": "256", "memory": "64Ti"}, schedulable=True
)


def _named(products: Sequence[str], count: int, origin: str) -> Hardware:
    nodes = tuple(gpu_node(product, count) for product in products)
    return Hardware(nodes=nodes, origin=f"{origin}, --gpu-count {count}")


def _without_cluster(subject: Subject, count: int) -> Hardware | None:
    if subject.request.device == "CPU":
        return Hardware(
            nodes=(_LARGE_NODE,), origin="an assumed node with AVX-512 and enough memory"
        )
    known = [product for product in subject.request.products if known_accelerator(product)]
    return _named(known, count, "spec.hardware.products") if known else None


def _cluster(subject: Subject, options: PlanOptions) -> Hardware:
    # Late: a plan without a cluster needs no HTTP.
    from quantized_model_operator.cluster.capacity import (  # noqa: PLC0415
        ClusterUnreadableError,
        read_capacity,
    )

    resource = subject.request.resource_name
    connection = cluster_connection(options.context, options.kubeconfig)
    try:
        capacity = asked(connection, lambda found: read_capacity(found, resource))
    except ClusterUnreadableError as error:
        raise NoClusterError(str(error)) from error
    pod = subject.model.pod if subject.model else None
    nodes = nodes_for(
        subject.request.device,
        pod.node_selector if pod else {},
        pod.tolerations if pod else (),
        capacity.nodes,
    )
    taken = capacity.taken
    return Hardware(
        nodes=nodes,
        origin=f"the nodes of {options.context or connection.server}",
        resource_name=resource,
        free=None
        if taken is None
        else {node.name: max(0, _gpus(node, resource) - taken.get(node.name, 0)) for node in nodes},
    )


def _gpus(node: ObservedNode, resource_name: str) -> int:
    text = node.allocatable.get(resource_name, "0")
    return int(text) if text.isdecimal() else 0
