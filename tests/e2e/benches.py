"""The two clusters on which the contract of the gateway is checked, with the same handles."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from quantized_model_operator.cluster.api_client import ApiClient
from quantized_model_operator.cluster.api_errors import NotFoundError
from quantized_model_operator.cluster.connection import request_session, watch_session
from quantized_model_operator.cluster.encoding import compact, loads
from quantized_model_operator.cluster.gateway import Gateway
from quantized_model_operator.cluster.in_memory import InMemoryCluster
from quantized_model_operator.cluster.kinds import (
    APPLIED,
    CLAIM,
    EVENT,
    MODEL,
    NODE,
    POD,
    Resource,
)
from quantized_model_operator.cluster.kubeconfig import from_kubeconfig
from quantized_model_operator.cluster.live import LiveGateway
from quantized_model_operator.cluster.model_store import ModelStore
from quantized_model_operator.cluster.pacing import pause
from quantized_model_operator.cluster.transport import Transport
from quantized_model_operator.domain.cluster_state import ModelKey, ObjectKey

START = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
RESOURCES = {**APPLIED, **{resource.kind: resource for resource in (CLAIM, NODE, POD)}}


@dataclass
class SettableClock:
    """A clock that tests move."""

    now: datetime = START

    def __call__(self) -> datetime:
        """The time."""
        return self.now


class Bench(Protocol):
    """A cluster, its gateway, and what others do in it."""

    namespace: str
    clock: SettableClock

    @property
    def gateway(self) -> Gateway:
        """The gateway under test."""

    async def put_model(self, name: str, spec: Mapping[str, Any]) -> None:
        """Create a model or change its spec, and let the gateway know."""

    async def delete_model(self, name: str) -> None:
        """Delete a model, and let the gateway know."""

    async def apply_as(self, manager: str, manifest: Mapping[str, Any]) -> None:
        """Apply an object with force as somebody else."""

    async def put(self, body: Mapping[str, Any]) -> None:
        """Create an object of somebody else, its status included."""

    async def delete(self, key: ObjectKey) -> None:
        """Delete an object as somebody else."""

    async def get(self, key: ObjectKey) -> Mapping[str, Any] | None:
        """An object of the namespace as the cluster has it."""

    async def model(self, name: str) -> Mapping[str, Any]:
        """The model as the cluster has it."""

    async def events(self) -> list[str]:
        """Reasons of the events about models."""

    async def until(self, condition: Callable[[], Awaitable[bool]]) -> None:
        """Wait until the gateway has heard enough for the condition to hold."""


@dataclass
class InMemoryBench:
    """The fake."""

    cluster: InMemoryCluster
    clock: SettableClock
    namespace: str = "zoo"

    @property
    def gateway(self) -> Gateway:
        """The fake is its own gateway."""
        return self.cluster

    async def put_model(self, name: str, spec: Mapping[str, Any]) -> None:
        """See ``Bench``."""
        self.cluster.put_model(ModelKey(self.namespace, name), spec)

    async def delete_model(self, name: str) -> None:
        """See ``Bench``."""
        self.cluster.delete_model(ModelKey(self.namespace, name))

    async def apply_as(self, manager: str, manifest: Mapping[str, Any]) -> None:
        """See ``Bench``."""
        self.cluster.apply_as(manager, manifest)

    async def put(self, body: Mapping[str, Any]) -> None:
        """See ``Bench``."""
        self.cluster.put(body)

    async def delete(self, key: ObjectKey) -> None:
        """See ``Bench``."""
        self.cluster.delete(self.namespace, key)

    async def get(self, key: ObjectKey) -> Mapping[str, Any] | None:
        """See ``Bench``."""
        return self.cluster.get(self.namespace, key)

    async def model(self, name: str) -> Mapping[str, Any]:
        """See ``Bench``."""
        return self.cluster.model(ModelKey(self.namespace, name))

    async def events(self) -> list[str]:
        """See ``Bench``."""
        return [event.reason for _, event in self.cluster.events]

    async def until(self, condition: Callable[[], Awaitable[bool]]) -> None:
        """See ``Bench``; nothing happens later in memory."""
        assert await condition()


@dataclass
class LiveBench:
    """A real API server; what is done here goes past the gateway."""

    gateway: LiveGateway
    client: ApiClient
    transport: Transport
    namespace: str
    clock: SettableClock
    _never: asyncio.Event = field(default_factory=asyncio.Event)

    async def put_model(self, name: str, spec: Mapping[str, Any]) -> None:
        """See ``Bench``."""
        body = {**self._identity(MODEL, name), "spec": spec}
        answer = await self.client.apply(MODEL, body, manager="user", force=True)
        self.gateway.models.put(loads(answer))

    async def delete_model(self, name: str) -> None:
        """See ``Bench``."""
        uid = self.gateway.models.uid(ModelKey(self.namespace, name))
        await self.client.delete(MODEL, self.namespace, name, uid)
        self.gateway.models.drop(ModelKey(self.namespace, name))

    async def apply_as(self, manager: str, manifest: Mapping[str, Any]) -> None:
        """See ``Bench``."""
        await self.client.apply(APPLIED[manifest["kind"]], manifest, manager=manager, force=True)

    async def put(self, body: Mapping[str, Any]) -> None:
        """See ``Bench``."""
        resource = RESOURCES[body["kind"]]
        created = await self.client.create(resource, body, manager="somebody-else")
        if "status" in body:
            metadata = loads(created)["metadata"]
            path = resource.path(metadata.get("namespace", ""), metadata["name"])
            await self.transport.send(
                "PATCH",
                f"{path}/status",
                body=compact({"status": body["status"]}),
                content_type="application/merge-patch+json",
            )

    async def delete(self, key: ObjectKey) -> None:
        """See ``Bench``."""
        resource = RESOURCES[key.kind]
        body = loads(await self.client.get(resource, self.namespace, key.name))
        uid = body["metadata"]["uid"]
        await self.client.delete(resource, self.namespace, key.name, uid)

    async def get(self, key: ObjectKey) -> Mapping[str, Any] | None:
        """See ``Bench``."""
        try:
            body: dict[str, Any] = loads(
                await self.client.get(RESOURCES[key.kind], self.namespace, key.name)
            )
        except NotFoundError:
            return None
        return body

    async def model(self, name: str) -> Mapping[str, Any]:
        """See ``Bench``."""
        body: dict[str, Any] = loads(await self.client.get(MODEL, self.namespace, name))
        return body

    async def events(self) -> list[str]:
        """See ``Bench``."""
        pages = self.client.pages(EVENT.collection(self.namespace))
        items = [item async for page in pages for item in page["items"]]
        return [item["reason"] for item in items if item["involvedObject"]["kind"] == MODEL.kind]

    async def until(self, condition: Callable[[], Awaitable[bool]]) -> None:
        """See ``Bench``."""
        async with asyncio.timeout(30):
            while not await condition():
                await pause(0.02, self._never)

    def _identity(self, resource: Resource, name: str) -> dict[str, Any]:
        return {
            "apiVersion": resource.api_version,
            "kind": resource.kind,
            "metadata": {"namespace": self.namespace, "name": name},
        }


def in_memory_bench() -> InMemoryBench:
    """A new cluster in memory."""
    clock = SettableClock()
    return InMemoryBench(InMemoryCluster(clock), clock)


@asynccontextmanager
async def live_bench(
    kubeconfig: str, namespace: str, *, operator_kubeconfig: str = ""
) -> AsyncIterator[LiveBench]:
    """A new namespace of a real cluster, followed by a gateway of its own.

    With ``operator_kubeconfig`` the gateway has the rights that it gives, and no more.
    """
    async with (
        transport_of(kubeconfig) as transport,
        transport_of(operator_kubeconfig or kubeconfig) as operator_transport,
    ):
        manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
        await transport.send("POST", "/api/v1/namespaces", body=compact(manifest))
        clock = SettableClock()
        gateway = LiveGateway(
            client=ApiClient(operator_transport),
            models=ModelStore(lambda _: ()),
            on_change=lambda _: None,
            clock=clock,
            identity="contract",
            namespaces=(namespace,),
        )
        task = asyncio.create_task(gateway.run(asyncio.Event()))
        try:
            async with asyncio.timeout(20):
                await gateway.caches.wait_synced()
            yield LiveBench(gateway, ApiClient(transport), transport, namespace, clock)
            assert not task.done()
        finally:
            task.cancel()
            await asyncio.wait({task})
            await transport.send("DELETE", f"/api/v1/namespaces/{namespace}")


@asynccontextmanager
async def transport_of(kubeconfig: str) -> AsyncIterator[Transport]:
    """HTTP with the rights of a kubeconfig."""
    connection = from_kubeconfig(kubeconfig)
    async with request_session(connection) as session, watch_session(connection) as watches:
        transport = Transport(server=connection.server, session=session, watch_session=watches)
        yield transport
        transport.close()
