"""Whatever goes wrong, a reflector ends with what the server has, and has told it all."""

import asyncio
import random
from collections.abc import Callable

import pytest

from quantized_model_operator.cluster.kinds import SERVICE
from quantized_model_operator.cluster.object_cache import Change, ObjectCache
from quantized_model_operator.cluster.pacing import pause
from quantized_model_operator.cluster.reflector import Reflector
from shell.cluster.clients import client_of, until
from shell.cluster.fake_api_server import FakeApiServer

pytestmark = pytest.mark.shell

SERVICES = "/api/v1/services"
NAMES = tuple(f"otter-{number}" for number in range(6))


class Chaos:
    """Changes of the server and troubles on the way, drawn by chance."""

    def __init__(self, server: FakeApiServer, seed: int) -> None:
        self.server = server
        self.chance = random.Random(seed)  # noqa: S311 - a test that can be repeated
        self.alive: dict[str, int] = {}

    def change(self) -> None:
        """Create, change or delete one object."""
        name = self.chance.choice(NAMES)
        if name in self.alive and self.chance.random() < 0.4:
            self.server.remove(SERVICES, "zoo", name)
            del self.alive[name]
            return
        self.alive[name] = self.alive.get(name, 0) + 1
        body = {"metadata": {"namespace": "zoo", "name": name}, "spec": {"turn": self.alive[name]}}
        self.server.put(SERVICES, body)

    def trouble(self) -> None:
        """Let something go wrong."""
        troubles = self._troubles()
        troubles[self.chance.choice(sorted(troubles))]()

    def _troubles(self) -> dict[str, Callable[[], None]]:
        expired = {"type": "ERROR", "object": {"code": 410, "reason": "Expired"}}
        unknown = {"type": "ERROR", "object": {"code": 500, "message": "etcd is away"}}
        return {
            "end": self.server.end_watches,
            "unknown": lambda: self.server.end_watches(unknown),
            "expired": lambda: self.server.end_watches(expired),
            "compaction": self._compact,
            "silence": self._silence,
            "watch": lambda: self.server.fail("WATCH", self.chance.choice([410, 429, 500])),
            "list": lambda: self.server.fail("GET", self.chance.choice([403, 429, 503])),
            "bookmark": self.server.bookmark,
            "nothing": lambda: None,
        }

    def _compact(self) -> None:
        self.server.end_watches()
        self.server.forget_history()

    def _silence(self) -> None:
        for watch in self.server.watches:
            watch.silent = True


@pytest.mark.parametrize("seed", range(8))
async def test_the_end_is_what_the_server_has(server: FakeApiServer, seed: int) -> None:
    """After random changes and troubles, the cache and all that was told agree with the server."""
    told: set[str] = set()

    def on_change(change: Change) -> None:
        (told.discard if change.gone else told.add)(change.entry.name)

    chaos, cache, stop = Chaos(server, seed), ObjectCache(), asyncio.Event()
    async with client_of(server.url, silence_seconds=0.3) as client:
        reflector = Reflector(
            client=client,
            resource=SERVICE,
            cache=cache,
            on_change=on_change,
            retry_base_seconds=0.005,
        )
        task = asyncio.create_task(reflector.run(stop))
        for _ in range(40):
            for _ in range(chaos.chance.randrange(4)):
                chaos.change()
            chaos.trouble()
            await pause(chaos.chance.random() * 0.03, stop)

        def agrees() -> bool:
            turns = {entry.name: entry.body()["spec"]["turn"] for entry in cache}
            return turns == chaos.alive and told == set(chaos.alive)

        await until(agrees, seconds=10)
        assert not task.done()
        task.cancel()
        await asyncio.wait({task})
