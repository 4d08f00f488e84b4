"""Events of models in every order in which kopf may deliver them."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantized_model_operator.domain.cluster_state import ModelKey
from quantized_model_operator.shell.handlers import ModelEvents

OTTER = ModelKey("zoo", "otter")


class Shelf:
    """A store that keeps what it is told last."""

    def __init__(self) -> None:
        self.bodies: dict[ModelKey, Mapping[str, Any]] = {}

    def put(self, body: Mapping[str, Any]) -> bool:
        """Keep a model."""
        key = ModelKey(body["metadata"]["namespace"], body["metadata"]["name"])
        news = self.bodies.get(key) != body
        self.bodies[key] = body
        return news

    def drop(self, key: ModelKey) -> bool:
        """Forget a model."""
        return self.bodies.pop(key, None) is not None

    def uid(self, key: ModelKey) -> str:
        """Its uid."""
        body = self.bodies.get(key)
        return str(body["metadata"]["uid"]) if body else ""


class Listener:
    """Events that go to a shelf, with the keys they led to."""

    def __init__(self) -> None:
        self.shelf = Shelf()
        self.keys: list[ModelKey] = []
        self.heard = 0
        self.events = ModelEvents(self.shelf, on_change=self.keys.append, on_heard=self.hear)

    def hear(self) -> None:
        """Count."""
        self.heard += 1

    def uid(self) -> str:
        """Which otter is held."""
        return self.shelf.uid(OTTER)


def otter(uid: str, version: int) -> dict[str, Any]:
    """A model named otter."""
    return {
        "metadata": {
            "namespace": "zoo",
            "name": "otter",
            "uid": uid,
            "resourceVersion": str(version),
        }
    }


def test_a_new_model_is_stored_and_enqueued() -> None:
    """An event of a model stores it and enqueues its key."""
    listener = Listener()
    listener.events.take("ADDED", otter("a", 1))
    assert listener.uid() == "a"
    assert listener.keys == [OTTER]
    assert listener.heard == 1


def test_an_event_without_news_is_not_enqueued() -> None:
    """What the store already has, such as an own write of the status, leads to no reconcile."""
    listener = Listener()
    listener.events.take(None, otter("a", 1))
    listener.events.take("MODIFIED", otter("a", 1))
    assert listener.keys == [OTTER]
    assert listener.heard == 2


def test_a_deletion_drops_and_enqueues() -> None:
    """A deletion drops the model and enqueues its key for the last time."""
    listener = Listener()
    listener.events.take("ADDED", otter("a", 1))
    listener.events.take("DELETED", otter("a", 2))
    assert listener.uid() == ""
    assert listener.keys == [OTTER, OTTER]


@pytest.mark.parametrize("late", ["MODIFIED", "DELETED"])
def test_a_late_event_of_a_predecessor_changes_nothing(late: str) -> None:
    """Once the successor of the same name was heard, its predecessor is not listened to."""
    listener = Listener()
    listener.events.take("ADDED", otter("a", 1))
    listener.events.take("ADDED", otter("b", 4))
    listener.events.take(late, otter("a", 3))
    assert listener.uid() == "b"


def test_a_successor_replaces_a_model_whose_deletion_was_missed() -> None:
    """A newer model of the same name replaces one of which no deletion was heard."""
    listener = Listener()
    listener.events.take("ADDED", otter("a", 1))
    listener.events.take("ADDED", otter("b", 4))
    assert listener.uid() == "b"


LIVES = [
    [("ADDED", otter("a", 1)), ("MODIFIED", otter("a", 2)), ("DELETED", otter("a", 3))],
    [("ADDED", otter("b", 4)), ("MODIFIED", otter("b", 5)), ("DELETED", otter("b", 6))],
    [("ADDED", otter("c", 7)), ("MODIFIED", otter("c", 8))],
]


@given(st.permutations([0] * 3 + [1] * 3 + [2] * 2))
def test_in_any_order_across_lives_the_last_one_is_held(turns: list[int]) -> None:
    """However the events of three lives of one name interleave, the last life is held."""
    listener = Listener()
    lives = [iter(life) for life in LIVES]
    for turn in turns:
        kind, body = next(lives[turn])
        listener.events.take(kind, body)
    assert listener.shelf.bodies[OTTER] == otter("c", 8)
