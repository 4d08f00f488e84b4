"""I/O: a cluster that is read once, by a command that ends then."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from quantized_model_operator.cluster.api_client import ApiClient
from quantized_model_operator.cluster.connection import Connection, request_session
from quantized_model_operator.cluster.transport import Transport

FIRST_ANSWER_SECONDS = 5.0
"""For the first answer, tried once; a cluster that is there needs a fraction of it."""
READ_SECONDS = 60.0
"""For everything."""


@asynccontextmanager
async def one_time_transport(connection: Connection) -> AsyncIterator[Transport]:
    """Requests to the cluster of this connection, until the context ends."""
    async with request_session(connection) as session:
        yield Transport(server=connection.server, session=session, watch_session=session)


async def listed_items(
    client: ApiClient, path: str, *, selector: str = "", enough: int | None = None
) -> AsyncIterator[dict[str, Any]]:
    """The objects of a list, page by page; no further page once there are enough."""
    count = 0
    async for page in client.pages(path, selector=selector):
        for item in page.get("items") or ():
            count += 1
            yield item
        if enough is not None and count >= enough:
            return
