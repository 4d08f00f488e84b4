"""Rendered contained in live, as Kubernetes reads it."""

import copy
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantized_model_operator.cluster.compare import (
    first_difference,
    quantity,
    with_applied_hash,
)
from quantized_model_operator.cluster.kinds import APPLIED_ANNOTATION

_TEXT = st.text("abcz", min_size=1, max_size=3)
_LEAF = st.one_of(st.booleans(), st.integers(-3, 3), _TEXT)
_DOCUMENT = st.recursive(
    _LEAF,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_TEXT, inner, max_size=3)),
    max_leaves=12,
)
_VOLUME = "volumes[0].emptyDir"
_ENV = st.lists(
    st.fixed_dictionaries({"name": _TEXT, "value": _TEXT}),
    max_size=5,
    unique_by=lambda e: e["name"],
)


@given(_DOCUMENT)
def test_a_document_contains_itself(document: Any) -> None:  # noqa: ANN401 - JSON
    """Nothing differs from its copy."""
    assert first_difference(document, copy.deepcopy(document)) is None


@given(st.dictionaries(_TEXT, _DOCUMENT, max_size=4), st.dictionaries(_TEXT, _DOCUMENT, max_size=4))
def test_additions_are_ignored(rendered: dict[str, Any], others: dict[str, Any]) -> None:
    """Fields that only the live object has make no difference."""
    assert first_difference(rendered, {**others, **rendered}) is None


@given(st.dictionaries(_TEXT, _DOCUMENT, min_size=1, max_size=4), st.data())
def test_any_changed_leaf_is_found(rendered: dict[str, Any], data: st.DataObject) -> None:
    """A leaf that lives otherwise is a difference, wherever it stands."""
    live = copy.deepcopy(rendered)
    leaves = list(_leaves(live))
    if not leaves:
        return
    holder, key = data.draw(st.sampled_from(leaves))
    holder[key] = "something else"
    assert first_difference(rendered, live) is not None


@given(_ENV, _ENV, st.randoms())
def test_named_items_are_matched_by_name(
    rendered: list[dict[str, str]],
    added: list[dict[str, str]],
    chance: Any,  # noqa: ANN401
) -> None:
    """Order and additional items of a list with names make no difference, a missing one does."""
    names = {item["name"] for item in rendered}
    live = rendered + [item for item in added if item["name"] not in names]
    chance.shuffle(live)
    assert first_difference({"env": rendered}, {"env": live}) is None
    if rendered:
        live.remove(rendered[0])
        assert first_difference({"env": rendered}, {"env": live}) == "env[0]"


@pytest.mark.parametrize(
    ("rendered", "live"),
    [
        ("0.5", "500m"),
        ("1Gi", "1024Mi"),
        ("1", 1),
        ("1000m", "1"),
        ("2k", "2000"),
        ("1e3", "1k"),
        ("0.1", "100m"),
        ("1.5Gi", "1536Mi"),
    ],
)
def test_equal_quantities_are_the_same(rendered: str, live: str | int) -> None:
    """Two notations of one quantity are the same."""
    assert first_difference({"limits": {"cpu": rendered}}, {"limits": {"cpu": live}}) is None


def test_only_quantities_are_read_as_such() -> None:
    """Arguments and environment variables are compared as text."""
    assert first_difference({"args": ["0.5"]}, {"args": ["500m"]}) == "args[0]"
    env = [{"name": "a", "value": "1"}]
    assert first_difference({"env": env}, {"env": [{"name": "a", "value": "1000m"}]})


@pytest.mark.parametrize("text", ["", "abc", "1Zi", "--1", "1.2.3", "NaN", "Infinity", None, True])
def test_what_is_no_quantity(text: object) -> None:
    """Text that Kubernetes would refuse as a quantity has no value."""
    assert quantity(text) is None


@given(st.decimals(0, 10**6, places=3))
def test_milli_units(value: Decimal) -> None:
    """A quantity in thousandths has the value of the plain one."""
    assert quantity(f"{int(value * 1000)}m") == quantity(str(value))


@pytest.mark.parametrize(
    ("rendered", "live", "path"),
    [
        ({"a": {"b": 1}}, {"a": {"b": 2}}, "a.b"),
        ({"a": {"b": 1}}, {}, "a"),
        ({"a": [1, 2]}, {"a": [1]}, "a"),
        ({"a": [1, 2]}, {"a": [2, 1]}, "a[0]"),
        ({"ports": [{"port": 80}]}, {"ports": [{"port": 81}]}, "ports[0]"),
        ({"ports": [{"port": 80, "protocol": "UDP"}]}, {"ports": [{"port": 80}]}, "ports[0]"),
        ({"a": True}, {"a": 1}, "a"),
        ({"a": 1}, {"a": "1"}, "a"),
        ({"volumes": [{"name": "v", "emptyDir": {}}]}, {"volumes": [{"name": "v"}]}, _VOLUME),
        ({"selector": {"a": "b"}}, {"selector": {"a": "b", "c": "d"}}, "selector"),
        ({"nodeSelector": {"a": "b"}}, {"nodeSelector": {"a": "c"}}, "nodeSelector.a"),
        ({"env": [{"name": "a", "value": "1"}]}, {"env": [{"name": "a"}]}, "env[0].value"),
        ({"tolerations": [{"key": "gpu"}]}, {"tolerations": []}, "tolerations"),
    ],
)  # fmt: skip
def test_differences_are_named(rendered: Any, live: Any, path: str) -> None:  # noqa: ANN401 - JSON
    """The first difference is told by its path."""
    assert first_difference(rendered, live) == path


@pytest.mark.parametrize("empty", [{}, [], None])
def test_empty_values_are_not_asked_for(empty: object) -> None:
    """An empty map, an empty list and a null need not live."""
    assert first_difference({"annotations": empty}, {}) is None


def test_a_port_without_protocol_is_tcp() -> None:
    """A rendered port is found although the server has written its default protocol."""
    rendered = {"ports": [{"containerPort": 8000}]}
    live = {"ports": [{"containerPort": 8000, "protocol": "TCP"}]}
    assert first_difference(rendered, live) is None


def test_a_field_no_longer_rendered_changes_the_hash() -> None:
    """The annotation differs when a field is left out, and only then."""
    full = {"metadata": {"name": "a"}, "spec": {"x": 1, "y": 2}}
    fewer = {"metadata": {"name": "a"}, "spec": {"x": 1}}
    live = with_applied_hash(full)
    assert first_difference(with_applied_hash(full), live) is None
    path = f"metadata.annotations.{APPLIED_ANNOTATION}"
    assert first_difference(with_applied_hash(fewer), live) == path
    reordered = {"spec": {"y": 2, "x": 1}, "metadata": {"name": "a"}}
    assert with_applied_hash(reordered) == live


def test_marking_leaves_the_rendered_object_alone() -> None:
    """The manifest that is marked is a new one."""
    rendered = {"metadata": {"name": "a", "annotations": {"b": "c"}}}
    marked = with_applied_hash(rendered)
    assert rendered == {"metadata": {"name": "a", "annotations": {"b": "c"}}}
    assert marked["metadata"]["annotations"]["b"] == "c"


def _leaves(value: Any) -> Any:  # noqa: ANN401 - JSON
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in list(items):
        if isinstance(item, (dict, list)):
            yield from _leaves(item)
        else:
            yield value, key
