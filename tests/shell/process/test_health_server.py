"""Health and metrics over HTTP."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import aiohttp
import pytest

from quantized_model_operator.shell.health import Health, Role, Signs
from quantized_model_operator.shell.health_server import HealthServer, ListenError

pytestmark = pytest.mark.shell


@dataclass
class Served:
    """A server with the health it shows."""

    health: Health
    server: HealthServer
    session: aiohttp.ClientSession
    port: int
    now: list[float]

    async def get(self, path: str) -> tuple[int, str, str]:
        """Status, type and text of an answer."""
        async with self.session.get(f"http://127.0.0.1:{self.port}{path}") as answer:
            return answer.status, answer.headers["Content-Type"], await answer.text()


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    """A running server of a healthy leader."""
    now = [0.0]
    signs = Signs(watch_age_seconds={}, oldest_reconcile_seconds=0.0, unsynced=("Pod",))
    health = Health(lambda: signs, clock=lambda: now[0], reconcile_deadline_seconds=60.0)
    server = HealthServer(health, lambda: lambda: b"some_metric 1.0\n")
    port = await server.start("127.0.0.1", 0)
    async with aiohttp.ClientSession() as session:
        yield Served(health, server, session, port, now)
    await server.close()


async def test_probes_answer_with_reasons(served: Served) -> None:
    """A yes is 200 with the role; a no is 503 with one line for each reason."""
    served.health.role = Role.LEADING
    assert await served.get("/livez") == (200, "text/plain; charset=utf-8", "ok: leading\n")
    status, _, text = await served.get("/readyz")
    assert (status, text) == (503, "the cache of Pod is not complete\n")
    served.now[0] = 20.0
    status, _, text = await served.get("/livez")
    assert (status, text) == (503, "the event loop has been blocked for 20 s\n")


async def test_metrics_have_the_type_that_prometheus_asks_for(served: Served) -> None:
    """The exposition is served in Prometheus' text format, with its version."""
    status, content_type, text = await served.get("/metrics")
    assert (status, text) == (200, "some_metric 1.0\n")
    assert content_type == "text/plain; version=0.0.4; charset=utf-8"


async def test_nothing_else_is_served(served: Served) -> None:
    """Other paths are 404 and other methods 405."""
    assert (await served.get("/"))[0] == 404
    async with served.session.post(f"http://127.0.0.1:{served.port}/livez") as answer:
        assert answer.status == 405


async def test_a_taken_port_is_an_error_of_its_own(served: Served) -> None:
    """A port that somebody else has is told with its number."""
    other = HealthServer(served.health, lambda: lambda: b"")
    with pytest.raises(ListenError, match=f"cannot listen on QMO_HTTP_PORT {served.port} of"):
        await other.start("127.0.0.1", served.port)
    await other.close()
