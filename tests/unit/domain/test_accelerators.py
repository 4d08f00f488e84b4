"""The table of GPUs, and what nodes offer by their labels."""

from __future__ import annotations

import pytest

from quantized_model_operator.domain.accelerators import (
    KNOWN_ACCELERATORS,
    MIB,
    accelerator_offers,
    known_accelerator,
    product_label,
    unlabelled_nodes,
)
from quantized_model_operator.domain.cluster_state import ObservedNode
from quantized_model_operator.domain.quantity import GIB
from unit.domain.model_shapes import cpu_node, gpu_node

# Total memory in MiB as the driver and the label state it.
# Source: nvidia-smi of each card, public reports, 2026-11; H200 is our measurement.
DRIVER_MEMORY_MIB = {
    "Tesla-T4": 15360,
    "NVIDIA-L4": 23034,
    "NVIDIA-A10G": 23028,
    "NVIDIA-L40S": 46068,
    "NVIDIA-GeForce-RTX-4090": 24564,
    "NVIDIA-GeForce-RTX-5090": 32607,
    "NVIDIA-A100-SXM4-40GB": 40960,
    "NVIDIA-A100-SXM4-80GB": 81920,
    "NVIDIA-H100-80GB-HBM3": 81559,
    "NVIDIA-H200": 143771,
    "NVIDIA-B200": 183359,
}


def test_products_are_unique_and_have_sources() -> None:
    """No product stands in the table twice, and each figure names where it is from."""
    products = [item.product for item in KNOWN_ACCELERATORS]
    assert len(products) == len(set(products))
    assert all(item.source for item in KNOWN_ACCELERATORS)


@pytest.mark.parametrize("product", DRIVER_MEMORY_MIB)
def test_torch_never_sees_more_than_the_driver(product: str) -> None:
    """The total in the table is a little below the driver's: at most 1 GiB."""
    known = known_accelerator(product)
    assert known is not None
    missing_bytes = DRIVER_MEMORY_MIB[product] * MIB - known.memory_bytes
    assert 0 < missing_bytes < GIB


@pytest.mark.parametrize(
    ("product", "capability"),
    [
        ("Tesla-T4", (7, 5)),
        ("NVIDIA-A10G", (8, 6)),
        ("NVIDIA-L4", (8, 9)),
        ("NVIDIA-A100-80GB-PCIe", (8, 0)),
        ("NVIDIA-H100-80GB-HBM3", (9, 0)),
        ("NVIDIA-H200", (9, 0)),
        ("NVIDIA-B200", (10, 0)),
    ],
)
def test_supported_products_have_their_capability(
    product: str, capability: tuple[int, int]
) -> None:
    """The products that clouds sell are known with their compute capability and not refused."""
    known = known_accelerator(product)
    assert known is not None
    assert known.compute_capability == capability
    assert not known.unsupported


@pytest.mark.parametrize("product", ["Tesla-V100-SXM2-16GB", "AMD-Instinct-MI300X"])
def test_unsupported_products_say_why(product: str) -> None:
    """A product that GPTQ is never planned onto is known, with the reason."""
    known = known_accelerator(product)
    assert known is not None
    assert known.unsupported


def test_nodes_of_a_product_are_one_offer() -> None:
    """Nodes with the same product are counted together, the largest first."""
    nodes = [gpu_node("a", "NVIDIA-L4", 1), gpu_node("b", "NVIDIA-L4", 4), cpu_node("c")]
    (offer,) = accelerator_offers(nodes)
    assert offer.accelerator == known_accelerator("NVIDIA-L4")
    assert offer.gpus_by_node == (4, 1)
    assert offer.largest_node_gpus == 4
    assert [offer.nodes_with(gpus) for gpus in (1, 2, 4, 5)] == [2, 1, 1, 0]


def test_cordoned_and_empty_nodes_are_seen_but_not_counted() -> None:
    """A cordoned node and one whose device plugin offers nothing are in sight without GPUs."""
    nodes = [gpu_node("a", "NVIDIA-L4", 4, schedulable=False), gpu_node("b", "NVIDIA-L4", 0)]
    (offer,) = accelerator_offers(nodes)
    assert (offer.gpus_by_node, offer.absent_gpus_by_node) == ((), (4, 0))
    assert offer.largest_node_gpus == 0


def test_the_table_wins_over_the_label() -> None:
    """For a product in the table the label's memory, the driver's figure, is not used."""
    nodes = [gpu_node("a", "NVIDIA-L4", 1, memory_mib=23034, compute_capability=(8, 9))]
    assert accelerator_offers(nodes)[0].accelerator == known_accelerator("NVIDIA-L4")


def test_a_part_of_a_known_card_is_no_whole_one() -> None:
    """A label far below the card's own memory wins over the table, less the reserve."""
    nodes = [gpu_node("a", "NVIDIA-L4", 1, memory_mib=12288, compute_capability=(8, 9))]
    assert accelerator_offers(nodes)[0].accelerator.memory_bytes == 12 * GIB - 9 * GIB // 10


def test_unknown_products_are_described_by_their_labels() -> None:
    """An unknown product has the labels' capability and its memory less a reserve."""
    nodes = [gpu_node("a", "Otter-9000", 2, memory_mib=24576, compute_capability=(8, 6))]
    (offer,) = accelerator_offers(nodes)
    assert offer.accelerator.product == "Otter-9000"
    assert offer.accelerator.compute_capability == (8, 6)
    assert 22.5 * GIB < offer.accelerator.memory_bytes < 24 * GIB


@pytest.mark.parametrize(
    "labels",
    [
        {},
        {"nvidia.com/gpu.product": "Otter-9000"},
        {"nvidia.com/gpu.product": "Otter-9000", "nvidia.com/gpu.memory": "24576"},
        {
            "nvidia.com/gpu.product": "Otter-9000",
            "nvidia.com/gpu.memory": "much",
            "nvidia.com/gpu.compute.major": "8",
            "nvidia.com/gpu.compute.minor": "6",
        },
    ],
)
def test_nodes_that_do_not_say_which_gpu_are_named(labels: dict[str, str]) -> None:
    """A node that offers GPUs without telling product, memory and capability is no offer."""
    node = ObservedNode(
        name="otter", labels=labels, allocatable={"nvidia.com/gpu": "4"}, schedulable=True
    )
    assert accelerator_offers([node]) == ()
    assert unlabelled_nodes([node, cpu_node("c")]) == ("otter",)


def test_quantities_that_are_no_count_are_no_gpus() -> None:
    """An allocatable that is no whole number counts as nothing."""
    node = ObservedNode(
        name="otter",
        labels={"nvidia.com/gpu.product": "NVIDIA-L4"},
        allocatable={"nvidia.com/gpu": "500m"},
        schedulable=True,
    )
    assert accelerator_offers([node])[0].gpus_by_node == ()


@pytest.mark.parametrize(
    ("product", "labels"),
    [
        ("NVIDIA-L4-SHARED", {}),
        ("NVIDIA-L4", {"nvidia.com/gpu.sharing-strategy": "time-slicing"}),
        ("NVIDIA-L4", {"nvidia.com/gpu.sharing-strategy": "mps"}),
    ],
)
def test_shared_gpus_are_recognised(product: str, labels: dict[str, str]) -> None:
    """Time-sliced and MPS-shared cards are told from whole ones and keep their label."""
    (offer,) = accelerator_offers([gpu_node("a", product, 4, labels=labels)])
    assert offer.accelerator.shared
    assert offer.accelerator.product == product
    assert offer.accelerator.compute_capability == (8, 9)


def test_whole_gpus_are_not_shared() -> None:
    """A sharing strategy of none is a whole card."""
    node = gpu_node("a", "NVIDIA-L4", 4, labels={"nvidia.com/gpu.sharing-strategy": "none"})
    assert not accelerator_offers([node])[0].accelerator.shared


def test_mig_slices_of_mixed_nodes_have_labels_of_their_own() -> None:
    """A MIG resource is read from its own labels, with the slice's memory."""
    resource = "nvidia.com/mig-3g.20gb"
    node = ObservedNode(
        name="otter",
        labels={
            "nvidia.com/gpu.product": "NVIDIA-A100-SXM4-40GB",
            "nvidia.com/gpu.compute.major": "8",
            "nvidia.com/gpu.compute.minor": "0",
            f"{resource}.product": "NVIDIA-A100-SXM4-40GB-MIG-3g.20gb",
            f"{resource}.memory": "19968",
        },
        allocatable={resource: "2"},
        schedulable=True,
    )
    (offer,) = accelerator_offers([node], resource)
    assert offer.accelerator.sliced
    assert 18 * GIB < offer.accelerator.memory_bytes < 19.5 * GIB
    assert product_label(resource) == f"{resource}.product"
    assert accelerator_offers([node]) == ()


def test_other_resources_use_the_common_label() -> None:
    """A renamed shared resource is placed by the ordinary product label."""
    assert product_label("nvidia.com/gpu.shared") == "nvidia.com/gpu.product"
