"""pydantic's JSON schema -> structural schema, rule by rule."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from kubernetes.client import V1JSONSchemaProps
from pydantic import Field

from quantized_model_operator.api.schema_types import ApiType, Quantity, cel, validations
from quantized_model_operator.api.structural_schema import (
    DROPPED_KEYS,
    LEGAL_KEYS,
    InexpressibleSchemaError,
    structural_schema,
)

NEVER_IN_A_STRUCTURAL_SCHEMA = {
    "$ref",
    "$schema",
    "additionalItems",
    "definitions",
    "dependencies",
    "id",
    "patternProperties",
    "uniqueItems",
}
"""Refused by the API server, or (the last) refused when true."""

NEVER_WRITTEN = {"allOf", "anyOf", "example", "externalDocs", "not", "oneOf", "title"}
"""Legal, but said otherwise here: as CEL rules, or not at all."""


TEXT = {"type": "string", "maxLength": 9}


class Perch(ApiType):
    """A place to sit."""

    height: Annotated[int, Field(ge=1)] = Field(description="Height in metres.")


class Heron(ApiType):
    """A bird."""

    name: Annotated[str, Field(max_length=9)] = Field(description="Its name.")
    perch: Perch | None = Field(default=None, description="Where it sits.")
    kind: Literal["grey"] = Field(default="grey", description="Its kind.")
    weight: Annotated[float, Field(gt=0, lt=9)] | None = Field(default=None, description="In kg.")
    food: Quantity | None = Field(default=None, description="Each day.")
    rings: Annotated[
        dict[
            Annotated[str, Field(min_length=1, max_length=5)], Annotated[str, Field(max_length=3)]
        ],
        Field(max_length=2),
    ] = Field(default_factory=dict, description="On its legs.")


class Flock(ApiType):
    """A tree of birds, which no CRD can express."""

    leader: Flock | None = Field(default=None, description="The flock in front.")


def heron() -> dict[str, Any]:
    """The properties of the converted bird."""
    properties: dict[str, Any] = structural_schema(Heron.model_json_schema(by_alias=True))[
        "properties"
    ]
    return properties


def test_legal_keys_are_those_of_the_official_client() -> None:
    """The constant is the official schema type less what is forbidden or never written."""
    official = set(V1JSONSchemaProps.attribute_map.values())
    assert official - NEVER_IN_A_STRUCTURAL_SCHEMA - NEVER_WRITTEN == LEGAL_KEYS


def test_no_key_is_both_legal_and_dropped() -> None:
    """A keyword is either kept or dropped."""
    assert not LEGAL_KEYS & DROPPED_KEYS


def test_a_reference_is_inlined_and_its_siblings_win() -> None:
    """A nested type appears in place, with the description of the field that uses it."""
    assert heron()["perch"] == {
        "description": "Where it sits.",
        "properties": {
            "height": {"description": "Height in metres.", "minimum": 1, "type": "integer"}
        },
        "required": ["height"],
        "type": "object",
    }


def test_absent_means_none() -> None:
    """An optional field loses both its null type and its null default."""
    assert heron()["perch"].keys().isdisjoint({"default", "nullable", "anyOf"})


def test_a_constant_becomes_an_enum_of_one() -> None:
    """A literal is written as the only allowed value, with its default kept."""
    assert heron()["kind"] == {
        "default": "grey",
        "description": "Its kind.",
        "enum": ["grey"],
        "type": "string",
    }


def test_exclusive_bounds_take_the_older_form() -> None:
    """Exclusive bounds are a bound and a flag, the form that CRDs use."""
    weight = heron()["weight"]
    assert (weight["minimum"], weight["exclusiveMinimum"]) == (0, True)
    assert (weight["maximum"], weight["exclusiveMaximum"]) == (9, True)


def test_a_quantity_is_an_integer_or_a_string() -> None:
    """A quantity has no type of its own, keeps its pattern and stays bounded."""
    food = heron()["food"]
    assert food["x-kubernetes-int-or-string"] is True
    assert "type" not in food
    assert food["pattern"]
    assert food["maxLength"] == 32


def test_bounds_of_keys_become_a_rule() -> None:
    """What JSON schema says of a map's keys is said in CEL, because a CRD has no word for it."""
    rings = heron()["rings"]
    assert rings["additionalProperties"] == {"maxLength": 3, "type": "string"}
    assert rings["maxProperties"] == 2
    assert rings["x-kubernetes-validations"] == [
        cel("self.all(key, key.size() >= 1 && key.size() <= 5)", "keys must have 1 to 5 characters")
    ]


def test_a_type_that_contains_itself_is_refused() -> None:
    """Recursion raises and names the path, instead of running forever."""
    with pytest.raises(InexpressibleSchemaError, match=r"leader.*contains itself"):
        structural_schema(Flock.model_json_schema(by_alias=True))


def test_rules_of_a_type_and_of_the_field_that_uses_it_add_up() -> None:
    """Neither the rules of a nested type nor those of the field are lost."""
    rules = [cel("self.a", "a"), cel("self.b", "b")]
    schema = structural_schema(
        {
            "$defs": {"Inner": {"type": "object", **validations(rules[0])}},
            "$ref": "#/$defs/Inner",
            **validations(rules[1]),
        }
    )
    assert schema["x-kubernetes-validations"] == rules


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"allOf": [TEXT]}, TEXT),
        ({**TEXT, "title": "A", "examples": ["b"]}, TEXT),
        ({**TEXT, "format": "path"}, TEXT),
        ({**TEXT, "format": "date-time"}, {**TEXT, "format": "date-time"}),
        ({"type": "object", "additionalProperties": False}, {"type": "object"}),
        (
            {"type": "object", "additionalProperties": True},
            {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        ),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None}, {"type": "integer"}),
        (
            {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": 4},
            {"type": "integer", "default": 4},
        ),
    ],
)
def test_each_form_has_its_translation(given: dict[str, Any], wanted: dict[str, Any]) -> None:
    """What can be expressed is translated as the table of rules says."""
    assert structural_schema(given) == wanted


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"anyOf": [{"type": "string"}, {"type": "boolean"}]}, "union"),
        ({"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string"}]}, "union"),
        ({"oneOf": [{"type": "string"}]}, "oneOf"),
        ({"not": {"type": "string"}}, "not"),
        ({"type": "array", "items": TEXT, "uniqueItems": True}, "uniqueItems"),
        ({"type": "array"}, "items"),
        ({"type": "string"}, "no maxLength"),
        ({"anyOf": [{"type": "integer"}, {"type": "string"}]}, "no maxLength"),
        ({"type": "array", "items": TEXT}, "no maxItems"),
        ({"type": "object", "additionalProperties": TEXT}, "no maxProperties"),
        ({"description": "anything"}, "no type"),
        ({"type": "object", "patternProperties": {}}, "patternProperties"),
        (
            {"type": "object", "properties": {}, "additionalProperties": TEXT},
            "both",
        ),
        (
            {
                "type": "object",
                "additionalProperties": TEXT,
                "propertyNames": {"pattern": "^a$", "maxLength": 3},
            },
            "keys of maps",
        ),
    ],
)
def test_what_cannot_be_expressed_raises(given: dict[str, Any], complaint: str) -> None:
    """Nothing is lost in silence: a rule without a place in a CRD stops the generation."""
    nested = {"type": "object", "properties": {"nest": given}}
    with pytest.raises(InexpressibleSchemaError, match=rf"^\$\.nest: .*{complaint}"):
        structural_schema(nested)
