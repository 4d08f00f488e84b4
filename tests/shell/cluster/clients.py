"""Clients and waiting, for the tests against the fake API server."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from quantized_model_operator.cluster.api_client import ApiClient
from quantized_model_operator.cluster.connection import (
    Connection,
    request_session,
    watch_session,
)
from quantized_model_operator.cluster.credentials import Authorization, FixedToken
from quantized_model_operator.cluster.pacing import pause
from quantized_model_operator.cluster.transport import RequestObserver, Transport, ignore_request


@asynccontextmanager
async def client_of(
    url: str,
    *,
    authorization: Authorization | None = None,
    on_request: RequestObserver = ignore_request,
    silence_seconds: float = 75.0,
    writes_per_second: float = 400.0,
) -> AsyncIterator[ApiClient]:
    """A client with sessions of its own."""
    connection = Connection(server=url, authorization=authorization or FixedToken("secret"))
    async with request_session(connection) as session, watch_session(connection) as watches:
        transport = Transport(
            server=url,
            session=session,
            watch_session=watches,
            writes_per_second=writes_per_second,
            on_request=on_request,
        )
        yield ApiClient(transport, silence_seconds=silence_seconds)
        transport.close()


async def until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    """Return as soon as the condition holds; ``TimeoutError`` when it does not in time."""
    never = asyncio.Event()
    async with asyncio.timeout(seconds):
        while not condition():
            await pause(0.005, never)
