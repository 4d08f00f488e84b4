"""Patches of a spec: put together, applied, and written for a user."""

import json

from hypothesis import given
from hypothesis import strategies as st

from quantized_model_operator.domain.merge_patch import merged, patched, suggestion

PATCHES = st.recursive(
    st.one_of(st.none(), st.integers(0, 3), st.lists(st.integers(0, 3), max_size=2)),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)
OBJECTS = st.dictionaries(st.sampled_from("abc"), PATCHES, max_size=3)


def test_a_patch_sets_removes_and_replaces() -> None:
    """Objects are merged, null removes a field, and a list replaces a list."""
    document = {"engine": {"dtype": "auto", "args": ["--a", "--b"]}, "replicas": 1}
    patch = {"engine": {"dtype": None, "args": ["--a"]}, "replicas": 2}
    assert patched(document, patch) == {"engine": {"args": ["--a"]}, "replicas": 2}


@given(OBJECTS, OBJECTS)
def test_a_patch_holds_after_it_was_applied(document: dict[str, object], patch: object) -> None:
    """To apply a patch again changes nothing."""
    once = patched(document, patch)
    assert patched(once, patch) == once


def test_of_two_patches_the_first_wins() -> None:
    """Fields of both are kept, and where they disagree the first is right."""
    first = {"engine": {"dtype": "float16"}}
    second = {"engine": {"dtype": "auto", "maxNumSeqs": 2}, "replicas": 1}
    together = {"engine": {"dtype": "float16", "maxNumSeqs": 2}, "replicas": 1}
    assert merged([first, None, second]) == together
    assert merged([None, {}]) is None


def test_a_suggestion_is_the_patch_of_the_model() -> None:
    """It can be given to kubectl as it is; one that is too long for the status is left out."""
    assert suggestion({"engine": {"env": None}}) == '{"spec":{"engine":{"env":null}}}'
    assert suggestion(None) is None
    assert suggestion({"engine": {"args": ["x" * 3000]}}) is None
    assert json.loads(suggestion({"replicas": 1}) or "")["spec"] == {"replicas": 1}
