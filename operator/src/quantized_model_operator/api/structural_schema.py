"""Pure: pydantic's JSON schema -> a structural schema, which is what a CRD may contain.

The conversion is closed: a keyword that is neither translated nor listed as droppable raises, so a
rule written in the types is never lost on the way to the API server.

Source: Kubernetes 1.37, "Extend the Kubernetes API with CustomResourceDefinitions", structural
schemas, checked 2026-11-24; the legal keys are those of ``JSONSchemaProps`` in apiextensions/v1.
"""

from collections.abc import Callable, Mapping
from typing import Any

Schema = dict[str, Any]

LEGAL_KEYS = frozenset(
    {
        "additionalProperties",
        "default",
        "description",
        "enum",
        "exclusiveMaximum",
        "exclusiveMinimum",
        "format",
        "items",
        "maxItems",
        "maxLength",
        "maxProperties",
        "maximum",
        "minItems",
        "minLength",
        "minProperties",
        "minimum",
        "multipleOf",
        "nullable",
        "pattern",
        "properties",
        "required",
        "type",
        "x-kubernetes-embedded-resource",
        "x-kubernetes-int-or-string",
        "x-kubernetes-list-map-keys",
        "x-kubernetes-list-type",
        "x-kubernetes-map-type",
        "x-kubernetes-preserve-unknown-fields",
        "x-kubernetes-validations",
    }
)
"""All keys that a converted schema can contain."""

DROPPED_KEYS = frozenset(
    {"$defs", "deprecated", "discriminator", "examples", "readOnly", "title", "writeOnly"}
)
"""Keys that say nothing the API server could check."""

KNOWN_FORMATS = frozenset(
    {"int32", "int64", "float", "double", "date-time", "date", "duration", "byte", "password"}
    | {"uri", "email", "hostname", "ipv4", "ipv6", "cidr", "uuid", "mac"}
)
"""Formats that the API server checks; any other is dropped, because it would mean nothing."""

VALIDATIONS = "x-kubernetes-validations"
INT_OR_STRING = "x-kubernetes-int-or-string"
INT_OR_STRING_MEMBERS = ({"type": "integer"}, {"type": "string"})
PRESERVE_UNKNOWN = "x-kubernetes-preserve-unknown-fields"


class InexpressibleSchemaError(ValueError):
    """The types say something that a CRD cannot say, at this path of the schema."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}")


def structural_schema(document: Mapping[str, Any]) -> Schema:
    """The structural schema of a JSON schema with its ``$defs``.

    Raises ``InexpressibleSchemaError`` with the path of the first thing that cannot be expressed.
    """
    return _convert(document, document.get("$defs", {}), path="$", open_references=())


def _convert(
    node: Mapping[str, Any],
    definitions: Mapping[str, Any],
    *,
    path: str,
    open_references: tuple[str, ...],
) -> Schema:
    flat, references = _flatten(node, definitions, path, open_references)

    def nested(child: Mapping[str, Any], name: str) -> Schema:
        return _convert(child, definitions, path=f"{path}.{name}", open_references=references)

    result: Schema = {}
    for key, value in sorted(flat.items()):
        if key == "properties":
            result[key] = {name: nested(child, name) for name, child in value.items()}
        elif key == "items":
            result[key] = nested(value, "items")
        elif key == "additionalProperties" and isinstance(value, Mapping):
            result[key] = nested(value, "*")
        else:
            _translate(result, key, value, path)
    _check(result, path)
    return result


def _flatten(
    node: Mapping[str, Any],
    definitions: Mapping[str, Any],
    path: str,
    open_references: tuple[str, ...],
) -> tuple[Schema, tuple[str, ...]]:
    """The node without ``$ref``, one-element ``allOf`` and optional ``anyOf``; siblings win."""
    flat = dict(node)
    while inner := _take_wrapper(flat, path):
        reference = inner.get("$ref")
        if reference is not None:
            if reference in open_references:
                raise InexpressibleSchemaError(path, f"{reference} contains itself")
            open_references = (*open_references, reference)
            target = definitions[reference.removeprefix("#/$defs/")]
            inner = {**target, **{key: item for key, item in inner.items() if key != "$ref"}}
        rules = [*inner.get(VALIDATIONS, ()), *flat.get(VALIDATIONS, ())]
        flat = {**inner, **flat, **({VALIDATIONS: rules} if rules else {})}
    return flat, open_references


def _take_wrapper(flat: Schema, path: str) -> Schema | None:
    """What the node wraps, taken out of it; ``None`` when it wraps nothing."""
    if "$ref" in flat:
        return {"$ref": flat.pop("$ref")}
    if len(flat.get("allOf", ())) == 1:
        return dict(flat.pop("allOf")[0])
    if "anyOf" not in flat:
        return None
    members = flat.pop("anyOf")
    values = [member for member in members if member != {"type": "null"}]
    if len(values) < len(members) and flat.get("default", ...) is None:
        del flat["default"]
    if len(values) == 1:
        return dict(values[0])
    if sorted(map(repr, values)) == sorted(map(repr, INT_OR_STRING_MEMBERS)):
        return {INT_OR_STRING: True}
    raise InexpressibleSchemaError(path, "a union; use optional members and a CEL rule")


def _translate(result: Schema, key: str, value: Any, path: str) -> None:  # noqa: ANN401 - JSON
    """Write one keyword that has no schema inside into ``result``, in the form of a CRD."""
    if key in TRANSLATIONS:
        for name, item in TRANSLATIONS[key](value, path).items():
            # Rules have several sources; every other key has one.
            result[name] = [*result.get(name, ()), *item] if name == VALIDATIONS else item
    elif key in LEGAL_KEYS:
        result[key] = value
    elif key not in DROPPED_KEYS:
        raise InexpressibleSchemaError(path, f"keyword {key!r} has no place in a CRD")


def _key_rules(names: Mapping[str, Any], path: str) -> Schema:
    """Bounds on the keys of a map as a CEL rule: a structural schema has no ``propertyNames``."""
    least, most = names.get("minLength", 0), names.get("maxLength")
    unknown = set(names) - {"minLength", "maxLength", "type", "title", "description"}
    if unknown or most is None:
        raise InexpressibleSchemaError(path, "keys of maps need a maxLength, and nothing else")
    rule = f"self.all(key, key.size() >= {least} && key.size() <= {most})"
    return {
        VALIDATIONS: [{"rule": rule, "message": f"keys must have {least} to {most} characters"}]
    }


TRANSLATIONS: Mapping[str, Callable[[Any, str], Schema]] = {
    "additionalProperties": lambda allowed, _: {PRESERVE_UNKNOWN: True} if allowed else {},
    "const": lambda value, _: {"enum": [value]},
    "exclusiveMaximum": lambda bound, _: {"maximum": bound, "exclusiveMaximum": True},
    "exclusiveMinimum": lambda bound, _: {"minimum": bound, "exclusiveMinimum": True},
    "format": lambda name, _: {"format": name} if name in KNOWN_FORMATS else {},
    "propertyNames": _key_rules,
    VALIDATIONS: lambda rules, _: {VALIDATIONS: rules},
}
"""Keywords that a CRD writes otherwise; a map's schema of values is converted before."""


def _check(result: Schema, path: str) -> None:
    """Raise for combinations that the API server refuses, and for sizes without a bound.

    Without bounds the cost of a CEL rule has none either, and the API server refuses the CRD.
    """
    if "properties" in result and "additionalProperties" in result:
        raise InexpressibleSchemaError(path, "both properties and additionalProperties")
    if "type" not in result and not (INT_OR_STRING in result or PRESERVE_UNKNOWN in result):
        raise InexpressibleSchemaError(path, "no type")
    if result.get("type") == "array" and "items" not in result:
        raise InexpressibleSchemaError(path, "a list without a schema of its items")
    bound = _bound_of(result)
    if bound and bound not in result:
        raise InexpressibleSchemaError(path, f"no {bound}")


def _bound_of(result: Schema) -> str:
    """The keyword that bounds the size of such a value; empty when the value is bounded anyway."""
    if INT_OR_STRING in result or (result.get("type") == "string" and "enum" not in result):
        return "maxLength"
    if result.get("type") == "array":
        return "maxItems"
    return "maxProperties" if "additionalProperties" in result else ""
