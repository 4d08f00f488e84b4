"""Fake GPU nodes and the stages by which kwok plays their pods. Pure documents.

Stages are objects in the cluster, so tests may change, add and remove them while it runs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from qmo_cluster.credentials import kubeconfig_path
from qmo_cluster.processes import ProcessSpec
from qmo_cluster.settings import Settings

FAKE_NODE_ANNOTATION = "kwok.x-k8s.io/node"
STAGES_PATH = "/apis/kwok.x-k8s.io/v1alpha1/stages"


@dataclass(frozen=True)
class GpuModel:
    """What a GPU node says of itself in the labels of NVIDIA's feature discovery."""

    product: str
    family: str
    memory_mib: int
    capability: str
    gpus: int = 1


L4 = GpuModel("NVIDIA-L4", "ada-lovelace", 23034, "8.9")
A10 = GpuModel("NVIDIA-A10", "ampere", 23028, "8.6")
T4 = GpuModel("Tesla-T4", "turing", 15360, "7.5")
V100 = GpuModel("Tesla-V100-SXM2-16GB", "volta", 16384, "7.0")
A100 = GpuModel("NVIDIA-A100-SXM4-80GB", "ampere", 81920, "8.0", gpus=8)
H100 = GpuModel("NVIDIA-H100-80GB-HBM3", "hopper", 81559, "9.0", gpus=8)


def kwok(settings: Settings) -> ProcessSpec:
    """Plays the nodes that carry the annotation, and the pods on them."""
    return ProcessSpec(
        "kwok",
        [
            str(settings.layout.programs / "kwok"),
            f"--config={settings.layout.config}/kwok.yaml",
            f"--kubeconfig={kubeconfig_path(settings.layout, 'kwok')}",
            "--manage-all-nodes=false",
            f"--manage-nodes-with-annotation-selector={FAKE_NODE_ANNOTATION}=fake",
            "--enable-crds=Stage",
            "--node-ip=10.97.0.1",
            "--cidr=10.98.0.0/16",
            "--node-lease-duration-seconds=40",
        ],
    )


def fake_node(
    name: str, gpu: GpuModel | None = None, labels: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """A node with the labels and resources of a GPU machine, or of a plain one without `gpu`."""
    resources = {"cpu": "32", "memory": "256Gi", "ephemeral-storage": "1Ti", "pods": "110"}
    if gpu is not None:
        resources["nvidia.com/gpu"] = str(gpu.gpus)
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "annotations": {FAKE_NODE_ANNOTATION: "fake"},
            "labels": {
                "kubernetes.io/hostname": name,
                "kubernetes.io/arch": "amd64",
                "kubernetes.io/os": "linux",
                **(gpu_labels(gpu) if gpu is not None else {}),
                **(labels or {}),
            },
        },
        "status": {"capacity": resources, "allocatable": resources},
    }


def gpu_labels(gpu: GpuModel) -> dict[str, str]:
    """The labels of GPU feature discovery; all values are strings."""
    major, minor = gpu.capability.split(".")
    values = {
        "gpu.present": "true",
        "gpu.product": gpu.product,
        "gpu.family": gpu.family,
        "gpu.memory": gpu.memory_mib,
        "gpu.count": gpu.gpus,
        "gpu.replicas": 1,
        "gpu.sharing-strategy": "none",
        "gpu.compute.major": major,
        "gpu.compute.minor": minor,
        "mig.capable": "true" if (int(major), int(minor)) in {(8, 0), (9, 0)} else "false",
        "mig.strategy": "single",
        "cuda.driver-version.full": "580.65.06",
        "cuda.driver-version.major": 580,
        "cuda.driver-version.minor": 65,
        "cuda.driver-version.revision": "06",
        "cuda.runtime-version.full": "13.0",
        "cuda.runtime-version.major": 13,
        "cuda.runtime-version.minor": 0,
    }
    return {f"nvidia.com/{key}": str(value) for key, value in values.items()}


def stage_definition() -> dict[str, Any]:
    """The resource type of stages; kwok itself checks what is in them."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {
        "name": "v1alpha1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}},
    }
    names = {"kind": "Stage", "listKind": "StageList", "plural": "stages", "singular": "stage"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "stages.kwok.x-k8s.io"},
        "spec": {
            "group": "kwok.x-k8s.io",
            "names": names,
            "scope": "Cluster",
            "versions": [version],
        },
    }
