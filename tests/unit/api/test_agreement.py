"""The CRD and the types agree on what a model is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from quantized_model_operator.api.crd import crd_document
from quantized_model_operator.api.v1alpha1 import API_VERSION, KIND, QuantizedModelSpec
from unit.api.crd_validation import complaints

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = crd_document()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
SHORT = 3
SMALL = settings(
    max_examples=30,
    deadline=None,
    # Shrinking so large a value takes minutes, and the complaint names the field anyway.
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


def values_of(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values that a structural schema accepts, its CEL rules aside; sizes are kept small."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if schema.get("x-kubernetes-int-or-string"):
        return st.integers(0, 2**40) | strings_of(schema)
    return BY_TYPE[schema["type"]](schema)


def lists_of(schema: dict[str, Any]) -> st.SearchStrategy[list[Any]]:
    """Lists without repeats, because most are sets or maps."""
    return st.lists(
        values_of(schema["items"]),
        min_size=schema.get("minItems", 0),
        max_size=SHORT,
        unique_by=identity_of,
    )


def identity_of(item: Any) -> str:  # noqa: ANN401 - any JSON
    """What makes an item of a list another one."""
    named = isinstance(item, dict) and "name" in item
    return str(item["name"]) if named else repr(item)


def strings_of(schema: dict[str, Any]) -> st.SearchStrategy[str]:
    """Strings within their bounds and their pattern."""
    least, most = schema.get("minLength", 0), schema["maxLength"]
    if "pattern" not in schema:
        return st.text(min_size=least, max_size=min(most, 20))
    matching = st.from_regex(schema["pattern"].replace("$", r"\Z"), fullmatch=True)
    return matching.filter(lambda text: least <= len(text) <= most)


def objects_of(schema: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Maps, or objects with all required fields and some of the others."""
    if "additionalProperties" in schema:
        keys = st.from_regex(r"[a-z]{1,9}", fullmatch=True)
        return st.dictionaries(keys, values_of(schema["additionalProperties"]), max_size=SHORT)
    required = schema.get("required", ())
    fields = {name: values_of(child) for name, child in schema["properties"].items()}
    return st.fixed_dictionaries(
        {name: fields[name] for name in required},
        optional={name: value for name, value in fields.items() if name not in required},
    )


BY_TYPE: dict[str, Callable[[dict[str, Any]], st.SearchStrategy[Any]]] = {
    "array": lists_of,
    "boolean": lambda _: st.booleans(),
    "integer": lambda schema: st.integers(schema["minimum"], schema["maximum"]),
    "number": lambda schema: st.floats(schema["minimum"], schema["maximum"], exclude_min=True),
    "object": objects_of,
    "string": strings_of,
}

SPECS = values_of(ROOT["properties"]["spec"])


@SMALL
@given(SPECS)
def test_what_the_schema_accepts_the_types_accept(spec: dict[str, Any]) -> None:
    """No model that the API server stores makes the parser fail."""
    assert complaints({"apiVersion": API_VERSION, "kind": KIND, "spec": spec}) == []
    QuantizedModelSpec.model_validate(spec)


@SMALL
@given(SPECS)
def test_what_the_types_write_the_schema_accepts(spec: dict[str, Any]) -> None:
    """Reading a model and writing it again changes no value and adds only defaults."""
    written = QuantizedModelSpec.model_validate(spec).model_dump(
        by_alias=True, exclude_none=True, mode="json"
    )
    assert complaints({"apiVersion": API_VERSION, "kind": KIND, "spec": written}) == []
    assert contains(written, spec)


def contains(whole: Any, part: Any) -> bool:  # noqa: ANN401 - any JSON
    """Whether every value of the part is in the whole."""
    if isinstance(part, dict):
        return all(key in whole and contains(whole[key], value) for key, value in part.items())
    if isinstance(part, list):
        pairs = zip(whole, part, strict=True)
        return all(contains(*pair) for pair in pairs)
    return bool(whole == part)
