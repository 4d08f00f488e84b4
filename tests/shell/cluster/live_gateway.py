"""A live gateway on the fake API server, and a pod for it."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from e2e.manifests import labels
from quantized_model_operator.cluster.api_client import ApiClient
from quantized_model_operator.cluster.kinds import MODEL, POD
from quantized_model_operator.cluster.live import LiveGateway
from quantized_model_operator.cluster.model_store import ModelStore
from quantized_model_operator.domain.cluster_state import ModelKey, Observed
from shell.cluster.clients import until
from shell.cluster.fake_api_server import FakeApiServer

OTTER = ModelKey("zoo", "otter")
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def record_names(_: Mapping[str, Any]) -> Collection[str]:
    """All models refer to one record."""
    return ("record-0a1b",)


class Bench:
    """A running gateway, and the keys that it enqueued."""

    def __init__(self, server: FakeApiServer, client: ApiClient) -> None:
        self.server = server
        self.changed: list[ModelKey] = []
        self.gateway = LiveGateway(
            client=client,
            models=ModelStore(record_names),
            on_change=self.changed.append,
            clock=lambda: NOW,
            identity="test",
        )

    def put_model(
        self, name: str, ready: str = "False", status: Mapping[str, Any] | None = None
    ) -> None:
        """A model that kopf has told of; without ``status`` with one condition."""
        status = status or {"conditions": [{"type": "Ready", "status": ready}]}
        body = {
            "apiVersion": MODEL.api_version,
            "kind": MODEL.kind,
            "metadata": {"namespace": "zoo", "name": name, "generation": 1},
            "spec": {"model": {"uri": "pvc://weights/a"}},
            "status": status,
        }
        self.gateway.models.put(self.server.put(MODEL.collection(), body))

    async def seen(self) -> Observed:
        """What the gateway sees of the otter."""
        observed = await self.gateway.observe(OTTER)
        assert observed is not None
        return observed

    async def heard_pod(self, body: dict[str, Any]) -> None:
        """Put a pod and wait until it is heard."""
        version = int(self.server.put(POD.collection(), body)["metadata"]["resourceVersion"])
        cache = self.gateway.caches.pods

        def heard() -> bool:
            entry = cache.get("zoo", body["metadata"]["name"])
            return entry is not None and entry.version >= version

        await until(heard)


@asynccontextmanager
async def running(bench: Bench) -> AsyncIterator[Bench]:
    """The gateway with synced caches and open watches; it must not end by itself."""
    task = asyncio.create_task(bench.gateway.run(asyncio.Event()))
    async with asyncio.timeout(5):
        await bench.gateway.caches.wait_synced()
    await until(lambda: len(bench.server.watches) == 7)
    yield bench
    assert not task.done()
    task.cancel()
    await asyncio.wait({task})


def pod(state: str = "running", *, restarts: int = 0, init: bool = False, code: int = 1) -> Any:  # noqa: ANN401 - JSON
    """A serving pod with one container in a state, restarted so often."""
    group = "initContainers" if init else "containers"
    terminated = {"terminated": {"exitCode": code, "reason": "Error"}}
    status: dict[str, Any] = {
        "name": "engine",
        "restartCount": restarts,
        "state": {"running": {}} if state == "running" else terminated,
    }
    if restarts:
        status["lastState"] = terminated
    return {
        "metadata": {
            "namespace": "zoo",
            "name": "otter-1",
            "uid": "pod-uid",
            "labels": labels("otter"),
        },
        "spec": {group: [{"name": "engine"}]},
        "status": {"initContainerStatuses" if init else "containerStatuses": [status]},
    }
