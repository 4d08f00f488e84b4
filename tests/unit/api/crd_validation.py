"""Judges manifests by the committed CRD as an API server with strict field validation would."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft4Validator

REPOSITORY = Path(__file__).resolve().parents[3]


def complaints(manifest: dict[str, Any]) -> list[str]:
    """What the schema has against a QuantizedModel; CEL rules are for a real API server."""
    text = (REPOSITORY / "crds" / "quantizedmodels.yaml").read_text(encoding="utf-8")
    root = yaml.safe_load(text)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    # A CRD writes exclusive bounds as the fourth draft did.
    errors = Draft4Validator(_closed(root)).iter_errors(manifest)
    return [f"{error.json_path}: {error.message}" for error in errors]


def _closed(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with unknown fields refused everywhere, except in metadata."""
    closed = dict(schema)
    if "properties" in schema:
        closed["properties"] = {
            name: child if name == "metadata" and "properties" not in child else _closed(child)
            for name, child in schema["properties"].items()
        }
        closed["additionalProperties"] = False
    if "items" in schema:
        closed["items"] = _closed(schema["items"])
    return closed
