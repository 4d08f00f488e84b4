"""List and watch against a server that fails in every known way."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from quantized_model_operator.cluster.api_client import ApiClient
from quantized_model_operator.cluster.kinds import SERVICE
from quantized_model_operator.cluster.object_cache import Change, ObjectCache
from quantized_model_operator.cluster.reflector import Reflector
from shell.cluster.clients import client_of, until
from shell.cluster.fake_api_parts import Fault
from shell.cluster.fake_api_server import FakeApiServer

pytestmark = pytest.mark.shell

SERVICES = "/api/v1/services"


class Follower:
    """A running reflector with what it told."""

    def __init__(self, client: ApiClient, namespace: str = "", selector: str = "") -> None:
        self.cache = ObjectCache()
        self.changes: list[tuple[str, bool]] = []
        self.reflector = Reflector(
            client=client,
            resource=SERVICE,
            cache=self.cache,
            on_change=self._changed,
            namespace=namespace,
            selector=selector,
            retry_base_seconds=0.01,
        )

    def names(self) -> list[str]:
        """What the cache holds."""
        return sorted(entry.name for entry in self.cache)

    def _changed(self, change: Change) -> None:
        self.changes.append((change.entry.name, change.gone))


@asynccontextmanager
async def following(follower: Follower) -> AsyncIterator[Follower]:
    """Run the reflector until the block ends; it must not have ended by itself."""
    task = asyncio.create_task(follower.reflector.run(asyncio.Event()))
    try:
        async with asyncio.timeout(5):
            await follower.reflector.synced.wait()
        yield follower
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.wait({task})


def service(name: str, namespace: str = "zoo", **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """A Service of the fake server."""
    labels = fields.pop("labels", {})
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"namespace": namespace, "name": name, "labels": labels},
        **fields,
    }


def has(follower: Follower, *names: str) -> Callable[[], bool]:
    """Whether the cache holds just these."""
    return lambda: follower.names() == sorted(names)


async def test_list_then_watch(server: FakeApiServer, client: ApiClient) -> None:
    """What exists is listed, what comes and goes is told."""
    server.put(SERVICES, service("otter"))
    async with following(Follower(client)) as follower:
        assert follower.names() == ["otter"]
        server.put(SERVICES, service("heron"))
        await until(has(follower, "heron", "otter"))
        server.remove(SERVICES, "zoo", "otter")
        await until(has(follower, "heron"))
    assert follower.changes == [("otter", False), ("heron", False), ("otter", True)]


async def test_listed_objects_have_their_type(server: FakeApiServer, client: ApiClient) -> None:
    """Objects from a list say their kind although the server leaves it out there."""
    server.put(SERVICES, service("otter"))
    async with following(Follower(client)) as follower:
        entry = follower.cache.get("zoo", "otter")
        assert entry is not None
        assert entry.body()["kind"] == "Service"
        assert entry.body()["apiVersion"] == "v1"


async def test_deletions_in_a_gap_are_told_after_410(
    server: FakeApiServer, client: ApiClient
) -> None:
    """An object that vanished while no watch was open is emitted as deleted after a relist."""
    server.put(SERVICES, service("otter"))
    server.put(SERVICES, service("heron"))
    async with following(Follower(client)) as follower:
        await until(lambda: len(server.watches) == 1)
        server.fail("WATCH", 410, reason="Expired")
        server.watches[0].silent = True
        server.end_watches()
        server.remove(SERVICES, "zoo", "otter")
        server.forget_history()
        await until(has(follower, "heron"))
    assert ("otter", True) in follower.changes
    assert server.count("GET") == 2


async def test_deletions_in_a_gap_are_told_after_410_in_the_stream(
    server: FakeApiServer, client: ApiClient
) -> None:
    """A 410 that comes as an ERROR event leads to the same relist."""
    server.put(SERVICES, service("otter"))
    async with following(Follower(client)) as follower:
        await until(lambda: len(server.watches) == 1)
        server.watches[0].silent = True
        server.remove(SERVICES, "zoo", "otter")
        server.forget_history()
        status = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}
        server.end_watches({"type": "ERROR", "object": status})
        await until(has(follower))
    assert follower.changes[-1] == ("otter", True)


@pytest.mark.parametrize(
    "last",
    [
        {"type": "ERROR", "object": {"kind": "Status", "code": 500, "message": "etcd is away"}},
        {"type": "ERROR", "object": {"kind": "Status", "code": 418, "reason": "Teapot"}},
        {"type": "ERROR", "object": {}},
        None,
    ],
)
async def test_other_ends_only_watch_again(
    server: FakeApiServer, client: ApiClient, last: dict[str, Any] | None
) -> None:
    """Any other end of the stream, an unknown error included, continues it without a list."""
    async with following(Follower(client)) as follower:
        await until(lambda: len(server.watches) == 1)
        server.end_watches(last)
        await until(lambda: not server.watches)
        server.put(SERVICES, service("otter"))
        await until(has(follower, "otter"))
    assert server.count("GET") == 1


async def test_a_silent_watch_is_replaced(server: FakeApiServer) -> None:
    """A watch on which nothing comes is given up, and what it missed is heard."""
    async with (
        client_of(server.url, silence_seconds=0.2) as client,
        following(Follower(client)) as follower,
    ):
        await until(lambda: len(server.watches) == 1)
        server.watches[0].silent = True
        server.put(SERVICES, service("otter"))
        await until(has(follower, "otter"))
    assert server.count("GET") == 1


async def test_bookmarks_move_the_version(server: FakeApiServer, client: ApiClient) -> None:
    """After a bookmark the next watch starts there, so that old history is not needed."""
    async with following(Follower(client)) as follower:
        await until(lambda: len(server.watches) == 1)
        server.put("/api/v1/other", service("noise"))
        before = follower.reflector.silent_seconds()
        server.bookmark()
        await until(lambda: follower.reflector.silent_seconds() < before)
        server.forget_history()
        server.end_watches()
        await until(lambda: server.count("WATCH") == 2)
        server.put(SERVICES, service("otter"))
        await until(has(follower, "otter"))
    assert server.count("GET") == 1


async def test_errors_of_lists_and_watches_end_nothing(
    server: FakeApiServer, client: ApiClient
) -> None:
    """Forbidden lists and failing watches are tried until they work."""
    server.put(SERVICES, service("otter"))
    server.fail("GET", 403, reason="Forbidden", times=2)
    server.fail("WATCH", 500, times=3)
    async with following(Follower(client)) as follower:
        await until(lambda: len(server.watches) == 1)
        server.put(SERVICES, service("heron"))
        await until(has(follower, "heron", "otter"))


async def test_watches_that_keep_failing_lead_to_a_list(
    server: FakeApiServer, client: ApiClient
) -> None:
    """After six watches without one event the version is doubted and the kind listed again."""
    server.fail("WATCH", 400, reason="BadRequest", times=6)
    async with following(Follower(client)) as follower:
        await until(lambda: len(server.watches) == 1)
        server.put(SERVICES, service("otter"))
        await until(has(follower, "otter"))
    assert server.count("GET") == 2


async def test_a_list_that_grew_too_old_starts_again(
    server: FakeApiServer, client: ApiClient
) -> None:
    """When a page has expired, everything is listed at once and nothing is lost."""
    for number in range(501):
        server.put(SERVICES, service(f"otter-{number}"))
    server.faults.append(
        Fault(lambda seen: "continue" in seen.query, 410, times=1, reason="Expired")
    )
    async with following(Follower(client)) as follower:
        assert len(follower.cache) == 501
    assert "limit" not in server.seen[2].query


async def test_only_selected_objects_of_the_namespace(
    server: FakeApiServer, client: ApiClient
) -> None:
    """Selector and namespace hold for lists and watches, and a relist leaves others alone."""
    server.put(SERVICES, service("otter", labels={"a": "b"}))
    server.put(SERVICES, service("heron"))
    server.put(SERVICES, service("newt", namespace="pond", labels={"a": "b"}))
    async with following(Follower(client, namespace="zoo", selector="a=b")) as follower:
        assert follower.names() == ["otter"]
        server.put(SERVICES, service("toad", labels={"a": "b"}))
        server.put(SERVICES, service("frog", namespace="pond", labels={"a": "b"}))
        await until(has(follower, "otter", "toad"))


async def test_no_news_is_not_told(server: FakeApiServer, client: ApiClient) -> None:
    """Relisting what has not changed tells nothing."""
    server.put(SERVICES, service("otter"))
    async with following(Follower(client)) as follower:
        await until(lambda: len(server.watches) == 1)
        server.end_watches({"type": "ERROR", "object": {"code": 410, "reason": "Expired"}})
        await until(lambda: server.count("GET") == 2 and len(server.watches) == 1)
    assert follower.changes == [("otter", False)]
