"""The CRD as a whole: committed, legal, described, bounded and small."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from kubernetes.client import V1CustomResourceDefinition

from quantized_model_operator.api.crd import SIZE_LIMIT_BYTES, crd_document
from quantized_model_operator.api.structural_schema import LEGAL_KEYS
from tools.generate import as_text

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).resolve().parents[3]
CRD = crd_document()
VERSION = CRD["spec"]["versions"][0]
ROOT = VERSION["schema"]["openAPIV3Schema"]

Schema = dict[str, Any]


def schemas(schema: Schema, path: str) -> Iterator[tuple[str, Schema]]:
    """A schema and all schemas inside it, with their paths."""
    yield path, schema
    for name, child in schema.get("properties", {}).items():
        yield from schemas(child, f"{path}.{name}")
    if "items" in schema:
        yield from schemas(schema["items"], f"{path}[]")
    if isinstance(schema.get("additionalProperties"), dict):
        yield from schemas(schema["additionalProperties"], f"{path}{{}}")


FIELDS = [item for part in ("spec", "status") for item in schemas(ROOT["properties"][part], part)]


def test_the_committed_crd_is_the_generated_one() -> None:
    """What users install is what the types say."""
    committed = (REPOSITORY / "crds" / "quantizedmodels.yaml").read_text(encoding="utf-8")
    assert committed == as_text(CRD)


def test_the_official_client_knows_every_key() -> None:
    """The typed model of a CRD accepts the document and gives all of it back."""
    typed = V1CustomResourceDefinition.model_validate(CRD)
    given_back = typed.model_dump(by_alias=True, exclude_none=True, mode="json")
    assert given_back["spec"]["names"] == CRD["spec"]["names"]
    assert len(given_back["spec"]["versions"]) == 1


@pytest.mark.parametrize(("path", "schema"), FIELDS, ids=[path for path, _ in FIELDS])
def test_every_schema_key_is_legal(path: str, schema: Schema) -> None:
    """No schema contains a key that the API server would refuse."""
    assert set(schema) <= LEGAL_KEYS, path


@pytest.mark.parametrize(
    ("path", "schema"),
    [
        (f"{path}.{name}", child)
        for path, schema in FIELDS
        for name, child in schema.get("properties", {}).items()
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_field_is_described(path: str, schema: Schema) -> None:
    """`kubectl explain` has a sentence for every field."""
    description = schema.get("description", "")
    assert description.endswith("."), path
    assert description[0].isupper() or description.startswith("vLLM"), path


@pytest.mark.parametrize(("path", "schema"), FIELDS, ids=[path for path, _ in FIELDS])
def test_every_string_list_and_map_is_bounded(path: str, schema: Schema) -> None:
    """Sizes have limits, without which the cost of a CEL rule has none."""
    if schema.get("type") == "string" or "x-kubernetes-int-or-string" in schema:
        assert "enum" in schema or schema["maxLength"] <= 32_768, path
    if schema.get("type") == "array":
        assert schema["maxItems"] <= 64, path
    if "additionalProperties" in schema:
        assert schema["maxProperties"] <= 64, path


def test_every_list_says_how_it_merges() -> None:
    """Server-side apply knows for each list of the spec whether it is a set, a map or atomic."""
    lists = [(path, schema) for path, schema in FIELDS if schema.get("type") == "array"]
    silent = [
        path
        for path, schema in lists
        if path.startswith("spec") and "x-kubernetes-list-type" not in schema
    ]
    assert len(lists) > 5
    assert silent == []


def test_the_document_fits_client_side_apply() -> None:
    """The CRD stays far below the size at which plain `kubectl apply` fails."""
    assert len(json.dumps(CRD)) < SIZE_LIMIT_BYTES / 4
    assert len(as_text(CRD).encode()) < SIZE_LIMIT_BYTES / 4


def test_defaults_are_few_and_known() -> None:
    """A default is written into every stored model, so a new one is a decision."""
    defaults = {path: schema["default"] for path, schema in FIELDS if "default" in schema}
    assert defaults == {
        "spec.hardware.device": "GPU",
        "spec.hardware.resourceName": "nvidia.com/gpu",
        "spec.hardware.tolerations[].operator": "Equal",
        "spec.model.revision": "main",
        "spec.replicas": 1,
        "spec.service.port": 80,
        "spec.suspended": False,
        "status": {"observedGeneration": 0},
    }


def test_paths_of_columns_selectors_and_scale_exist() -> None:
    """Every path that the CRD names leads to a field of the schema."""
    known = {f".{path}" for path, _ in FIELDS} | {".metadata.creationTimestamp"}
    paths = [column["jsonPath"] for column in VERSION["additionalPrinterColumns"]]
    paths += [selector["jsonPath"] for selector in VERSION["selectableFields"]]
    paths += VERSION["subresources"]["scale"].values()
    plain = [path.replace('[?(@.type=="Ready")]', "[]") for path in paths]
    assert set(plain) <= known


def test_selectable_fields_are_single_values() -> None:
    """The API server filters by strings, integers and booleans only."""
    types = dict(FIELDS)
    selected = [types[item["jsonPath"].lstrip(".")] for item in VERSION["selectableFields"]]
    assert {schema["type"] for schema in selected} <= {"string", "integer", "boolean"}


def test_conditions_are_a_map_by_type() -> None:
    """Two writers of conditions never overwrite each other's types."""
    conditions = dict(FIELDS)["status.conditions"]
    assert conditions["x-kubernetes-list-type"] == "map"
    assert conditions["x-kubernetes-list-map-keys"] == ["type"]
    assert "observedGeneration" in conditions["items"]["properties"]


def test_the_yaml_has_no_anchors() -> None:
    """Every reader of YAML reads the committed document as the generated one."""
    text = as_text(CRD)
    assert yaml.safe_load(text) == CRD
    assert "&id" not in text


def test_rules_have_sentences() -> None:
    """Each CEL rule answers with a sentence of its own, and no two with the same."""
    rules = [
        rule
        for _, schema in [*FIELDS, ("", ROOT)]
        for rule in schema.get("x-kubernetes-validations", ())
    ]
    messages = [rule["message"] for rule in rules]
    assert len(rules) > 10
    assert all(len(message.split()) > 2 for message in messages)
    written = [message for message in messages if not message.startswith("keys must have")]
    assert len(set(written)) == len(written)
