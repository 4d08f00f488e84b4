"""I/O: sources of the Authorization header, each fresh enough for rotating tokens."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

from aiohttp import ClientRequest, ClientResponse

UNAUTHORIZED = 401
TOKEN_READ_SECONDS = 60.0
"""Projected tokens rotate at 80 % of their life; an hour is the shortest usual one."""

_Handler = Callable[[ClientRequest], Awaitable[ClientResponse]]


class Authorization(Protocol):
    """Gives the value of the Authorization header."""

    async def header(self, *, renew: bool = False) -> str:
        """The value; empty when requests carry none. ``renew`` after a 401: read it again."""


class FixedToken:
    """A bearer token that does not change; an empty one sends no header."""

    def __init__(self, token: str) -> None:
        self._header = f"Bearer {token}" if token else ""

    async def header(self, *, renew: bool = False) -> str:  # noqa: ARG002 - nothing to renew
        """The token as a header."""
        return self._header


class TokenFile:
    """A bearer token in a file that somebody else rotates; read again each minute."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._header = ""
        self._read_at = float("-inf")

    async def header(self, *, renew: bool = False) -> str:
        """The token as a header; the last good one while the file cannot be read."""
        now = self._clock()
        if renew or now - self._read_at >= TOKEN_READ_SECONDS:
            try:
                # A kilobyte in memory: a thread would cost more than the read.
                self._header = f"Bearer {self._path.read_text().strip()}"
            except OSError:
                if not self._header:
                    raise
            self._read_at = now
        return self._header


class CallableToken:
    """A header from a function that may block, for example one that runs a plugin."""

    def __init__(
        self, read: Callable[[], str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._read = read
        self._clock = clock
        self._header = ""
        self._read_at = float("-inf")

    async def header(self, *, renew: bool = False) -> str:
        """The header, asked for again each minute, in a thread."""
        now = self._clock()
        if renew or now - self._read_at >= TOKEN_READ_SECONDS:
            self._header = await asyncio.to_thread(self._read)
            self._read_at = now
        return self._header


class AuthorizationMiddleware:
    """Puts the current header on each request of a session, kopf's included."""

    def __init__(self, authorization: Authorization) -> None:
        self._authorization = authorization

    async def __call__(self, request: ClientRequest, handler: _Handler) -> ClientResponse:
        """Send the request with the header, after a 401 once more with a renewed one."""
        header = await self._authorization.header()
        if header:
            request.headers["Authorization"] = header
        response = await handler(request)
        if response.status != UNAUTHORIZED:
            return response
        renewed = await self._authorization.header(renew=True)
        if renewed == header:
            return response
        response.release()
        request.headers["Authorization"] = renewed
        return await handler(request)
