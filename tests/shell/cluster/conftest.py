"""Fixtures: the fake API server and a client that speaks to it."""

from collections.abc import AsyncIterator

import pytest

from quantized_model_operator.cluster.api_client import ApiClient
from shell.cluster.clients import client_of
from shell.cluster.fake_api_server import FakeApiServer
from shell.cluster.live_gateway import Bench, running


@pytest.fixture
async def server() -> AsyncIterator[FakeApiServer]:
    """A running fake API server."""
    fake = FakeApiServer()
    await fake.start()
    yield fake
    await fake.close()


@pytest.fixture
async def client(server: FakeApiServer) -> AsyncIterator[ApiClient]:
    """A client of the fake API server."""
    async with client_of(server.url) as api_client:
        yield api_client


@pytest.fixture
async def bench(server: FakeApiServer, client: ApiClient) -> AsyncIterator[Bench]:
    """A synced gateway with one model."""
    made = Bench(server, client)
    made.put_model("otter")
    async with running(made):
        yield made
