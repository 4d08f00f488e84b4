"""Server-side apply as the in-memory cluster plays it."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from quantized_model_operator.cluster.field_ownership import OwnedDocument

_NAME = st.text("abc", min_size=1, max_size=2)
_VALUE = st.recursive(
    st.one_of(st.integers(0, 3), st.booleans(), _NAME),
    lambda inner: st.one_of(
        st.dictionaries(_NAME, inner, min_size=1, max_size=3), st.lists(inner, max_size=2)
    ),
    max_leaves=8,
)
_ENV = st.lists(
    st.fixed_dictionaries({"name": _NAME, "value": _NAME}),
    min_size=1,
    max_size=3,
    unique_by=lambda item: item["name"],
)
_MANIFEST = st.builds(
    lambda fields, env: {**fields, "env": env},
    st.dictionaries(_NAME, _VALUE, min_size=1, max_size=3),
    _ENV,
)


@given(_MANIFEST)
def test_one_manager_gets_what_it_applies(manifest: dict[str, Any]) -> None:
    """A document of one manager is its manifest."""
    document = OwnedDocument()
    document.apply(manifest, "a")
    assert document.document() == manifest


@given(_MANIFEST, _MANIFEST)
def test_the_last_manifest_of_a_manager_counts(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    """What a manager applied before and does not apply now is gone."""
    document = OwnedDocument()
    document.apply(first, "a")
    document.apply(second, "a")
    fresh = OwnedDocument()
    fresh.apply(second, "a")
    assert document.leaves == fresh.leaves


@given(_MANIFEST)
def test_equal_values_are_no_conflict(manifest: dict[str, Any]) -> None:
    """Two managers may own a field as long as they agree."""
    document = OwnedDocument()
    document.apply(manifest, "a")
    assert document.conflicts(manifest, "b") == []


def test_another_value_is_a_conflict_that_names_the_owner() -> None:
    """A field that another manager owns with another value is a conflict."""
    document = OwnedDocument()
    document.apply({"spec": {"ports": [{"port": 80, "name": "http"}]}}, "helm")
    theirs = {"spec": {"ports": [{"port": 80, "name": "web"}]}}
    assert document.conflicts(theirs, "me") == ["conflict with helm: .spec.ports[80].name"]
    assert document.conflicts(theirs, "helm") == []


def test_force_takes_a_field_over() -> None:
    """After a forced change the former owner no longer holds the field, and removing ends it."""
    document = OwnedDocument()
    document.apply({"spec": {"image": "a", "other": 1}}, "helm")
    document.apply({"spec": {"image": "b"}}, "me")
    document.apply({"spec": {"more": 2}}, "me")
    assert document.document() == {"spec": {"other": 1, "more": 2}}


def test_a_shared_field_stays_until_the_last_owner_leaves() -> None:
    """A field that two managers own survives when one of them stops applying it."""
    document = OwnedDocument()
    document.apply({"spec": {"replicas": 3}}, "me")
    document.apply({"spec": {"replicas": 3}}, "handover")
    document.apply({"spec": {"x": 1}}, "me")
    assert document.document() == {"spec": {"replicas": 3, "x": 1}}


def test_items_of_a_named_list_are_owned_one_by_one() -> None:
    """Two managers may each have an item in one list."""
    document = OwnedDocument()
    document.apply({"env": [{"name": "A", "value": "1"}]}, "me")
    document.apply({"env": [{"name": "B", "value": "2"}]}, "injector")
    document.apply({"env": [{"name": "C", "value": "3"}]}, "me")
    names = {item["name"] for item in document.document()["env"]}
    assert names == {"B", "C"}
