"""What to do about a complaint of the API server, which says what is wrong and no more."""

import difflib
import json
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from quantized_model_operator.api.schema_types import DNS_SUBDOMAIN, LABEL_VALUE, QUANTITY
from quantized_model_operator.cli.lint_api_server import root_schema
from quantized_model_operator.cli.lint_schema import Complaint, Schema, field_name
from quantized_model_operator.cli.manifests import FieldPath

_FORMS: Mapping[str, str] = MappingProxyType(
    {
        QUANTITY: "write a quantity such as 500m, 4 or 12Gi",
        DNS_SUBDOMAIN: "write the name of an object: lower-case letters, digits, '-' and '.'",
        LABEL_VALUE: "write letters, digits, '-', '_' and '.', with a letter or digit at the ends",
    }
)
"""Pattern -> what it asks for."""

_SCALARS = frozenset({"boolean", "integer", "number", "null"})
_CLOSE = 0.7
"""Similarity from which a name is taken for a misspelling of another."""


def remedy_of(complaint: Complaint, written: str) -> str:
    """What to do, given the text that was written; empty when the complaint says it."""
    if complaint.unknown_field:
        return _right_name(complaint)
    if complaint.allowed:
        return _nearest(written, complaint.allowed)
    schema = _schema_at(complaint.path)
    if 'in body must be of type string: "' in complaint.message:
        found = complaint.message.rsplit('"', 2)[1]
        return f"write it in quotes: {json.dumps(written)}" if found in _SCALARS else ""
    if "in body must be of type " in complaint.message and complaint.message.endswith('"string"'):
        return "write it without quotes" if _is_plain(written) else _described(schema)
    if " should match " in complaint.message and schema.get("pattern") in _FORMS:
        return _FORMS[schema["pattern"]]
    return _described(schema) if complaint.about is None else ""


def nearest_name(name: str, names: tuple[str, ...]) -> str:
    """The name that was probably meant; empty when none is close."""
    by_lower = {known.lower(): known for known in names}
    plain = name.lower().replace("_", "").replace("-", "")
    found = difflib.get_close_matches(plain, by_lower, n=1, cutoff=_CLOSE)
    return by_lower[found[0]] if found else ""


def _right_name(complaint: Complaint) -> str:
    """The field that was meant: one of a like name here, or of the same name elsewhere."""
    *parents, name = complaint.path
    nearest = nearest_name(str(name), complaint.allowed)
    if nearest:
        return f"did you mean {nearest}?"
    elsewhere = [path for path in _all_fields(root_schema(), ()) if path[-1] == name]
    if elsewhere:
        return f"it belongs in {' or '.join(field_name(path[:-1]) for path in elsewhere)}"
    here = field_name(tuple(parents)) or "the object"
    return f"remove it; {here} has {', '.join(complaint.allowed)}"


def _nearest(written: str, allowed: tuple[str, ...]) -> str:
    nearest = nearest_name(written, allowed)
    return f"did you mean {nearest}?" if nearest else f"write one of {', '.join(allowed)}"


def _is_plain(written: str) -> bool:
    """Whether the text would be a number or a boolean without its quotes."""
    return written in {"true", "false"} or written.replace(".", "", 1).isdecimal()


def _described(schema: Schema) -> str:
    """The first sentence of what the field is."""
    sentence, _, _ = str(schema.get("description", "")).partition(". ")
    return sentence.rstrip(".")


def _schema_at(path: FieldPath) -> Schema:
    schema = root_schema()
    for part in path:
        inner = schema.get("properties", {}).get(part) if isinstance(part, str) else None
        schema = inner or schema.get("items") or schema.get("additionalProperties") or {}
    return schema


def _all_fields(schema: Schema, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for name, child in schema.get("properties", {}).items():
        if (path, name) != ((), "metadata"):
            yield (*path, name)
            yield from _all_fields(child, (*path, name))
