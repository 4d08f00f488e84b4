"""Pure: which GPUs a request may be planned on: those in sight, and known ones that it names."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from quantized_model_operator.domain.accelerators import (
    DEFAULT_RESOURCE_NAME,
    KNOWN_ACCELERATORS,
    UNSUPPORTED_RESOURCES,
    Accelerator,
    AcceleratorOffer,
    accelerator_offers,
    known_accelerator,
    unlabelled_nodes,
)
from quantized_model_operator.domain.cluster_state import ObservedNode
from quantized_model_operator.domain.outcome import Problem
from quantized_model_operator.domain.plan_values import ServingRequest

GPUS_OF_AN_UNSEEN_NODE = 8
"""How many GPUs a node of a pool that has none yet may have. Source: our assumption."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A GPU that a plan may use, and how many of them one node has."""

    accelerator: Accelerator
    gpus_per_node: int
    gpus_by_node: tuple[int, ...]
    """GPUs of each schedulable node; empty when none is in sight."""

    @property
    def largest_size(self) -> int:
        """The largest tensor parallel size on it; parts of a GPU cannot work together."""
        is_part = self.accelerator.sliced or self.accelerator.shared
        return 1 if is_part else self.gpus_per_node

    def nodes_with(self, gpus: int) -> int:
        """Schedulable nodes with at least this many GPUs."""
        return sum(1 for count in self.gpus_by_node if count >= gpus)


def candidates(
    request: ServingRequest, nodes: Sequence[ObservedNode]
) -> tuple[Candidate, ...] | Problem:
    """The GPUs in sight that the request accepts, and the known ones that it names.

    A named GPU without a node is a candidate too: its pool may grow from zero, and so is one with
    smaller nodes when the user asks for more GPUs by number.
    """
    if request.resource_name in UNSUPPORTED_RESOURCES:
        return _unsupported_resource(request)
    offers = accelerator_offers(nodes, request.resource_name)
    found: dict[str, Candidate] = {}
    for offer in offers:
        if _accepts(request, offer.accelerator):
            product = offer.accelerator.product
            found[product] = _merged(found.get(product), _seen(offer, request))
    for product in request.products:
        accelerator = known_accelerator(product)
        if accelerator is not None and product not in found:
            found[product] = _unseen(accelerator)
    return tuple(found.values()) or _nothing_in_sight(request, nodes, offers)


def suggestions(request: ServingRequest) -> tuple[Candidate, ...]:
    """The GPUs we know, one of each size, for saying what would fit; none of another vendor."""
    if not request.resource_name.startswith("nvidia.com/"):
        return ()
    sizes: dict[int, Candidate] = {}
    for accelerator in KNOWN_ACCELERATORS:
        if not accelerator.unsupported:
            sizes.setdefault(accelerator.memory_bytes, _unseen(accelerator))
    return tuple(sizes.values())


def _accepts(request: ServingRequest, accelerator: Accelerator) -> bool:
    """Time-shared GPUs count only when named or when the user says which share is free."""
    if request.products:
        return accelerator.product in request.products
    return not accelerator.shared or request.gpu_memory_utilization is not None


def _merged(smaller: Candidate | None, larger: Candidate) -> Candidate:
    """Cards of one product that differ in memory count as the smallest of them."""
    if smaller is None:
        return larger
    return Candidate(
        accelerator=smaller.accelerator,
        gpus_per_node=max(smaller.gpus_per_node, larger.gpus_per_node),
        gpus_by_node=smaller.gpus_by_node + larger.gpus_by_node,
    )


def _unsupported_resource(request: ServingRequest) -> Problem:
    return Problem(
        reason="UnsupportedAccelerator",
        field="spec.hardware.resourceName",
        message=(
            f"{UNSUPPORTED_RESOURCES[request.resource_name]}; use NVIDIA GPUs, as "
            f"{DEFAULT_RESOURCE_NAME}"
        ),
    )


def _seen(offer: AcceleratorOffer, request: ServingRequest) -> Candidate:
    gpus = offer.largest_node_gpus or max(offer.absent_gpus_by_node, default=0)
    asked = request.gpus_per_replica or 0
    pool_may_grow = not gpus or (bool(request.products) and asked > gpus)
    return Candidate(
        accelerator=offer.accelerator,
        gpus_per_node=max(gpus, GPUS_OF_AN_UNSEEN_NODE) if pool_may_grow else gpus,
        gpus_by_node=offer.gpus_by_node,
    )


def _unseen(accelerator: Accelerator) -> Candidate:
    return Candidate(accelerator=accelerator, gpus_per_node=GPUS_OF_AN_UNSEEN_NODE, gpus_by_node=())


def _nothing_in_sight(
    request: ServingRequest, nodes: Sequence[ObservedNode], offers: Sequence[AcceleratorOffer]
) -> Problem:
    wanted = f" ({', '.join(request.products)})" if request.products else ""
    return Problem(
        reason="NoAcceleratorInSight",
        field="spec.hardware.products",
        message=(
            f"No node offers a GPU{wanted} as {request.resource_name}; "
            f"{'; '.join(_sights(request, nodes, offers))}"
        ),
    )


def _sights(
    request: ServingRequest, nodes: Sequence[ObservedNode], offers: Sequence[AcceleratorOffer]
) -> Iterable[str]:
    """What the cluster has instead."""
    unlabelled = unlabelled_nodes(nodes, request.resource_name)
    if offers:
        yield f"the cluster has {', '.join(_described(offer) for offer in offers[:4])}"
    if unlabelled:
        more = f" and {len(unlabelled) - 1} more" if len(unlabelled) > 1 else ""
        yield (
            f"node {unlabelled[0]}{more} offers it without the label nvidia.com/gpu.product: "
            "install GPU Feature Discovery"
        )
    if not offers and not unlabelled:
        yield f"none of the {len(nodes)} nodes in sight offers this resource"
    if any(offer.accelerator.shared for offer in offers) and not request.products:
        yield "shared GPUs are used only with spec.engine.gpuMemoryUtilization set"


def _described(offer: AcceleratorOffer) -> str:
    total = len(offer.gpus_by_node) + len(offer.absent_gpus_by_node)
    nodes = "1 node" if total == 1 else f"{total} nodes"
    return f"{nodes} with {offer.accelerator.product}"
