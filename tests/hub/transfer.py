"""Sending the bytes of a file, whole or from a position, with the trouble that was ordered."""

import asyncio
import contextlib
from collections import Counter

from aiohttp import web

from hub.faults import Faults
from hub.repositories import StoredFile

_CHUNK_BYTES = 64 * 1024
_STEP_SECONDS = 0.05
"""Length of the steps in which a slowed-down transfer proceeds."""


async def send_file(
    request: web.Request,
    file: StoredFile,
    *,
    label: str,
    headers: dict[str, str],
    faults: Faults,
    bytes_sent: Counter[str],
) -> web.StreamResponse:
    """Answer HEAD or GET, with or without a range; what left the server is counted."""
    wanted = request.http_range
    begin = wanted.start or 0
    end = file.size if wanted.stop is None else min(wanted.stop, file.size)
    if begin < 0:
        begin = max(file.size + begin, 0)
    if begin >= end and file.size:
        return web.Response(status=416, headers={"Content-Range": f"bytes */{file.size}"})
    partial = "Range" in request.headers
    headers = {**headers, "Accept-Ranges": "bytes", "Content-Length": str(end - begin)}
    if partial:
        headers["Content-Range"] = f"bytes {begin}-{end - 1}/{file.size}"
    response = web.StreamResponse(status=206 if partial else 200, headers=headers)
    response.content_type = "application/octet-stream"
    await response.prepare(request)
    if request.method == "HEAD":
        return response
    transfer = _Transfer(file, begin, end, label, faults)
    while chunk := await transfer.next_chunk():
        try:
            await response.write(chunk)
        except ConnectionResetError:  # the client went away
            return response
        bytes_sent[label] += len(chunk)
    if transfer.broken and request.transport is not None:
        request.transport.abort()
        return response
    await response.write_eof()
    return response


class _Transfer:
    """The chunks of one transfer; faults are drawn once, at its beginning."""

    def __init__(self, file: StoredFile, begin: int, end: int, label: str, faults: Faults) -> None:
        self._file = file
        self._begin = self._position = begin
        self._wrong = faults.next_wrong_byte(label, begin, end)
        self._stall = faults.next_stall(label)
        self._pace = faults.bytes_per_second if file.large else None
        drop = faults.next_drop(label)
        self.broken = drop is not None and begin + drop < end
        self._end = begin + drop if drop is not None and self.broken else end

    async def next_chunk(self) -> bytes:
        """The next bytes; empty at the end or where the connection breaks."""
        if self._stall and self._position - self._begin >= self._stall[0]:
            seconds, self._stall = self._stall[1], None
            await _pause(seconds)
        length = min(self._end - self._position, _CHUNK_BYTES)
        if self._pace:
            length = min(length, max(int(self._pace * _STEP_SECONDS), 1))
        if self._stall:
            until_stall = self._begin + self._stall[0] - self._position
            length = min(length, max(until_stall, 1))
        chunk = await asyncio.to_thread(self._read, length)
        if self._pace:
            await _pause(len(chunk) / self._pace)
        return chunk

    def _read(self, length: int) -> bytes:
        with self._file.path.open("rb") as file:
            file.seek(self._position)
            chunk = bytearray(file.read(length))
        if self._wrong is not None and 0 <= self._wrong - self._position < len(chunk):
            chunk[self._wrong - self._position] ^= 0xFF
        self._position += len(chunk)
        return bytes(chunk)


async def _pause(seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(asyncio.Event().wait(), seconds)
