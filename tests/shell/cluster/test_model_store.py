"""The models that kopf told of, and the resync that finds what it did not tell."""

from collections.abc import Collection, Mapping
from typing import Any

import pytest

from quantized_model_operator.cluster.api_client import METADATA_LIST, ApiClient
from quantized_model_operator.cluster.janitor import Janitor
from quantized_model_operator.cluster.kinds import MODEL
from quantized_model_operator.cluster.model_store import ModelStore
from quantized_model_operator.cluster.object_cache import ObjectCache, entry_from_body
from quantized_model_operator.domain.cluster_state import ModelKey
from shell.cluster.fake_api_server import FakeApiServer

pytestmark = pytest.mark.shell

MODELS = MODEL.collection()
RECORDS = "/api/v1/configmaps"


def record_names(body: Mapping[str, Any]) -> Collection[str]:
    """The record that the model names in its spec."""
    name = body["spec"].get("record")
    return (name,) if name else ()


@pytest.fixture
def store() -> ModelStore:
    """An empty store."""
    return ModelStore(record_names)


def model(name: str, ready: str = "False", **spec: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """A model as the server has it."""
    return {
        "apiVersion": MODEL.api_version,
        "kind": MODEL.kind,
        "metadata": {"namespace": "zoo", "name": name},
        "spec": spec,
        "status": {"conditions": [{"type": "Ready", "status": ready}]},
    }


def key(name: str) -> ModelKey:
    """A key of the zoo."""
    return ModelKey("zoo", name)


async def test_a_ghost_is_dropped(
    server: FakeApiServer, client: ApiClient, store: ModelStore
) -> None:
    """A model that was deleted while nobody watched is dropped by the resync, others stay."""
    store.put(server.put(MODELS, model("otter")))
    store.put(server.put(MODELS, model("heron")))
    server.remove(MODELS, "zoo", "otter")
    result = await store.resync(client, ())
    assert result.dropped == (key("otter"),)
    assert result.added == ()
    assert store.keys() == [key("heron")]


async def test_a_successor_is_no_ghost(
    server: FakeApiServer, client: ApiClient, store: ModelStore
) -> None:
    """A name that was deleted and taken again is dropped as the old and fetched as the new."""
    store.put(server.put(MODELS, model("otter", a="old")))
    server.remove(MODELS, "zoo", "otter")
    server.put(MODELS, model("otter", a="new"))
    result = await store.resync(client, ())
    assert result.dropped == (key("otter"),)
    assert result.added == (key("otter"),)
    held = store.get(key("otter"))
    assert held is not None
    assert held["spec"] == {"a": "new"}


async def test_what_came_during_the_list_is_kept(
    server: FakeApiServer, client: ApiClient, store: ModelStore
) -> None:
    """A model that kopf tells of while the list is on its way is not taken for a ghost."""
    created = server.put(MODELS, model("otter"))
    server.remove(MODELS, "zoo", "otter")

    late = client.pages

    async def pages(*args: Any, **options: Any) -> Any:  # noqa: ANN401 - as the client's
        async for page in late(*args, **options):
            store.put(created)
            yield page

    client.pages = pages  # type: ignore[method-assign]
    result = await store.resync(client, ())
    assert result.dropped == ()
    assert store.keys() == [key("otter")]


async def test_what_was_never_told_is_fetched(
    server: FakeApiServer, client: ApiClient, store: ModelStore
) -> None:
    """A model that the store does not hold is fetched, by a list of metadata only."""
    server.put(MODELS, model("otter", a="b"))
    result = await store.resync(client, ("zoo",))
    assert result.added == (key("otter"),)
    assert store.get(key("otter")) is not None
    assert server.seen[0].headers["Accept"] == METADATA_LIST
    assert server.seen[0].path.endswith("/namespaces/zoo/quantizedmodels")


async def test_synced_when_all_expected_are_known(
    server: FakeApiServer, client: ApiClient, store: ModelStore
) -> None:
    """The store is synced once each expected model is held or gone, not before."""
    otter = server.put(MODELS, model("otter"))
    server.put(MODELS, model("heron"))
    assert await store.expect(client, ()) == 2
    assert not store.synced.is_set()
    store.put(otter)
    assert not store.synced.is_set()
    store.drop(key("heron"))
    assert store.synced.is_set()


async def test_synced_at_once_without_models(client: ApiClient, store: ModelStore) -> None:
    """An empty cluster is synced by the first list."""
    await store.expect(client, ())
    assert store.synced.is_set()


async def test_synced_by_a_resync(
    server: FakeApiServer, client: ApiClient, store: ModelStore
) -> None:
    """An expected model that was deleted before kopf saw it does not hold the start for ever."""
    server.put(MODELS, model("otter"))
    await store.expect(client, ())
    server.remove(MODELS, "zoo", "otter")
    await store.resync(client, ())
    assert store.synced.is_set()


def test_the_same_version_is_no_news(store: ModelStore) -> None:
    """The event that follows an own write is no news; the next version is."""
    body = model("otter")
    body["metadata"] |= {"uid": "u", "resourceVersion": "5"}
    assert store.put(body)
    later = {**body, "metadata": {**body["metadata"], "resourceVersion": "6"}}
    store.written(later)
    assert not store.put(later)
    assert not store.put(body)
    assert store.put({**body, "metadata": {**body["metadata"], "resourceVersion": "7"}})


def test_put_does_not_change_what_it_is_given(store: ModelStore) -> None:
    """The body of an event is left as it is."""
    body = model("otter")
    body["metadata"]["managedFields"] = [{"manager": "a"}]
    store.put(body)
    assert body["metadata"]["managedFields"] == [{"manager": "a"}]


def test_models_that_wait_are_known(store: ModelStore) -> None:
    """Only models whose Ready is not True are told of changes in capacity."""
    store.put(model("otter"))
    store.put(model("heron", ready="True"))
    assert store.not_ready_keys() == (key("otter"),)
    ready = model("otter", ready="True")
    ready["metadata"]["resourceVersion"] = "9"
    store.put(ready)
    assert store.not_ready_keys() == ()


class Clock:
    """Seconds that tests set."""

    now = 0.0

    def __call__(self) -> float:
        """The time."""
        return self.now


async def test_unreferenced_records_go_after_the_grace_period(
    server: FakeApiServer, client: ApiClient, store: ModelStore
) -> None:
    """A record that no model names for ten minutes is deleted, one that is named again is not."""
    records, clock = ObjectCache(), Clock()
    for name in ("used", "unused", "rescued"):
        body = {"metadata": {"namespace": "zoo", "name": name}}
        records.heard(entry_from_body(server.put(RECORDS, body)))
    store.put(model("otter", record="used"))
    janitor = Janitor(client=client, models=store, records=records, grace_seconds=600, clock=clock)
    assert await janitor.sweep() == 0, "the models are not all known yet"
    await store.expect(client, ())
    assert await janitor.sweep() == 0
    clock.now = 599
    assert await janitor.sweep() == 0
    store.put(model("heron", record="rescued"))
    clock.now = 600
    assert await janitor.sweep() == 1
    assert server.get(RECORDS, "zoo", "unused") is None
    assert {entry.name for entry in records} == {"used", "rescued"}


async def test_the_grace_period_starts_anew(
    server: FakeApiServer, client: ApiClient, store: ModelStore
) -> None:
    """A record that was referred to in between waits the whole period again."""
    records, clock = ObjectCache(), Clock()
    body = {"metadata": {"namespace": "zoo", "name": "record"}}
    records.heard(entry_from_body(server.put(RECORDS, body)))
    await store.expect(client, ())
    janitor = Janitor(client=client, models=store, records=records, grace_seconds=600, clock=clock)
    await janitor.sweep()
    store.put(model("otter", record="record"))
    clock.now = 300
    await janitor.sweep()
    store.drop(key("otter"))
    clock.now = 700
    assert await janitor.sweep() == 0
    clock.now = 1300
    assert await janitor.sweep() == 1
