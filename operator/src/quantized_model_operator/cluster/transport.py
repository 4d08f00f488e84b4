"""I/O: one HTTP request to the API server, repeated where that is safe, and one stream.

Repeated are requests that got 429, 5xx or no answer; every request sent through here has the
same effect when the server sees it twice. Writes pass a token bucket.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from dataclasses import dataclass

from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout

from quantized_model_operator.cluster.api_errors import (
    ServerError,
    TooManyRequestsError,
    UnreachableError,
    error_from_response,
)
from quantized_model_operator.cluster.connection import CONNECT_SECONDS, REQUEST_SECONDS
from quantized_model_operator.cluster.pacing import TokenBucket, backoff_seconds, pause

ATTEMPTS = 5
RETRY_BASE_SECONDS = 0.2
RETRY_CAP_SECONDS = 5.0
RETRY_AFTER_CAP_SECONDS = 30.0
WRITE_BURST = 100
JSON = "application/json"

OK = 200
FIRST_ERROR = 400

RequestObserver = Callable[[str, int, float], None]
"""Called after each request with its method, HTTP code (0: no answer) and seconds."""


def ignore_request(method: str, code: int, seconds: float) -> None:
    """Observe nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    method: str
    path: str
    query: Mapping[str, str]
    body: bytes | None
    headers: Mapping[str, str]
    seconds: float


def always() -> bool:
    """Writes are never forbidden."""
    return True


class Transport:
    """HTTP with one API server; the sessions belong to the caller."""

    def __init__(
        self,
        *,
        server: str,
        session: ClientSession,
        watch_session: ClientSession,
        writes_per_second: float = 400.0,
        on_request: RequestObserver = ignore_request,
        may_write: Callable[[], bool] = always,
    ) -> None:
        """``may_write`` is asked before each attempt of a write, which fails when it may not."""
        self._server = server
        self._session = session
        self._watch_session = watch_session
        self._writes = TokenBucket(writes_per_second, WRITE_BURST)
        self._on_request = on_request
        self._may_write = may_write
        self._closing = asyncio.Event()

    def close(self) -> None:
        """End all waiting for another attempt; requests under way go on."""
        self._closing.set()

    async def send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        body: bytes | None = None,
        content_type: str = JSON,
        accept: str = JSON,
        attempts: int = ATTEMPTS,
        seconds: float = REQUEST_SECONDS,
    ) -> bytes:
        """The body of a good answer, else an ``ApiError``; ``seconds`` bounds each attempt."""
        request = _Request(
            method=method,
            path=path,
            query=query or {},
            body=body,
            headers={"Accept": accept, "Content-Type": content_type},
            seconds=seconds,
        )
        attempt = 0
        while True:
            if method != "GET":
                await self._take_turn()
            attempt += 1
            try:
                return await self._once(request)
            except (UnreachableError, ServerError, TooManyRequestsError) as error:
                if attempt >= attempts:
                    raise
                delay = backoff_seconds(attempt - 1, base=RETRY_BASE_SECONDS, cap=RETRY_CAP_SECONDS)
                asked_for = min(error.retry_after_seconds, RETRY_AFTER_CAP_SECONDS)
                if await pause(max(delay, asked_for), self._closing):
                    raise

    async def stream(
        self, path: str, query: Mapping[str, str], *, seconds: float, silence_seconds: float
    ) -> AsyncGenerator[bytes, None]:
        """The lines of one long answer; ends when the server ends it.

        ``UnreachableError`` when nothing came for ``silence_seconds``.
        """
        timeout = ClientTimeout(
            total=seconds, sock_connect=CONNECT_SECONDS, sock_read=silence_seconds
        )
        started = time.monotonic()
        try:
            async with self._watch_session.get(
                self._server + path, params=query, timeout=timeout
            ) as response:
                self._on_request("WATCH", response.status, time.monotonic() - started)
                if response.status != OK:
                    raise error_from_response(response.status, await response.read())
                try:
                    async for line in _lines(response):
                        yield line
                finally:
                    _abort(response)
        except (ClientError, TimeoutError, OSError) as error:
            raise UnreachableError(path, error) from error

    async def _take_turn(self) -> None:
        wait = self._writes.reserve()
        if wait > 0.0 and await pause(wait, self._closing):
            raise UnreachableError(self._server, "the client is closing")
        if not self._may_write():
            raise UnreachableError(self._server, "this process does not lead any more")

    async def _once(self, request: _Request) -> bytes:
        started = time.monotonic()
        code = 0
        try:
            async with self._session.request(
                request.method,
                self._server + request.path,
                params=request.query,
                data=request.body,
                headers=request.headers,
                timeout=ClientTimeout(total=request.seconds, sock_connect=CONNECT_SECONDS),
            ) as response:
                code = response.status
                answer = await response.read()
                retry_after = response.headers.get("Retry-After", "")
        except (ClientError, TimeoutError, OSError) as failure:
            code = 0
            raise UnreachableError(request.path, failure) from failure
        finally:
            self._on_request(request.method, code, time.monotonic() - started)
        if code < FIRST_ERROR:
            return answer
        error = error_from_response(code, answer)
        error.retry_after_seconds = float(retry_after) if retry_after.isdecimal() else 0.0
        raise error


def _abort(response: ClientResponse) -> None:
    """Drop the connection of an answer that was not read to its end.

    An orderly end of TLS would outlive the session, and nobody waits for it.
    """
    if response.connection is not None and response.connection.transport is not None:
        response.connection.transport.abort()


async def _lines(response: ClientResponse) -> AsyncIterator[bytes]:
    """Lines of any length; aiohttp's own reader refuses those beyond its buffer."""
    parts: list[bytes] = []
    async for chunk in response.content.iter_any():
        first, *others = chunk.split(b"\n")
        parts.append(first)
        for other in others:
            yield b"".join(parts)
            parts = [other]
