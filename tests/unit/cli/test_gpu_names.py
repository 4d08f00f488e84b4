"""The names by which people call GPUs."""

from __future__ import annotations

import pytest

from quantized_model_operator.cli.gpu_names import (
    UnknownGpuError,
    find_gpu,
    known_gpus,
    short_name,
)
from quantized_model_operator.domain.accelerators import KNOWN_ACCELERATORS


@pytest.mark.parametrize(
    ("text", "product"),
    [
        ("L4", "NVIDIA-L4"),
        ("l4", "NVIDIA-L4"),
        ("t4", "Tesla-T4"),
        ("Tesla-T4", "Tesla-T4"),
        ("nvidia l40s", "NVIDIA-L40S"),
        ("4090", "NVIDIA-GeForce-RTX-4090"),
        ("RTX 4090", "NVIDIA-GeForce-RTX-4090"),
        ("rtx-5090", "NVIDIA-GeForce-RTX-5090"),
        ("A100-80GB", "NVIDIA-A100-SXM4-80GB"),
        ("a100_80", "NVIDIA-A100-SXM4-80GB"),
        ("A100 40gb", "NVIDIA-A100-SXM4-40GB"),
        ("NVIDIA-A100-80GB-PCIe", "NVIDIA-A100-80GB-PCIe"),
        ("h100", "NVIDIA-H100-80GB-HBM3"),
        ("H100-80GB", "NVIDIA-H100-80GB-HBM3"),
        ("v100-16gb", "Tesla-V100-SXM2-16GB"),
        ("MI300X", "AMD-Instinct-MI300X"),
    ],
)
def test_names(text: str, product: str) -> None:
    """Short names work in any case, with and without maker and unit."""
    assert find_gpu(text).accelerator.product == product


@pytest.mark.parametrize("accelerator", KNOWN_ACCELERATORS, ids=lambda item: item.product)
def test_every_label_and_every_short_name_is_known(accelerator: object) -> None:
    """Each product of the table is found by its own label, and by the name that is shown."""
    product = accelerator.product  # type: ignore[attr-defined]
    assert find_gpu(product).accelerator.product == product
    name = short_name(product)
    assert find_gpu(name).name == name


def test_a_name_that_may_be_two_gpus_is_refused() -> None:
    """An A100 has 40 or 80 GB, so its bare name is answered with both."""
    with pytest.raises(UnknownGpuError, match=r"A100 may be A100-40GB or A100-80GB: name one"):
        find_gpu("A100")


def test_an_unknown_name_lists_the_known_ones() -> None:
    """What is not known is answered with everything that is."""
    with pytest.raises(UnknownGpuError) as caught:
        find_gpu("K80")
    text = str(caught.value)
    assert text.startswith("K80 is no GPU that is known here; known are T4, ")
    assert all(gpu.name in text for gpu in known_gpus())


def test_each_gpu_is_known_once() -> None:
    """Short names are unique, and no known product is without one."""
    names = [gpu.name for gpu in known_gpus()]
    assert len(names) == len(set(names))
    assert set(names) == {short_name(item.product) for item in KNOWN_ACCELERATORS}


def test_one_short_name_is_one_kind_of_gpu() -> None:
    """Products under one short name have the same memory and compute capability."""
    for gpu in known_gpus():
        figures = {
            (item.memory_bytes, item.compute_capability)
            for item in KNOWN_ACCELERATORS
            if short_name(item.product) == gpu.name
        }
        assert len(figures) == 1, gpu.name
