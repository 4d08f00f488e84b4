"""A hub in a thread of its own, for tests and programs that do not run a loop."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hub.server import Access, Hub

_PATIENCE_SECONDS = 10.0


@contextmanager
def running_hub(
    root: Path, access: Access | None = None, host: str = "127.0.0.1", port: int = 0
) -> Iterator[Hub]:
    """The hub, serving until the block ends."""
    hub = Hub(root, access)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="hub", daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(hub.start(host, port), loop).result(_PATIENCE_SECONDS)
        yield hub
    finally:
        asyncio.run_coroutine_threadsafe(hub.stop(), loop).result(_PATIENCE_SECONDS)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_PATIENCE_SECONDS)
        loop.close()
