"""I/O: /livez, /readyz and /metrics over HTTP, from the same loop as the work.

So a blocked loop does not answer, and the kubelet restarts the process. The only importer of an
HTTP server.
"""

import asyncio
import os
from collections.abc import Callable

from aiohttp import web

from quantized_model_operator.metrics import CONTENT_TYPE
from quantized_model_operator.shell.health import Health

OK = 200
UNAVAILABLE = 503


class ListenError(Exception):
    """The port cannot be had."""

    def __init__(self, host: str, port: int, error: OSError) -> None:
        cause = os.strerror(error.errno or 0)
        super().__init__(f"cannot listen on QMO_HTTP_PORT {port} of {host}: {cause}")


class HealthServer:
    """Serves until it is closed."""

    def __init__(self, health: Health, exposition: Callable[[], Callable[[], bytes]]) -> None:
        """``exposition`` reads the process in the loop; what it returns may run in a thread."""
        self._health = health
        self._exposition = exposition
        self._runner: web.AppRunner | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen; the port, which the system chooses when it was 0.

        Raises:
            ListenError: the port cannot be had.
        """
        app = web.Application()
        app.router.add_get("/livez", self._live)
        app.router.add_get("/readyz", self._ready)
        app.router.add_get("/metrics", self._metrics)
        self._runner = web.AppRunner(
            app, access_log=None, handle_signals=False, shutdown_timeout=0.5
        )
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, host, port).start()
        except OSError as error:
            raise ListenError(host, port, error) from error
        return int(self._runner.addresses[0][1])

    async def close(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _live(self, _: web.Request) -> web.Response:
        return _answer(self._health.live_problems(), self._health.role.value)

    async def _ready(self, _: web.Request) -> web.Response:
        return _answer(self._health.ready_problems(), self._health.role.value)

    async def _metrics(self, _: web.Request) -> web.Response:
        body = await asyncio.to_thread(self._exposition())
        response = web.Response(body=body, headers={"Content-Type": CONTENT_TYPE})
        response.enable_compression()
        return response


def _answer(problems: list[str], role: str) -> web.Response:
    if problems:
        return web.Response(status=UNAVAILABLE, text="\n".join([*problems, ""]))
    return web.Response(status=OK, text=f"ok: {role}\n")
