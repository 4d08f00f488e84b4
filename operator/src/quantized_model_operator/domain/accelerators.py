"""Pure: the GPUs we know, and the GPUs that the nodes of a cluster offer.

Labels are those of NVIDIA's GPU Feature Discovery.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from quantized_model_operator.domain.cluster_state import ObservedNode
from quantized_model_operator.domain.quantity import GIB
from quantized_model_operator.domain.quantization import ComputeCapability

MIB = 1 << 20

DEFAULT_RESOURCE_NAME = "nvidia.com/gpu"

UNKNOWN_RESERVE_BYTES = 9 * GIB // 10
"""How much less than the label ``gpu.memory`` torch may report on a product we do not know: the
largest difference among the products below is 0.86 GiB (A100-80)."""

NO_COMPUTE_CAPABILITY: ComputeCapability = (0, 0)
"""Of GPUs that are not NVIDIA's."""

SHARED_SUFFIX = "-SHARED"
MIG_INFIX = "-MIG-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Accelerator:
    """One product as a planner needs it."""

    product: str
    """Value of the product label."""
    memory_bytes: int
    """Total as ``torch.cuda`` reports it: what vLLM's utilisation is a share of."""
    compute_capability: ComputeCapability
    unsupported: str = ""
    """Why GPTQ is never planned onto it; empty when it may be."""
    shared: bool = False
    """Pods share it by time slicing or MPS: its memory is not one pod's alone, and two of them
    may be the same card."""
    source: str = ""

    @property
    def sliced(self) -> bool:
        """Whether it is a MIG slice: several of them cannot work as one."""
        return MIG_INFIX in self.product


def _known(
    gib: float, capability: ComputeCapability, source: str, *products: str, unsupported: str = ""
) -> tuple[Accelerator, ...]:
    return tuple(
        Accelerator(
            product=product,
            memory_bytes=int(gib * GIB),
            compute_capability=capability,
            unsupported=unsupported,
            source=source,
        )
        for product in products
    )


_TOO_OLD = "compute capability 7.0 is below the 7.5 that GPTQ needs in vLLM"
_TORCH = "total that torch prints, in public reports, the lowest taken, 2026-11"

KNOWN_ACCELERATORS: tuple[Accelerator, ...] = (
    *_known(14.56, (7, 5), f"{_TORCH}; 14.56 to 14.76", "Tesla-T4"),
    *_known(
        15.77,
        (7, 0),
        _TORCH,
        "Tesla-V100-SXM2-16GB",
        "Tesla-V100-PCIE-16GB",
        unsupported=_TOO_OLD,
    ),
    *_known(
        31.73,
        (7, 0),
        f"{_TORCH}; 31.73 to 31.74",
        "Tesla-V100-SXM2-32GB",
        "Tesla-V100-PCIE-32GB",
        unsupported=_TOO_OLD,
    ),
    *_known(21.98, (8, 6), f"{_TORCH}; 21.98 to 22.18", "NVIDIA-A10", "NVIDIA-A10G"),
    *_known(22.03, (8, 9), f"{_TORCH}; 22.03 to 22.17", "NVIDIA-L4"),
    *_known(44.39, (8, 9), f"{_TORCH}; 44.39 to 44.42", "NVIDIA-L40S"),
    *_known(23.52, (8, 9), f"{_TORCH}; 23.52 to 23.68", "NVIDIA-GeForce-RTX-4090"),
    *_known(31.36, (12, 0), f"{_TORCH}; 31.36 to 31.51", "NVIDIA-GeForce-RTX-5090"),
    *_known(
        39.38,
        (8, 0),
        f"{_TORCH}; 39.38 to 39.49",
        "NVIDIA-A100-SXM4-40GB",
        "NVIDIA-A100-PCIE-40GB",
    ),
    *_known(
        79.14,
        (8, 0),
        f"{_TORCH}; 79.14 to 79.32",
        "NVIDIA-A100-SXM4-80GB",
        "NVIDIA-A100-80GB-PCIe",
    ),
    *_known(
        79.1,
        (9, 0),
        f"{_TORCH}; 79.1 to 79.2, 79.18 in our own log",
        "NVIDIA-H100-80GB-HBM3",
        "NVIDIA-H100-PCIe",
    ),
    *_known(139.8, (9, 0), "vLLM's own log on H200, our measurement, 2026-11", "NVIDIA-H200"),
    *_known(178.35, (10, 0), f"{_TORCH}; 178.35 to 178.36", "NVIDIA-B200"),
    Accelerator(
        product="AMD-Instinct-MI300X",
        memory_bytes=int(191.69 * GIB),
        compute_capability=NO_COMPUTE_CAPABILITY,
        unsupported="GPTQ on ROCm runs on kernels that were not tried",
        source="vLLM's own log in a public report, 2026-11",
    ),
)

UNSUPPORTED_RESOURCES: Mapping[str, str] = {
    "amd.com/gpu": "GPTQ on ROCm runs on kernels that were not tried",
    "gpu.intel.com/i915": "GPTQ on Intel GPUs runs on kernels that were not tried",
    "gpu.intel.com/xe": "GPTQ on Intel GPUs runs on kernels that were not tried",
}
"""Resources of other vendors' device plugins."""

_Labels = tuple[str, ...]

_BY_PRODUCT: Mapping[str, Accelerator] = {item.product: item for item in KNOWN_ACCELERATORS}


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceleratorOffer:
    """One product and the nodes that offer it."""

    accelerator: Accelerator
    gpus_by_node: tuple[int, ...]
    """GPUs of each schedulable node, in falling order."""
    absent_gpus_by_node: tuple[int, ...]
    """The same of nodes that are cordoned, not Ready, or whose device plugin offers nothing."""

    @property
    def largest_node_gpus(self) -> int:
        """GPUs of the largest schedulable node; 0 when there is none."""
        return self.gpus_by_node[0] if self.gpus_by_node else 0

    def nodes_with(self, gpus: int) -> int:
        """Schedulable nodes with at least this many GPUs."""
        return sum(1 for count in self.gpus_by_node if count >= gpus)


def product_label(resource_name: str = DEFAULT_RESOURCE_NAME) -> str:
    """Key of the node label whose values are products: what pods are placed by."""
    return f"{_label_prefix(resource_name)}.product"


def known_accelerator(product: str) -> Accelerator | None:
    """The product in the table, or ``None``."""
    return _BY_PRODUCT.get(product)


def accelerator_offers(
    nodes: Sequence[ObservedNode], resource_name: str = DEFAULT_RESOURCE_NAME
) -> tuple[AcceleratorOffer, ...]:
    """The GPUs in sight, one offer per product and memory, ordered by product.

    Nodes without product and memory labels are left out; see ``unlabelled_nodes``.
    """
    groups: dict[_Labels, tuple[list[int], list[int]]] = {}
    keys = _label_keys(resource_name)
    for node in nodes:
        if resource_name in node.allocatable:
            gpus = _allocatable_gpus(node, resource_name)
            labels = tuple(node.labels.get(key, "") for key in keys)
            present, absent = groups.setdefault(labels, ([], []))
            (present if node.schedulable and gpus else absent).append(gpus)
    offers = (
        AcceleratorOffer(
            accelerator=accelerator,
            gpus_by_node=tuple(sorted(present, reverse=True)),
            absent_gpus_by_node=tuple(sorted(absent, reverse=True)),
        )
        for labels, (present, absent) in groups.items()
        if (accelerator := _labelled_accelerator(labels, resource_name)) is not None
    )
    return tuple(sorted(offers, key=_by_product))


def unlabelled_nodes(
    nodes: Iterable[ObservedNode], resource_name: str = DEFAULT_RESOURCE_NAME
) -> tuple[str, ...]:
    """Names of nodes that offer the resource but do not say which GPU it is."""
    return tuple(
        node.name
        for node in nodes
        if _allocatable_gpus(node, resource_name) > 0
        and _labelled_accelerator(
            tuple(node.labels.get(key, "") for key in _label_keys(resource_name)), resource_name
        )
        is None
    )


def _by_product(offer: AcceleratorOffer) -> tuple[str, int]:
    return offer.accelerator.product, offer.accelerator.memory_bytes


def _allocatable_gpus(node: ObservedNode, resource_name: str) -> int:
    text = node.allocatable.get(resource_name, "0")
    return int(text) if text.isdecimal() else 0


def _label_keys(resource_name: str) -> tuple[str, str, str, str, str]:
    """Keys of product, memory in MiB, compute capability (major, minor) and sharing strategy."""
    prefix = _label_prefix(resource_name)
    return (
        f"{prefix}.product",
        f"{prefix}.memory",
        f"{DEFAULT_RESOURCE_NAME}.compute.major",
        f"{DEFAULT_RESOURCE_NAME}.compute.minor",
        f"{DEFAULT_RESOURCE_NAME}.sharing-strategy",
    )


def _labelled_accelerator(labels: _Labels, resource_name: str) -> Accelerator | None:
    """What the labels say; the table's figures win for a whole card that it knows."""
    product, memory_mib, major, minor, strategy = labels
    if not product:
        return None
    shared = (
        product.endswith(SHARED_SUFFIX)
        or resource_name.endswith(".shared")
        or strategy not in {"", "none"}
    )
    stated_bytes = int(memory_mib) * MIB if memory_mib.isdecimal() else 0
    usable_bytes = max(0, stated_bytes - UNKNOWN_RESERVE_BYTES)
    known = _BY_PRODUCT.get(product.removesuffix(SHARED_SUFFIX))
    if known is not None:
        # A label below the table's figure means that only a part of the card is offered.
        is_part = 0 < stated_bytes < known.memory_bytes
        memory_bytes = usable_bytes if is_part else known.memory_bytes
        return replace(known, product=product, shared=shared, memory_bytes=memory_bytes)
    if not (stated_bytes and major.isdecimal() and minor.isdecimal()):
        return None
    return Accelerator(
        product=product,
        memory_bytes=usable_bytes,
        compute_capability=(int(major), int(minor)),
        shared=shared,
        source="labels of the node",
    )


def _label_prefix(resource_name: str) -> str:
    """MIG slices of mixed nodes have labels of their own."""
    is_slice = resource_name.startswith("nvidia.com/mig-")
    return resource_name if is_slice else DEFAULT_RESOURCE_NAME
