"""What the API server would say against a QuantizedModel, without one.

The schema and the rules are those of the CRD itself; this judge of them agrees with the API
server's own code on every example of the tests.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

from quantized_model_operator.api.crd import crd_document
from quantized_model_operator.api.schema_types import LABEL_VALUE
from quantized_model_operator.cli.lint_rules import rule_complaints
from quantized_model_operator.cli.lint_schema import Complaint, Schema, complaints, with_defaults

_TEXT = {"type": "string"}
_FREE = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
_LABEL = {"type": "string", "maxLength": 63, "pattern": LABEL_VALUE}
_RANDOM_PART = "x" * 5
"""Of a generated name. Source: Kubernetes 1.37.2, apiserver ``storage/names``, 2026-11-24."""
_METADATA: Schema = {
    "type": "object",
    "properties": {
        "annotations": {"type": "object", "additionalProperties": _TEXT},
        "creationTimestamp": _TEXT,
        "deletionGracePeriodSeconds": {"type": "integer"},
        "deletionTimestamp": _TEXT,
        "finalizers": {"type": "array", "items": _TEXT},
        "generateName": _TEXT,
        "generation": {"type": "integer"},
        "labels": {"type": "object", "additionalProperties": _LABEL},
        "managedFields": {"type": "array", "items": _FREE},
        "name": _TEXT,
        "namespace": _TEXT,
        "ownerReferences": {"type": "array", "items": _FREE},
        "resourceVersion": _TEXT,
        "selfLink": _TEXT,
        "uid": _TEXT,
    },
}
"""Source: Kubernetes 1.37.2, apimachinery ``meta/v1.ObjectMeta``, checked 2026-11-24."""


@cache
def root_schema() -> Schema:
    """The schema of a QuantizedModel; a CRD leaves out that of the metadata, this one does not."""
    schema = crd_document()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    fields = {name: child for name, child in schema["properties"].items() if name != "status"}
    return {**schema, "properties": {**fields, "metadata": _METADATA}}


def api_server_complaints(content: Mapping[str, Any]) -> tuple[Complaint, ...]:
    """Everything against a new model; a status is left out, as the API server does."""
    schema = root_schema()
    sent = {name: value for name, value in content.items() if name != "status"}
    model = _named(with_defaults(sent, schema))
    found = [*complaints(model, schema), *_name_complaints(model.get("metadata"))]
    if not any(complaint.hides_rules for complaint in found):
        found += rule_complaints(_without_unknown(model, schema), schema)
    return tuple(found)


def _named(model: dict[str, Any]) -> dict[str, Any]:
    """The model with the name that the API server makes up when it only has the start of one."""
    metadata = model.get("metadata")
    start = metadata.get("generateName") if isinstance(metadata, Mapping) else None
    if not isinstance(start, str) or metadata is None or metadata.get("name"):
        return model
    return {**model, "metadata": {**metadata, "name": f"{start}{_RANDOM_PART}"}}


def _name_complaints(metadata: Any) -> list[Complaint]:  # noqa: ANN401 - any JSON
    """Without a name there is no object."""
    if isinstance(metadata, Mapping) and metadata.get("name"):
        return []
    message = "Required value: name or generateName is required"
    return [Complaint(path=("metadata", "name"), message=message, hides_rules=True)]


def _without_unknown(value: Any, schema: Schema) -> Any:  # noqa: ANN401 - any JSON
    """The value without fields that the API server would not store."""
    if isinstance(value, list):
        return [_without_unknown(item, schema.get("items", {})) for item in value]
    fields, others = schema.get("properties", {}), schema.get("additionalProperties")
    if not isinstance(value, dict) or not (fields or others):
        return value
    return {
        name: _without_unknown(child, fields.get(name, others))
        for name, child in value.items()
        if name in fields or others
    }
