"""One request: what is repeated, what is not, and how its failures are told apart."""

import asyncio
import time
from pathlib import Path

import pytest

from quantized_model_operator.cluster.api_client import ApiClient
from quantized_model_operator.cluster.api_errors import (
    AlreadyExistsError,
    ApiError,
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    ServerError,
    UnreachableError,
)
from quantized_model_operator.cluster.credentials import TokenFile
from quantized_model_operator.cluster.encoding import loads
from quantized_model_operator.cluster.kinds import CONFIG_MAP, SERVICE
from shell.cluster.clients import client_of
from shell.cluster.fake_api_server import FakeApiServer

pytestmark = pytest.mark.shell

RECORD = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"namespace": "zoo", "name": "otter"},
    "data": {"report": "a"},
}


async def test_too_many_requests_waits_as_told(server: FakeApiServer, client: ApiClient) -> None:
    """A 429 is repeated, and not before its Retry-After has passed."""
    server.fail("PATCH", 429, headers={"Retry-After": "1"})
    started = time.monotonic()
    await client.apply(CONFIG_MAP, RECORD, manager="me", force=True)
    assert time.monotonic() - started >= 1.0
    assert server.count("PATCH") == 2


@pytest.mark.parametrize("code", [500, 502, 503, 504])
async def test_server_errors_are_repeated(
    server: FakeApiServer, client: ApiClient, code: int
) -> None:
    """A write that met a failing server arrives in the end."""
    server.fail("PATCH", code, times=2)
    await client.apply(CONFIG_MAP, RECORD, manager="me", force=True)
    assert server.get("/api/v1/configmaps", "zoo", "otter") is not None
    assert server.count("PATCH") == 3


async def test_endless_server_errors_end(
    server: FakeApiServer, client: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that keeps failing is given up after five attempts."""
    monkeypatch.setattr("quantized_model_operator.cluster.transport.RETRY_BASE_SECONDS", 0.001)
    server.fail("GET", 500, times=100)
    with pytest.raises(ServerError):
        await client.get(CONFIG_MAP, "zoo", "otter")
    assert server.count("GET") == 5


@pytest.mark.parametrize(
    ("code", "reason", "kind"),
    [
        (403, "Forbidden", ForbiddenError),
        (404, "NotFound", NotFoundError),
        (409, "Conflict", ConflictError),
        (409, "AlreadyExists", AlreadyExistsError),
        (422, "Invalid", InvalidError),
        (400, "BadRequest", ApiError),
    ],
)
async def test_refusals_are_not_repeated(
    server: FakeApiServer, client: ApiClient, code: int, reason: str, kind: type[ApiError]
) -> None:
    """A refusal is told at once, with the server's code, reason and message."""
    server.fail("POST", code, reason=reason, times=9)
    with pytest.raises(ApiError) as caught:
        await client.create(CONFIG_MAP, RECORD, manager="me")
    assert type(caught.value) is kind
    assert (caught.value.code, caught.value.reason) == (code, reason)
    assert server.count("POST") == 1


async def test_nobody_listens() -> None:
    """A server that is not there is unreachable, not a crash of the client library."""
    async with client_of("http://127.0.0.1:1") as client:
        with pytest.raises(UnreachableError, match="/api/v1/namespaces/zoo/configmaps/otter"):
            await client.get(CONFIG_MAP, "zoo", "otter", attempts=1)


async def test_a_hanging_answer_times_out(server: FakeApiServer, client: ApiClient) -> None:
    """A request that gets no answer ends after the time that it was given."""
    server.fail("GET", 0, hang=True)
    with pytest.raises(UnreachableError):
        await client.get(CONFIG_MAP, "zoo", "otter", attempts=1, seconds=0.1)


async def test_every_attempt_is_observed(server: FakeApiServer) -> None:
    """Metrics see each attempt with its code, 0 when no answer came."""
    seen: list[tuple[str, int]] = []
    async with client_of(
        server.url, on_request=lambda method, code, _: seen.append((method, code))
    ) as client:
        server.fail("PATCH", 503)
        await client.apply(CONFIG_MAP, RECORD, manager="me", force=True)
        server.fail("GET", 0, hang=True)
        with pytest.raises(UnreachableError):
            await client.get(CONFIG_MAP, "zoo", "otter", attempts=1, seconds=0.05)
    assert seen == [("PATCH", 503), ("PATCH", 200), ("GET", 0)]


async def test_writes_are_paced(server: FakeApiServer) -> None:
    """Beyond the burst, writes leave at the set rate and reads are not held back."""
    async with client_of(server.url, writes_per_second=100.0) as client:
        started = time.monotonic()
        for _ in range(110):
            await client.apply(CONFIG_MAP, RECORD, manager="me", force=True)
        await client.get(CONFIG_MAP, "zoo", "otter")
    assert time.monotonic() - started >= 0.08


async def test_a_rotated_token_is_read_after_a_refusal(
    server: FakeApiServer, tmp_path: Path
) -> None:
    """A token that was replaced is used at once when the old one is refused."""
    token = tmp_path / "token"
    token.write_text("old\n")
    async with client_of(server.url, authorization=TokenFile(token)) as client:
        await client.apply(CONFIG_MAP, RECORD, manager="me", force=True)
        token.write_text("new\n")
        server.fail("GET", 401)
        found = loads(await client.get(CONFIG_MAP, "zoo", "otter"))
    assert found["data"] == {"report": "a"}
    assert [seen.headers["Authorization"] for seen in server.seen] == [
        "Bearer old",
        "Bearer old",
        "Bearer new",
    ]


async def test_pages_are_followed(server: FakeApiServer, client: ApiClient) -> None:
    """A list of three pages names every object once, at one version."""
    for number in range(25):
        metadata = {"namespace": "zoo", "name": f"otter-{number:02}"}
        server.put("/api/v1/services", {"metadata": metadata})
    names, versions = [], set()
    async for page in client.pages(SERVICE.collection(), page_size=10):
        names += [item["metadata"]["name"] for item in page["items"]]
        versions.add(page["metadata"]["resourceVersion"])
    assert names == [f"otter-{number:02}" for number in range(25)]
    assert len(versions) == 1


async def test_a_long_line_of_a_watch_is_read_whole(
    server: FakeApiServer, client: ApiClient
) -> None:
    """An object far larger than the read buffer arrives as one event."""
    watch = client.watch(CONFIG_MAP.collection(), selector="", version="100")
    server.put(
        "/api/v1/configmaps",
        {"metadata": {"namespace": "zoo", "name": "big"}, "data": {"a": "x" * 900_000}},
    )
    async with asyncio.timeout(5):
        line = await anext(watch)
    await watch.aclose()
    assert len(loads(line)["object"]["data"]["a"]) == 900_000
