"""Pure: the types -> the CustomResourceDefinition document."""

from typing import Any

from quantized_model_operator.api.schema_types import ApiType
from quantized_model_operator.api.spec_rules import NAME_VALIDATION, SPEC_VALIDATIONS
from quantized_model_operator.api.status_types import QuantizedModelStatus
from quantized_model_operator.api.structural_schema import structural_schema
from quantized_model_operator.api.v1alpha1 import (
    GROUP,
    KIND,
    PLURAL,
    VERSION,
    QuantizedModelSpec,
)

SIZE_LIMIT_BYTES = 262_144
"""Above it, client-side ``kubectl apply`` cannot keep its annotation. Source: Kubernetes 1.37,
``TotalAnnotationSizeLimitB``, checked 2026-11-24."""

SELECTABLE_FIELDS = (".spec.model.uri", ".spec.hardware.device", ".spec.suspended")
"""What ``kubectl get --field-selector`` can filter by."""


def crd_document() -> dict[str, Any]:
    """The CustomResourceDefinition of QuantizedModel as a plain mapping."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": KIND,
                "listKind": f"{KIND}List",
                "plural": PLURAL,
                "singular": KIND.lower(),
                "shortNames": ["qm"],
                "categories": ["ai", "models"],
            },
            "versions": [_version()],
        },
    }


def _version() -> dict[str, Any]:
    return {
        "name": VERSION,
        "served": True,
        "storage": True,
        "additionalPrinterColumns": _printer_columns(),
        "selectableFields": [{"jsonPath": path} for path in SELECTABLE_FIELDS],
        "subresources": {
            "status": {},
            "scale": {
                "specReplicasPath": ".spec.replicas",
                "statusReplicasPath": ".status.replicas",
                "labelSelectorPath": ".status.selector",
            },
        },
        "schema": {"openAPIV3Schema": _root_schema()},
    }


def _root_schema() -> dict[str, Any]:
    spec = _schema_of(QuantizedModelSpec)
    spec["x-kubernetes-validations"] = [
        *spec.get("x-kubernetes-validations", ()),
        *SPEC_VALIDATIONS["x-kubernetes-validations"],
    ]
    status = _schema_of(QuantizedModelStatus)
    # A resource that no operator has seen yet must not pass for ready: health readers compare
    # this with the generation, which starts at 1.
    status["default"] = {"observedGeneration": 0}
    return {
        "type": "object",
        "description": "A GPTQ-quantised language model, served with vLLM behind an OpenAI API.",
        "required": ["spec"],
        "x-kubernetes-validations": [NAME_VALIDATION],
        "properties": {
            "apiVersion": {
                "type": "string",
                "description": f"Version of this representation of the object: {GROUP}/{VERSION}.",
            },
            "kind": {"type": "string", "description": f"Kind of the object: {KIND}."},
            "metadata": {"type": "object"},
            "spec": spec,
            "status": status,
        },
    }


def _schema_of(api_type: type[ApiType]) -> dict[str, Any]:
    return structural_schema(api_type.model_json_schema(by_alias=True, mode="validation"))


def _condition(part: str) -> str:
    return f'.status.conditions[?(@.type=="Ready")].{part}'


def _printer_columns() -> list[dict[str, Any]]:
    """What ``kubectl get`` shows; priority 1 appears with ``-o wide`` only."""
    columns: list[tuple[str, str, str, str, int]] = [
        ("Model", "string", ".spec.model.uri", "Source of the checkpoint.", 0),
        ("Bits", "integer", ".status.model.bits", "Bits per quantised weight.", 0),
        ("Ready", "string", _condition("status"), "Whether vLLM answers for this spec.", 0),
        ("Reason", "string", _condition("reason"), "Why it is ready, or not.", 0),
        ("Replicas", "integer", ".status.readyReplicas", "Replicas that answer.", 0),
        ("Desired", "integer", ".spec.replicas", "Replicas that are wanted.", 0),
        ("Plan", "string", ".status.plan.summary", "The plan in a few words.", 0),
        ("URL", "string", ".status.url", "Base URL inside the cluster.", 0),
        ("Age", "date", ".metadata.creationTimestamp", "Time since creation.", 0),
        ("Revision", "string", ".status.model.resolvedRevision", "Commit that is served.", 1),
        ("Message", "string", _condition("message"), "The reason as a sentence.", 1),
    ]
    return [
        {
            "name": name,
            "type": kind,
            "jsonPath": path,
            "description": description,
            "priority": priority,
        }
        for name, kind, path, description, priority in columns
    ]
