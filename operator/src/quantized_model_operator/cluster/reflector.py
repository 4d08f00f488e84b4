"""I/O: lists and watches one kind into a cache; a relist replaces what the cache holds.

    list all pages -> replace the cache -> watch from the list's version -> 410: list again
                                              |  ^
                                              +--+ ended, silent, refused or ERROR in the stream:
                                                   watch again from the last version heard

Only this loop is restarted by an error of a watch, never the process or the cache.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

from quantized_model_operator.cluster.api_client import PAGE_SIZE, ApiClient
from quantized_model_operator.cluster.api_errors import (
    ApiError,
    GoneError,
    ServerError,
    error_from_status,
)
from quantized_model_operator.cluster.encoding import loads
from quantized_model_operator.cluster.kinds import Resource
from quantized_model_operator.cluster.object_cache import (
    CacheKey,
    Change,
    ObjectCache,
    Slim,
    entry_from_body,
    without_managed_fields,
)
from quantized_model_operator.cluster.pacing import backoff_seconds, pause

RETRY_BASE_SECONDS = 0.5
RETRY_CAP_SECONDS = 30.0
FAILURES_BEFORE_RELIST = 5
"""Watches that fail in a row without one event; then the version itself is doubted."""
WATCH_ENDED_SECONDS = 0.2
"""Before the next watch after an ordinary end, so that a server that ends each one at once
is not asked thousands of times a second."""

logger = logging.getLogger(__name__)


class Reflector:
    """One kind, in one namespace or in all."""

    def __init__(
        self,
        *,
        client: ApiClient,
        resource: Resource,
        cache: ObjectCache,
        on_change: Callable[[Change], None],
        namespace: str = "",
        selector: str = "",
        slim: Slim = without_managed_fields,
        clock: Callable[[], float] = time.monotonic,
        retry_base_seconds: float = RETRY_BASE_SECONDS,
    ) -> None:
        self.synced = asyncio.Event()
        """Set once the first list is complete."""
        self._client = client
        self._resource = resource
        self._path = resource.collection(namespace)
        self._namespace = namespace
        self._selector = selector
        self._cache = cache
        self._on_change = on_change
        self._slim = slim
        self._clock = clock
        self._retry_base_seconds = retry_base_seconds
        self._heard_at = clock()
        self._version = ""
        self._failures = 0

    @property
    def name(self) -> str:
        """The kind, with the namespace when there is one, for health and logs."""
        return (
            f"{self._resource.kind}/{self._namespace}" if self._namespace else self._resource.kind
        )

    def silent_seconds(self) -> float:
        """Age of the last event, bookmark or complete list."""
        return self._clock() - self._heard_at

    async def run(self, stop: asyncio.Event) -> None:
        """List and watch until ``stop``; errors of the API only make it start over.

        A watch that waits for events does not look at ``stop``: cancel the task as well.
        """
        while not stop.is_set():
            try:
                await self._list_and_watch(stop)
            except ApiError as error:
                self._failures += 1
                logger.warning("%s: %s", self.name, error)
                delay = backoff_seconds(
                    self._failures - 1, base=self._retry_base_seconds, cap=RETRY_CAP_SECONDS
                )
                await pause(delay, stop)

    async def _list_and_watch(self, stop: asyncio.Event) -> None:
        if not self._version:
            await self._list()
        try:
            watch = self._client.watch(self._path, selector=self._selector, version=self._version)
            async with aclosing(watch):
                async for line in watch:
                    self._take(_event_from(line))
        except ApiError as error:
            if isinstance(error, GoneError) or self._failures >= FAILURES_BEFORE_RELIST:
                self._version = ""
            if isinstance(error, GoneError):
                logger.info("%s: the version is too old, listing again", self.name)
                return
            raise
        await pause(WATCH_ENDED_SECONDS, stop)

    async def _list(self) -> None:
        try:
            listed, version = await self._list_pages(PAGE_SIZE)
        except GoneError:
            # Compacted between two pages; everything at once cannot grow too old.
            listed, version = await self._list_pages(0)
        for change in self._cache_replaced(listed, version):
            self._on_change(change)
        self._version = version
        self._heard_at = self._clock()
        self._failures = 0
        self.synced.set()

    async def _list_pages(self, page_size: int) -> tuple[set[CacheKey], str]:
        listed: set[CacheKey] = set()
        version = ""
        pages = self._client.pages(self._path, selector=self._selector, page_size=page_size)
        async for page in pages:
            version = page["metadata"]["resourceVersion"]
            items = page.pop("items") or []
            del page
            # From the end, so that each parsed object is freed before the next is encoded.
            while items:
                body = items.pop()
                listed.add(self._heard(body))
        return listed, version

    def _cache_replaced(self, listed: set[CacheKey], version: str) -> list[Change]:
        scope = self._namespace
        if scope:
            others = {entry.key for entry in self._cache if entry.namespace != scope}
            listed = listed | others
        return list(self._cache.replaced(listed, int(version) if version.isdecimal() else 0))

    def _heard(self, body: dict[str, Any]) -> CacheKey:
        # Items of a list carry no type of their own.
        typed = {"kind": self._resource.kind, "apiVersion": self._resource.api_version, **body}
        entry = entry_from_body(typed, self._slim)
        change = self._cache.heard(entry)
        if change is not None:
            self._on_change(change)
        return entry.key

    def _take(self, event: dict[str, Any]) -> None:
        kind, body = event["type"], event["object"]
        if kind == "ERROR":
            raise error_from_status(500, body)
        self._heard_at = self._clock()
        self._failures = 0
        self._version = body["metadata"]["resourceVersion"]
        if kind == "DELETED":
            change = self._cache.heard_gone(entry_from_body(body, self._slim))
            if change is not None:
                self._on_change(change)
        elif kind != "BOOKMARK":
            self._heard(body)


def _event_from(line: bytes) -> dict[str, Any]:
    try:
        event: dict[str, Any] = loads(line)
    except ValueError as error:
        raise ServerError(500, "InvalidStream", f"no JSON: {line[:100]!r}") from error
    return event
