"""Objects as the operator renders them, with names that are not the product's."""

from typing import Any

from quantized_model_operator.domain.child_objects import DesiredObjects, Manifest, Removal
from quantized_model_operator.domain.cluster_state import Observed
from quantized_model_operator.domain.well_known import (
    MANAGED_BY,
    MANAGED_BY_LABEL,
    MODEL_LABEL,
    RECORD_LABEL,
)

SPEC = {"model": {"uri": "pvc://weights/otter"}}


def labels(model: str) -> dict[str, str]:
    """Labels by which the operator finds its objects."""
    return {MANAGED_BY_LABEL: MANAGED_BY, MODEL_LABEL: model}


def child_metadata(observed: Observed, name: str) -> dict[str, Any]:
    """Metadata of a child of the observed model."""
    return {
        "name": name,
        "namespace": observed.key.namespace,
        "labels": labels(observed.key.name),
        "ownerReferences": [
            {
                "apiVersion": "serving.quantizedmodel.dev/v1alpha1",
                "kind": "QuantizedModel",
                "name": observed.key.name,
                "uid": observed.uid,
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ],
    }


def deployment(observed: Observed, **container: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """A Deployment of no replicas."""
    engine = {
        "name": "engine",
        "image": "mirror.example/engine:9",
        "args": ["--port=8000"],
        "env": [{"name": "MODE", "value": "quiet"}, {"name": "PORT", "value": "8000"}],
        "ports": [{"name": "http", "containerPort": 8000, "protocol": "TCP"}],
        "resources": {"limits": {"cpu": "0.5", "memory": "1024Mi"}},
        "volumeMounts": [{"name": "cache", "mountPath": "/cache"}],
        **container,
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": child_metadata(observed, observed.key.name),
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": labels(observed.key.name)},
            "template": {
                "metadata": {"labels": labels(observed.key.name)},
                "spec": {
                    "nodeSelector": {},
                    "tolerations": [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}],
                    "containers": [engine],
                    "volumes": [{"name": "cache", "emptyDir": {}}],
                },
            },
        },
    }


def service(observed: Observed, port: int = 80) -> dict[str, Any]:
    """A Service of one port."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": child_metadata(observed, observed.key.name),
        "spec": {
            "selector": labels(observed.key.name),
            "ports": [{"name": "http", "port": port, "protocol": "TCP", "targetPort": "http"}],
        },
    }


def job(observed: Observed, image: str = "mirror.example/tools:1") -> dict[str, Any]:
    """A Job that waits for a node that does not exist."""
    pod = {
        "restartPolicy": "Never",
        "nodeSelector": {"nobody": "has-this"},
        "containers": [{"name": "inspect", "image": image}],
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": child_metadata(observed, f"{observed.key.name}-inspect-1"),
        "spec": {
            "backoffLimit": 0,
            "template": {"metadata": {"labels": labels(observed.key.name)}, "spec": pod},
        },
    }


def record(namespace: str, report: str = "good") -> dict[str, Any]:
    """An inspection record, which nobody owns."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": "record-0a1b",
            "namespace": namespace,
            "labels": {MANAGED_BY_LABEL: MANAGED_BY, RECORD_LABEL: "inspection"},
        },
        "data": {"report": report},
    }


def desired(*manifests: Manifest, removals: tuple[Removal, ...] = ()) -> DesiredObjects:
    """Desired objects from manifests of different kinds."""
    by_kind: dict[str, Manifest] = {manifest["kind"]: manifest for manifest in manifests}
    return DesiredObjects(
        inspection_record=by_kind.get("ConfigMap"),
        inspection_job=by_kind.get("Job"),
        fetch_job=None,
        deployment=by_kind.get("Deployment"),
        service=by_kind.get("Service"),
        removals=removals,
    )
