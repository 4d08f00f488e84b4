"""The API reference in Markdown, made from the CRD and the tables of conditions. Text, no files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from quantized_model_operator.api.conditions import CONDITION_TYPES, REASONS
from quantized_model_operator.api.crd import crd_document

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

BOUNDS = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "maxLength": "at most {} characters",
    "maxItems": "at most {} entries",
    "maxProperties": "at most {} keys",
    "format": "{}",
}
SHORT_NAME = " Short name `{}`; `kubectl explain quantizedmodel.spec` shows the same texts."
SELECTORS = (
    "`--field-selector` filters by {}. `kubectl scale quantizedmodel/NAME --replicas=N`, a "
    "HorizontalPodAutoscaler and anything else that uses the scale subresource set `spec.replicas`."
)
EXCLUSIVE = {"minimum": "above {}", "maximum": "below {}"}


def document() -> str:
    """The whole reference."""
    spec = crd_document()["spec"]
    version = spec["versions"][0]
    root = version["schema"]["openAPIV3Schema"]
    parts = [
        "<!-- Generated; to change it: make generate -->",
        f"# {spec['names']['kind']} {spec['group']}/{version['name']}",
        root["description"] + SHORT_NAME.format(spec["names"]["shortNames"][0]),
        "## spec",
        _fields("spec", root["properties"]["spec"]),
        "### Rules of the API server",
        "These are checked when a model is written; the sentence is the API server's answer.",
        _rules(root),
        "## status",
        "Written by the operator only.",
        _fields("status", root["properties"]["status"]),
        "## Conditions",
        _table(("Type", "Holds when"), ((f"`{key}`", text) for key, text in _conditions())),
        "## Reasons",
        "Of conditions, of `status.failure` and of Events.",
        _table(("Reason", "Meaning"), ((f"`{key}`", text) for key, text in REASONS.items())),
        "## Columns and selectors",
        _columns(version),
        SELECTORS.format(", ".join(_selectable(version))),
    ]
    return "\n\n".join(parts) + "\n"


def _columns(version: Mapping[str, Any]) -> str:
    rows = (
        (item["name"], f"`{item['jsonPath']}`", "with `-o wide`" if item["priority"] else "always")
        for item in version["additionalPrinterColumns"]
    )
    return _table(("Column", "Field", "Shown"), rows)


def _selectable(version: Mapping[str, Any]) -> Iterator[str]:
    return (f"`{item['jsonPath'].removeprefix('.')}`" for item in version["selectableFields"])


def _conditions() -> Iterator[tuple[str, str]]:
    return ((str(key), text) for key, text in CONDITION_TYPES.items())


def _fields(name: str, schema: Mapping[str, Any]) -> str:
    rows = (
        (f"`{path}`", _type(child), _text(child), "; ".join(_limits(child, required=required)))
        for path, child, required in _walk(name, schema)
    )
    return _table(("Field", "Type", "Meaning", "Limits"), rows)


def _walk(path: str, schema: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any], bool]]:
    """Each field below, depth first: path, schema, whether it is required in its parent."""
    for name, child in schema.get("properties", {}).items():
        yield f"{path}.{name}", child, name in schema.get("required", ())
        yield from _walk(f"{path}.{name}", child)
        yield from _walk(f"{path}.{name}[]", child.get("items", {}))


def _type(schema: Mapping[str, Any]) -> str:
    if schema.get("x-kubernetes-int-or-string"):
        return "quantity"
    if "items" in schema:
        return f"list of {_type(schema['items'])}s"
    if "additionalProperties" in schema:
        return f"map of {_type(schema['additionalProperties'])}s"
    return str(schema["type"])


def _text(schema: Mapping[str, Any]) -> str:
    return str(schema["description"])


def _limits(schema: Mapping[str, Any], *, required: bool) -> Iterator[str]:
    if required:
        yield "required"
    if "default" in schema:
        yield f"default `{_plain(schema['default'])}`"
    if "enum" in schema:
        yield "one of " + ", ".join(f"`{value}`" for value in schema["enum"])
    least = schema.get("minLength", schema.get("minItems", 0))
    if least:
        yield "not empty" if least == 1 else f"at least {least} long"
    for key, words in BOUNDS.items():
        if key in schema:
            exclusive = schema.get(f"exclusive{key.capitalize()}", False)
            yield (EXCLUSIVE[key] if exclusive else words).format(schema[key])
    if "pattern" in schema:
        yield f"pattern `{schema['pattern']}`"


def _plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _rules(root: Mapping[str, Any]) -> str:
    rows = (
        (f"`{path}`", rule["message"])
        for path, schema, _ in (("metadata.name", root, False), *_walk("", root))
        for rule in schema.get("x-kubernetes-validations", ())
    )
    return _table(("Where", "Rule"), ((where.replace("`.", "`"), rule) for where, rule in rows))


def _table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    # A bar inside a cell would end it, inside code too.
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines
    )
