"""Models, what they refer to, and the records by which their checkpoints are known."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import checkpoints
from checkpoints import TINY
from quantized_model_operator.domain.checkpoint import (
    CheckpointFacts,
    InspectionReport,
    report_to_json,
)
from quantized_model_operator.domain.decision import record_name

GROUP = "serving.quantizedmodel.dev"
API_VERSION = f"{GROUP}/v1alpha1"
COMMIT = "a" * 40
URI = "hf://holt/otter-gptq"
RECORD_LABELS = {
    "app.kubernetes.io/managed-by": "quantized-model-operator",
    f"{GROUP}/record": "inspection",
}
Document = dict[str, Any]


def facts(uri: str = URI, commit: str = COMMIT, **changed: Any) -> CheckpointFacts:  # noqa: ANN401 - of any fact
    """A tiny Qwen2 in 4 bits."""
    return replace(TINY, **{"uri": uri, "commit": commit, **changed})


SEVEN_BILLION: Mapping[str, Any] = {
    **checkpoints.SEVEN_BILLION,
    "bits": 8,
    "weights_bytes": 8_860_000_000,
    "files": 3,
}
"""Facts of a checkpoint that needs a GPU."""


def report_text(checkpoint: CheckpointFacts) -> str:
    """What an inspection says of it."""
    return report_to_json(InspectionReport(facts=checkpoint))


def record(namespace: str, checkpoint: CheckpointFacts) -> Document:
    """The ConfigMap by which the namespace knows the checkpoint."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": record_name(checkpoint.uri, checkpoint.commit),
            "namespace": namespace,
            "labels": RECORD_LABELS,
        },
        "data": {"report": report_text(checkpoint)},
    }


def cpu_spec(uri: str = URI, revision: str = COMMIT, **more: Any) -> Document:  # noqa: ANN401 - of any field
    """A spec that is served on CPU."""
    return {
        "model": {"uri": uri, "revision": revision},
        "hardware": {"device": "CPU", "memory": "5Gi"},
        **more,
    }


def gpu_spec(uri: str = URI, revision: str = COMMIT, **hardware: Any) -> Document:  # noqa: ANN401 - of any field
    """A spec that is served on GPUs."""
    return {"model": {"uri": uri, "revision": revision}, "hardware": hardware}


def model(namespace: str, name: str, spec: Mapping[str, Any]) -> Document:
    """A QuantizedModel."""
    return {
        "apiVersion": API_VERSION,
        "kind": "QuantizedModel",
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }


def claim_spec(claim_name: str, **more: Any) -> Document:  # noqa: ANN401 - of any field
    """A spec that is served on CPU from a claim."""
    hardware = {"device": "CPU", "memory": "5Gi"}
    return {"model": {"uri": f"pvc://{claim_name}/tiny"}, "hardware": hardware, **more}


def volume(namespace: str, claim_name: str) -> Document:
    """A PersistentVolume for this claim alone."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": f"{namespace}-{claim_name}"},
        "spec": {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteMany"],
            "storageClassName": "",
            "claimRef": {"namespace": namespace, "name": claim_name},
            "hostPath": {"path": "/nowhere"},
        },
    }


def claim(namespace: str, name: str) -> Document:
    """A PersistentVolumeClaim."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "accessModes": ["ReadWriteMany"],
            "resources": {"requests": {"storage": "1Gi"}},
            "storageClassName": "",
        },
    }


def condition(body: Mapping[str, Any], type_: str) -> Mapping[str, Any]:
    """A condition of an object; empty when it is absent."""
    conditions = (body.get("status") or {}).get("conditions") or ()
    return next((item for item in conditions if item["type"] == type_), {})


def reason(body: Mapping[str, Any], type_: str = "Ready") -> str:
    """Reason of a condition; empty when it is absent."""
    return str(condition(body, type_).get("reason", ""))


def is_ready(body: Mapping[str, Any]) -> bool:
    """Ready for the spec as it is now."""
    current = body["metadata"]["generation"] == (body.get("status") or {}).get("observedGeneration")
    return current and condition(body, "Ready").get("status") == "True"
