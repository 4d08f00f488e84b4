"""What the demo puts into a cluster: the chart, a claim with the model, a QuantizedModel."""

import shutil
from pathlib import Path

from qmo_cluster.cluster import Cluster
from qmo_demo.kubernetes import Document, Kubernetes
from qmo_demo.supplies import (
    ENGINE_REPOSITORY,
    ENGINE_VERSION,
    OPERATOR_REPOSITORY,
    REPOSITORY,
    TinyModel,
    operator_version,
)

CHART = REPOSITORY / "charts/quantized-model-operator"
OPERATOR_NAMESPACE = "quantized-model-system"
NAMESPACE = "demo"
MODEL = "tiny-qwen2"
CLAIM = "weights"


def namespace(name: str) -> Document:
    """A namespace that admits restricted pods only."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": labels},
    }


def install_chart(
    kubernetes: Kubernetes,
    *values: str,
    image_stamp: str = "",
    registry: str = "",
    release: str = "qm",
) -> None:
    """Install or upgrade the chart with the images that were built here.

    The stamp makes the operator roll when its image changed under the same tag.
    """
    operator = OPERATOR_REPOSITORY
    engine = f"{ENGINE_REPOSITORY}:{{version}}"
    if registry:
        operator, engine = (
            item.replace("localhost/", f"{registry}/", 1) for item in (operator, engine)
        )
    settings = (
        f"image.repository={operator}",
        f"image.tag={operator_version()}",
        f"engines.cpu.image={engine}",
        f"engines.cpu.version={ENGINE_VERSION}",
        f"podAnnotations.image-stamp={image_stamp}",
        *values,
    )
    kubernetes.helm(
        "upgrade",
        "--install",
        release,
        str(CHART),
        f"--namespace={OPERATOR_NAMESPACE}",
        "--create-namespace",
        "--wait",
        "--timeout=5m",
        *(f"--set-string={item}" for item in settings),
    )


def claim_on_node(cluster: Cluster, folder: Path, *, namespace_name: str, name: str) -> None:
    """A claim whose volume is a folder of the node with the given files in it."""
    place = cluster.layout.directory / "volumes" / namespace_name / name
    if folder != place:
        shutil.copytree(folder, place, dirs_exist_ok=True)
    for path in (place, *place.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    volume = f"{namespace_name}-{name}"
    storage = {"storage": "1Gi"}
    cluster.api.apply(
        f"/api/v1/persistentvolumes/{volume}",
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": volume},
            "spec": {
                "capacity": storage,
                "accessModes": ["ReadWriteMany"],
                "persistentVolumeReclaimPolicy": "Retain",
                "storageClassName": "",
                "hostPath": {"path": str(place), "type": "Directory"},
                "claimRef": {"namespace": namespace_name, "name": name},
            },
        },
    )
    cluster.api.apply(
        f"/api/v1/namespaces/{namespace_name}/persistentvolumeclaims/{name}",
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": name, "namespace": namespace_name},
            "spec": {
                "accessModes": ["ReadWriteMany"],
                "resources": {"requests": storage},
                "storageClassName": "",
                "volumeName": volume,
            },
        },
    )


def claim_by_copy(kubernetes: Kubernetes, folder: Path, image: str) -> None:
    """A claim of the default storage class, filled through a short-lived pod."""
    pod = "fill-weights"
    kubernetes.apply(_claim(), _filling_pod(pod, image))
    where = f"--namespace={NAMESPACE}"
    kubernetes.kubectl("wait", "--for=condition=Ready", f"pod/{pod}", where, "--timeout=10m")
    kubernetes.kubectl("cp", f"{folder}/.", f"{NAMESPACE}/{pod}:/weights/{MODEL}")
    kubernetes.kubectl("delete", "pod", pod, where, "--wait=true")


def _claim() -> Document:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": CLAIM, "namespace": NAMESPACE},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
        },
    }


def _filling_pod(name: str, image: str) -> Document:
    container = {
        "name": "fill",
        "image": image,
        "command": ["sleep", "3600"],
        "volumeMounts": [{"name": "weights", "mountPath": "/weights"}],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 2000,
                "fsGroup": 2000,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [container],
            "volumes": [{"name": "weights", "persistentVolumeClaim": {"claimName": CLAIM}}],
        },
    }


def model_manifest(path: str, model: TinyModel) -> Document:
    """The QuantizedModel of the demo; an answer that the model learned is its canary."""
    return {
        "apiVersion": "serving.quantizedmodel.dev/v1alpha1",
        "kind": "QuantizedModel",
        "metadata": {"name": MODEL, "namespace": NAMESPACE},
        "spec": {
            "model": {"uri": f"pvc://{CLAIM}{path}"},
            "engine": {"canary": {"prompt": model.question, "expect": model.answer}},
            "hardware": {"device": "CPU", "cpu": "500m", "memory": "5Gi"},
        },
    }
