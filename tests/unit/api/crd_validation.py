"""Judges manifests by the committed CRD as an API server with strict field validation would."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft4Validator

REPOSITORY = Path(__file__).resolve().parents[3]


def complaints(manifest: dict[str, Any]) -> list[str]:
    """What the schema has against a QuantizedModel; CEL rules are for a real API server."""
    return [f"{error.json_path}: {error.message}" for error in _validator().iter_errors(manifest)]


@cache
def _validator() -> Draft4Validator:
    """The judge; a CRD writes exclusive bounds as the fourth draft did."""
    text = (REPOSITORY / "crds" / "quantizedmodels.yaml").read_text(encoding="utf-8")
    root = yaml.safe_load(text)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return Draft4Validator(_closed(root))


def _closed(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with unknown fields refused everywhere, except in metadata."""
    closed = dict(schema)
    if "properties" in schema:
        closed["properties"] = {
            name: child if name == "metadata" and "properties" not in child else _closed(child)
            for name, child in schema["properties"].items()
        }
        closed["additionalProperties"] = False
    if schema.get("x-kubernetes-int-or-string"):
        closed["type"] = ["integer", "string"]
    if "items" in schema:
        closed["items"] = _closed(schema["items"])
    return closed
