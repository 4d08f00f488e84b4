"""Pure: names, labels, ports and owners; nowhere else are they made."""

from collections.abc import Mapping
from typing import Any

from quantized_model_operator.domain.model import ResolvedModel
from quantized_model_operator.domain.well_known import (
    ATTEMPT_ANNOTATION,
    COMPONENT_LABEL,
    GROUP,
    INPUTS_ANNOTATION,
    INSTANCE_LABEL,
    MANAGED_BY,
    MANAGED_BY_LABEL,
    MODEL_LABEL,
    NAME_LABEL,
    RECORD_LABEL,
    Component,
    selector,
)

__all__ = [
    "SERVER_PORT",
    "SERVER_PORT_NAME",
    "child",
    "job_annotations",
    "job_name",
    "labels",
    "owner_reference",
    "record",
    "selector",
]

SERVER_PORT = 8000
SERVER_PORT_NAME = "http"
_HASH_DIGITS_IN_JOB_NAME = 6


def labels(model: ResolvedModel, component: Component) -> dict[str, str]:
    """Labels of every child and pod; fixed, and never copied from the model."""
    return {
        NAME_LABEL: "vllm" if component is Component.SERVING else f"checkpoint-{component}",
        INSTANCE_LABEL: model.key.name,
        COMPONENT_LABEL: component.value,
        MANAGED_BY_LABEL: MANAGED_BY,
        MODEL_LABEL: model.key.name,
    }


def child(
    model: ResolvedModel,
    component: Component,
    *,
    name: str,
    annotations: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Metadata of an object that belongs to the model and is collected with it."""
    metadata: dict[str, Any] = {
        "name": name,
        "namespace": model.key.namespace,
        "labels": labels(model, component),
        "ownerReferences": [owner_reference(model)],
    }
    if annotations:
        metadata["annotations"] = dict(annotations)
    return metadata


def owner_reference(model: ResolvedModel) -> dict[str, Any]:
    """The controller reference that makes garbage collection do the deleting."""
    return {
        "apiVersion": f"{GROUP}/v1alpha1",
        "kind": "QuantizedModel",
        "name": model.key.name,
        "uid": model.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def record(namespace: str, name: str) -> dict[str, Any]:
    """Metadata of an inspection record, which models share and none owns."""
    return {
        "name": name,
        "namespace": namespace,
        "labels": {MANAGED_BY_LABEL: MANAGED_BY, RECORD_LABEL: "inspection"},
    }


def job_name(model: ResolvedModel, component: Component, inputs: str, attempt: int) -> str:
    """At most 63 characters: model (45), component (7), six digits of the hash, two of attempts."""
    digits = inputs[:_HASH_DIGITS_IN_JOB_NAME]
    return f"{model.key.name}-{component.value}-{digits}-{attempt}"


def job_annotations(inputs: str, attempt: int) -> dict[str, str]:
    """What a Job has to say about itself, since it is never patched."""
    return {INPUTS_ANNOTATION: inputs, ATTEMPT_ANNOTATION: str(attempt)}
