"""Judges a value by a structural schema with the sentences of the API server.

Source: Kubernetes 1.37.2, apiextensions-apiserver ``pkg/apiserver/validation`` and
``pkg/apiserver/schema/listtype``, kube-openapi ``pkg/validation``, checked 2026-11-24.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from quantized_model_operator.cli.manifests import FieldPath

Schema = Mapping[str, Any]

_PART = re.compile(r"\[\d+\]|[^.\[]+")

_JSON_TYPES: tuple[tuple[type, str], ...] = (
    (bool, "boolean"),
    (int, "integer"),
    (float, "number"),
    (str, "string"),
    (list, "array"),
    (dict, "object"),
)
"""In this order, because to Python a boolean is an integer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """What the API server has against a field."""

    path: FieldPath
    message: str
    """Without the field, which the API server writes before it."""
    hides_rules: bool
    """Whether the API server leaves out its rules because of it."""
    allowed: tuple[str, ...] = ()
    """Values or names that would have been right."""
    unknown_field: bool = False
    about: FieldPath | None = None
    """The field to look at when it is not that of the path."""

    @property
    def field(self) -> str:
        """The path in the words of the API server."""
        return field_name(self.path)

    @property
    def sentence(self) -> str:
        """The whole answer of the API server."""
        says_it = self.unknown_field or not self.path
        return self.message if says_it else f"{self.field}: {self.message}"


def field_name(path: FieldPath) -> str:
    """The path as the API server writes it, for example ``spec.engine.args[0]``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def path_of(field: str) -> FieldPath:
    """The path of a field as the API server and the operator write it."""
    parts = _PART.findall(field)
    return tuple(int(part[1:-1]) if part.startswith("[") else part for part in parts)


def complaints(value: Any, schema: Schema, path: FieldPath = ()) -> Iterator[Complaint]:  # noqa: ANN401
    """Everything that the schema has against a value whose empty fields are pruned."""
    wrong_type = _type_complaint(value, schema, path)
    if wrong_type:
        yield wrong_type
        return
    if "enum" in schema and value not in schema["enum"]:
        allowed = tuple(str(item) for item in schema["enum"])
        listed = ", ".join(json.dumps(item) for item in allowed)
        message = f"Unsupported value: {_shown(value)}: supported values: {listed}"
        yield Complaint(path=path, message=message, hides_rules=True, allowed=allowed)
    checks = _CHECKS.get(_json_type(value))
    if checks:
        yield from checks(value, schema, path)


def _type_complaint(value: Any, schema: Schema, path: FieldPath) -> Complaint | None:  # noqa: ANN401
    found = _json_type(value)
    if schema.get("x-kubernetes-int-or-string"):
        wanted, legal = "integer,string", {"integer", "string"}
    else:
        wanted = schema.get("type", found)
        legal = {wanted, "integer"} if wanted == "number" else {wanted}
    if found in legal:
        return None
    if found == "number" and schema.get("format"):
        found, wanted = "float64", schema["format"]
    message = (
        f'Invalid value: "{found}": {field_name(path)} in body must be of type {wanted}: "{found}"'
    )
    return Complaint(path=path, message=message, hides_rules=True)


def _string_complaints(value: str, schema: Schema, path: FieldPath) -> Iterator[Complaint]:
    most, least = schema.get("maxLength"), schema.get("minLength", 0)
    if most is not None and len(value) > most:
        message = f"Too long: may not be more than {most} bytes"
        yield Complaint(path=path, message=message, hides_rules=True)
    elif len(value) < least:
        yield _invalid(value, path, f"should be at least {least} chars long")
    elif "pattern" in schema and not compiled(schema["pattern"]).search(value):
        yield _invalid(value, path, f"should match '{schema['pattern']}'")


def _number_complaints(value: float, schema: Schema, path: FieldPath) -> Iterator[Complaint]:
    least, most = schema.get("minimum"), schema.get("maximum")
    if most is not None and (value > most or (value == most and schema.get("exclusiveMaximum"))):
        than = "less than" if schema.get("exclusiveMaximum") else "less than or equal to"
        yield _invalid(value, path, f"should be {than} {_number(most)}")
    elif least is not None and (
        value < least or (value == least and schema.get("exclusiveMinimum"))
    ):
        than = "greater than" if schema.get("exclusiveMinimum") else "greater than or equal to"
        yield _invalid(value, path, f"should be {than} {_number(least)}")


def _list_complaints(value: list[Any], schema: Schema, path: FieldPath) -> Iterator[Complaint]:
    most, least = schema.get("maxItems"), schema.get("minItems", 0)
    if most is not None and len(value) > most:
        yield _too_many(len(value), most, path)
    if len(value) < least:
        detail = f"{field_name(path)} in body should have at least {least} items"
        message = f"Invalid value: {len(value)}: {detail}"
        yield Complaint(path=path, message=message, hides_rules=False)
    yield from _duplicates(value, schema, path)
    for index, item in enumerate(value):
        yield from complaints(item, schema["items"], (*path, index))


def _duplicates(value: list[Any], schema: Schema, path: FieldPath) -> Iterator[Complaint]:
    """Items that are in a set twice, or in a map of the same key twice."""
    kind = schema.get("x-kubernetes-list-type")
    if kind not in {"set", "map"}:
        return
    names = schema.get("x-kubernetes-list-map-keys", ())
    seen: dict[str, int] = {}
    for index, item in enumerate(value):
        if kind == "map" and not isinstance(item, dict):
            continue
        key = {name: item[name] for name in names if name in item} if kind == "map" else item
        text = _shown(key)
        seen[text] = seen.get(text, 0) + 1
        if seen[text] == 2:  # noqa: PLR2004 - told once
            message = f"Duplicate value: {text}"
            yield Complaint(path=(*path, index), message=message, hides_rules=False)


def _object_complaints(
    value: dict[str, Any], schema: Schema, path: FieldPath
) -> Iterator[Complaint]:
    most = schema.get("maxProperties")
    if most is not None and len(value) > most:
        yield _too_many(len(value), most, path)
    fields, others = schema.get("properties", {}), schema.get("additionalProperties")
    for name, child in value.items():
        if name in fields or others:
            yield from complaints(child, fields.get(name, others), (*path, name))
        elif not schema.get("x-kubernetes-preserve-unknown-fields"):
            inner = (*path, name)
            yield Complaint(
                path=inner,
                message=f'unknown field "{field_name(inner)}"',
                hides_rules=False,
                allowed=tuple(fields),
                unknown_field=True,
            )
    for name in schema.get("required", ()):
        if name not in value:
            yield Complaint(path=(*path, name), message="Required value", hides_rules=True)


_CHECKS: Mapping[str, Callable[[Any, Schema, FieldPath], Iterator[Complaint]]] = {
    "string": _string_complaints,
    "integer": _number_complaints,
    "number": _number_complaints,
    "array": _list_complaints,
    "object": _object_complaints,
}


def _invalid(value: Any, path: FieldPath, what: str) -> Complaint:  # noqa: ANN401 - any JSON
    message = f"Invalid value: {_shown(value)}: {field_name(path)} in body {what}"
    return Complaint(path=path, message=message, hides_rules=False)


def _too_many(found: int, most: int, path: FieldPath) -> Complaint:
    items = "item" if most == 1 else "items"
    message = f"Too many: {found}: must have at most {most} {items}"
    return Complaint(path=path, message=message, hides_rules=True)


def _json_type(value: Any) -> str:  # noqa: ANN401 - any JSON
    return next((name for kind, name in _JSON_TYPES if isinstance(value, kind)), "null")


def _shown(value: Any) -> str:  # noqa: ANN401 - any JSON
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def _number(bound: float) -> str:
    return str(int(bound)) if bound == int(bound) else f"{bound:g}"


@cache
def compiled(pattern: str) -> re.Pattern[str]:
    """A pattern of the schema: ``$`` is the very end of the text, as in RE2."""
    return re.compile(pattern.replace("$", r"\Z"))


def with_defaults(value: Any, schema: Schema) -> Any:  # noqa: ANN401 - any JSON
    """The value as the API server goes on with it: without empty fields, with defaults."""
    if isinstance(value, list) and "items" in schema:
        return [with_defaults(item, schema["items"]) for item in value]
    if not isinstance(value, dict):
        return value
    fields: Schema = schema.get("properties", {})
    others = schema.get("additionalProperties") or {}
    kept = {
        name: child
        for name, child in value.items()
        # An unknown field is told even if nothing stands in it.
        if child is not None or not (name in fields or others)
    }
    added = {
        name: child["default"]
        for name, child in fields.items()
        if "default" in child and name not in kept
    }
    return {
        name: with_defaults(child, fields.get(name, others))
        for name, child in {**kept, **added}.items()
    }
