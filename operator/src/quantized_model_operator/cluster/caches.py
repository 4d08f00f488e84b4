"""I/O: one cache and reflector for each kind the operator looks at, and whom a change concerns."""

import asyncio
from collections.abc import Callable, Iterable, Sequence

from quantized_model_operator.cluster.api_client import ApiClient
from quantized_model_operator.cluster.kinds import (
    CLAIM,
    CONFIG_MAP,
    DEPLOYMENT,
    JOB,
    MANAGED_SELECTOR,
    NODE,
    POD,
    RECORD_SELECTOR,
    SERVICE,
    Resource,
)
from quantized_model_operator.cluster.model_store import ModelStore
from quantized_model_operator.cluster.object_cache import (
    Change,
    ObjectCache,
    Slim,
    without_managed_fields,
)
from quantized_model_operator.cluster.parsing import node_from, slim_claim, slim_node, slim_pod
from quantized_model_operator.cluster.reflector import Reflector
from quantized_model_operator.domain.cluster_state import ModelKey, ObservedNode

CAPACITY_DELAY_SECONDS = 0.5
"""Nodes come in bursts; models that wait for capacity look once after each."""


class ClusterCaches:
    """Everything but the models themselves, by kind."""

    def __init__(
        self,
        *,
        client: ApiClient,
        namespaces: Sequence[str],
        models: ModelStore,
        on_change: Callable[[ModelKey], None],
    ) -> None:
        self.deployments = ObjectCache()
        self.services = ObjectCache()
        self.jobs = ObjectCache()
        self.records = ObjectCache()
        self.pods = ObjectCache()
        self.claims = ObjectCache()
        self.nodes = ObjectCache()
        self._client = client
        self._namespaces = tuple(namespaces) or ("",)
        self._models = models
        self._on_change = on_change
        self._observed_nodes: tuple[ObservedNode, ...] | None = None
        self._capacity_timer: asyncio.TimerHandle | None = None
        self._reflectors = tuple(self._build_reflectors())

    def of_kind(self, kind: str) -> ObjectCache:
        """The cache of a kind that is applied."""
        return {
            DEPLOYMENT.kind: self.deployments,
            SERVICE.kind: self.services,
            JOB.kind: self.jobs,
            CONFIG_MAP.kind: self.records,
        }[kind]

    def observed_nodes(self) -> tuple[ObservedNode, ...]:
        """All nodes, parsed once after each change: every reconcile looks at all of them."""
        if self._observed_nodes is None:
            self._observed_nodes = tuple(
                node_from(entry.body()) for entry in sorted(self.nodes, key=lambda e: e.name)
            )
        return self._observed_nodes

    async def run(self, stop: asyncio.Event) -> None:
        """Follow the cluster until cancelled; an exception here is a defect, not an outage."""
        try:
            async with asyncio.TaskGroup() as group:
                for reflector in self._reflectors:
                    group.create_task(reflector.run(stop), name=f"reflector {reflector.name}")
        finally:
            if self._capacity_timer is not None:
                self._capacity_timer.cancel()

    async def wait_synced(self) -> None:
        """Return once every first list is complete."""
        for reflector in self._reflectors:
            await reflector.synced.wait()

    @property
    def synced(self) -> bool:
        """Whether every first list is complete."""
        return all(reflector.synced.is_set() for reflector in self._reflectors)

    def silent_seconds(self) -> dict[str, float]:
        """For each watch the age of the last thing it heard, for liveness and metrics."""
        return {reflector.name: reflector.silent_seconds() for reflector in self._reflectors}

    def sizes(self) -> dict[str, int]:
        """Number of cached objects by kind."""
        return {
            DEPLOYMENT.kind: len(self.deployments),
            SERVICE.kind: len(self.services),
            JOB.kind: len(self.jobs),
            CONFIG_MAP.kind: len(self.records),
            POD.kind: len(self.pods),
            CLAIM.kind: len(self.claims),
            NODE.kind: len(self.nodes),
        }

    def _build_reflectors(self) -> Iterable[Reflector]:
        for namespace in self._namespaces:
            for resource in (DEPLOYMENT, SERVICE, JOB):
                cache = self.of_kind(resource.kind)
                yield self._reflector(
                    resource, cache, namespace, self._of_model, selector=MANAGED_SELECTOR
                )
            yield self._reflector(
                CONFIG_MAP, self.records, namespace, self._of_record, selector=RECORD_SELECTOR
            )
            yield self._reflector(
                POD, self.pods, namespace, self._of_model, selector=MANAGED_SELECTOR, slim=slim_pod
            )
            yield self._reflector(CLAIM, self.claims, namespace, self._of_claim, slim=slim_claim)
        yield self._reflector(NODE, self.nodes, "", self._of_node, slim=slim_node)

    def _reflector(
        self,
        resource: Resource,
        cache: ObjectCache,
        namespace: str,
        on_change: Callable[[Change], None],
        *,
        selector: str = "",
        slim: Slim = without_managed_fields,
    ) -> Reflector:
        return Reflector(
            client=self._client,
            resource=resource,
            cache=cache,
            on_change=on_change,
            namespace=namespace,
            selector=selector,
            slim=slim,
        )

    def _of_model(self, change: Change) -> None:
        if change.entry.model:
            self._on_change(change.entry.model_key)

    def _of_record(self, change: Change) -> None:
        for key in self._models.keys_of_record(*change.entry.key):
            self._on_change(key)

    def _of_claim(self, change: Change) -> None:
        for key in self._models.not_ready_keys():
            if key.namespace == change.entry.namespace:
                self._on_change(key)

    def _of_node(self, _change: Change) -> None:
        self._observed_nodes = None
        if self._capacity_timer is None:
            self._capacity_timer = asyncio.get_running_loop().call_later(
                CAPACITY_DELAY_SECONDS, self._capacity_changed
            )

    def _capacity_changed(self) -> None:
        self._capacity_timer = None
        for key in self._models.not_ready_keys():
            self._on_change(key)
