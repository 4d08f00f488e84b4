"""The cache of one kind: order of news, own writes, deletions and indexes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantized_model_operator.cluster.object_cache import (
    OWN_WRITE_SECONDS,
    Entry,
    ObjectCache,
    entry_from_body,
)
from quantized_model_operator.domain.cluster_state import ModelKey


class Clock:
    """Seconds that tests set."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """The time."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still."""
    return Clock()


@pytest.fixture
def cache(clock: Clock) -> ObjectCache:
    """An empty cache."""
    return ObjectCache(clock)


def entry(version: int, name: str = "otter", uid: str = "u1", **options: Any) -> Entry:  # noqa: ANN401 - JSON
    """An object of the model ``otter``."""
    metadata: dict[str, Any] = {
        "namespace": "zoo",
        "name": name,
        "uid": uid,
        "resourceVersion": str(version),
        "labels": options.get("labels", {"serving.quantizedmodel.dev/model": "otter"}),
        "managedFields": [{"manager": "somebody"}],
    }
    owner = options.get("owner", "")
    if owner:
        reference = {"kind": "QuantizedModel", "name": "otter", "uid": owner, "controller": True}
        metadata["ownerReferences"] = [reference]
    return entry_from_body({"metadata": metadata, "data": {"version": version}})


def held(cache: ObjectCache, name: str = "otter") -> int:
    """The version that the cache holds; 0 for none."""
    found = cache.get("zoo", name)
    return found.version if found else 0


def test_managed_fields_are_not_kept() -> None:
    """What the cache keeps has no managedFields."""
    assert b"managedFields" not in entry(1).raw
    assert entry(1).body()["data"] == {"version": 1}


def test_old_news_after_an_own_write_is_ignored(cache: ObjectCache, clock: Clock) -> None:
    """An event that is older than an own write changes nothing, for five seconds."""
    cache.written(entry(7))
    assert cache.heard(entry(5)) is None
    assert held(cache) == 7
    clock.now += OWN_WRITE_SECONDS + 0.1
    assert cache.heard(entry(5)) is not None
    assert held(cache) == 5


def test_the_echo_of_an_own_write_is_no_news(cache: ObjectCache) -> None:
    """The event of an own write is not told, the next one is."""
    cache.written(entry(7))
    assert cache.heard(entry(7)) is None
    assert cache.heard(entry(8)) is not None


def test_an_answer_that_comes_late_does_not_go_back(cache: ObjectCache) -> None:
    """The answer to an own write does not replace something newer from the watch."""
    cache.heard(entry(9))
    cache.written(entry(7))
    assert held(cache) == 9


def test_a_relist_keeps_a_newer_own_write(cache: ObjectCache, clock: Clock) -> None:
    """What was written after the list was taken stays, everything else that is missing goes."""
    cache.heard(entry(3, name="heron", uid="u2"))
    cache.written(entry(7))
    gone = [change.entry.name for change in cache.replaced(set(), 5)]
    assert gone == ["heron"]
    clock.now += OWN_WRITE_SECONDS + 0.1
    assert [change.gone for change in cache.replaced(set(), 5)] == [True]
    assert len(cache) == 0


def test_an_own_write_that_the_list_should_have_is_gone(cache: ObjectCache) -> None:
    """A list that is newer than an own write and does not have it proves its deletion."""
    cache.written(entry(7))
    assert [change.entry.name for change in cache.replaced(set(), 8)] == ["otter"]


def test_late_news_of_what_we_deleted_is_ignored(cache: ObjectCache) -> None:
    """A change of an object that was deleted by us does not bring it back; a successor may come."""
    cache.heard(entry(3))
    cache.deleted(entry(3))
    assert cache.heard(entry(4)) is None
    assert held(cache) == 0
    assert cache.heard(entry(6, uid="u2")) is not None


def test_the_deletion_of_a_predecessor_is_ignored(cache: ObjectCache) -> None:
    """A deletion with another uid does not remove the object that has the name now."""
    cache.heard(entry(6, uid="u2"))
    assert cache.heard_gone(entry(5, uid="u1")) is None
    assert held(cache) == 6


def test_equal_content_is_no_news(cache: ObjectCache) -> None:
    """A kept form that did not change is not told, though its version did."""

    def slim(body: dict[str, Any]) -> dict[str, Any]:
        return {"name": body["metadata"]["name"]}

    def seen(version: str) -> Entry:
        metadata = {"name": "node-a", "uid": "n", "resourceVersion": version}
        return entry_from_body({"metadata": metadata}, slim)

    assert cache.heard(seen("1")) is not None
    assert cache.heard(seen("2")) is None


def test_indexes_follow_a_change_of_owner(cache: ObjectCache) -> None:
    """An object that loses its controller and its label is found by neither any more."""
    key = ModelKey("zoo", "otter")
    cache.heard(entry(1, owner="m1"))
    assert [found.name for found in cache.of_owner("m1")] == ["otter"]
    assert [found.name for found in cache.of_model(key)] == ["otter"]
    cache.heard(entry(2, labels={}))
    assert cache.of_owner("m1") == []
    assert cache.of_model(key) == []
    assert held(cache) == 2


_STEPS = st.lists(
    st.tuples(
        st.sampled_from(["heard", "gone", "written", "deleted"]),
        st.sampled_from(["otter", "heron"]),
        st.sampled_from(["m1", "m2", ""]),
        st.sampled_from(["u1", "u2"]),
    ),
    max_size=30,
)


@given(_STEPS)
def test_indexes_never_disagree_with_the_entries(steps: list[tuple[str, str, str, str]]) -> None:
    """After any history, each index names just the entries that it should."""
    cache = ObjectCache(Clock())
    for version, (step, name, owner, uid) in enumerate(steps, start=1):
        item = entry(version, name=name, uid=uid, owner=owner)
        {
            "heard": cache.heard,
            "gone": cache.heard_gone,
            "written": cache.written,
            "deleted": cache.deleted,
        }[step](item)
    entries = list(cache)
    for owner in ("m1", "m2"):
        expected = sorted(item.name for item in entries if item.owner_uid == owner)
        assert [item.name for item in cache.of_owner(owner)] == expected
    by_model = [item.name for item in cache.of_model(ModelKey("zoo", "otter"))]
    assert by_model == sorted(item.name for item in entries)


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 3)), max_size=20))
def test_the_watch_is_right_in_the_end(history: list[tuple[bool, int]]) -> None:
    """Whatever was heard twice or late, the newest version of the server is what is held."""
    cache = ObjectCache(Clock())
    for version, (own, repeats) in enumerate(history, start=1):
        if own:
            cache.written(entry(version))
        # The watch repeats old news in order, up to the newest.
        for late in range(max(1, version - repeats), version + 1):
            cache.heard(entry(late))
    assert held(cache) == len(history)
