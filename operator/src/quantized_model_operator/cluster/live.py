"""I/O: the gateway to a real cluster: reads come from caches, writes only where they differ."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from quantized_model_operator.cluster.api_client import ApiClient
from quantized_model_operator.cluster.api_errors import NotFoundError
from quantized_model_operator.cluster.applier import Applier
from quantized_model_operator.cluster.caches import ClusterCaches
from quantized_model_operator.cluster.encoding import loads
from quantized_model_operator.cluster.event_recorder import EventRecorder
from quantized_model_operator.cluster.gateway import Gateway, ModelEvent
from quantized_model_operator.cluster.kinds import CHILDREN, MODEL
from quantized_model_operator.cluster.log_tails import LogTails
from quantized_model_operator.cluster.model_store import ModelStore
from quantized_model_operator.cluster.object_cache import Entry
from quantized_model_operator.cluster.parsing import (
    claim_from,
    claim_names,
    devices_by_node,
    pod_from,
)
from quantized_model_operator.cluster.start_logs import StartLogs
from quantized_model_operator.cluster.status_writer import StatusWriter
from quantized_model_operator.domain.child_objects import (
    AppliedObjects,
    DesiredObjects,
    key_of,
)
from quantized_model_operator.domain.cluster_state import (
    ModelKey,
    ObjectKey,
    Observed,
    ObservedClaim,
    ObservedPod,
)
from quantized_model_operator.domain.engine_start import recorded_engine, started_pod
from quantized_model_operator.domain.outcome import NotYetError

GONE_RETRY_SECONDS = 1.0
"""Until a successor of the same name, if there is one, has been heard."""


class LiveGateway(Gateway):
    """One cluster; ``run`` follows it, the rest is the protocol."""

    def __init__(
        self,
        *,
        client: ApiClient,
        models: ModelStore,
        on_change: Callable[[ModelKey], None],
        clock: Callable[[], datetime],
        identity: str,
        namespaces: Sequence[str] = (),
    ) -> None:
        self.models = models
        self.caches = ClusterCaches(
            client=client, namespaces=namespaces, models=models, on_change=on_change
        )
        self._client = client
        self._applier = Applier(client, self.caches)
        self._statuses = StatusWriter(client, models, clock)
        self._events = EventRecorder(client=client, identity=identity, clock=clock)
        self._logs = LogTails(client)
        self._starts = StartLogs(client)
        self._conflicts: dict[ModelKey, tuple[str, Mapping[ObjectKey, str]]] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Keep the caches up to date until cancelled."""
        await self.caches.run(stop)

    async def observe(self, key: ModelKey) -> Observed | None:
        """See ``Gateway.observe``."""
        model = self.models.get(key)
        if model is None or "deletionTimestamp" in model["metadata"]:
            self._forget(key)
            return None
        uid = str(model["metadata"]["uid"])
        pods = tuple(pod_from(entry.body()) for entry in self.caches.pods.of_model(key))
        logs = await self._logs.of(key.namespace, pods)
        recorded = str(recorded_engine(model).get("revision", ""))
        start = await self._starts.of(key, started_pod(pods), recorded)
        conflicts_of_uid, conflicts = self._conflicts.get(key, ("", {}))
        return Observed(
            key=key,
            model=model,
            children=self._children(uid),
            records=self._records(key.namespace),
            pods=pods,
            claims=self._claims(key.namespace, model),
            nodes=self.caches.observed_nodes(),
            logs=logs,
            devices_taken=self._devices_taken(pods),
            start=start,
            conflicts=conflicts if conflicts_of_uid == uid else {},
        )

    async def apply(self, observed: Observed, desired: DesiredObjects) -> AppliedObjects:
        """See ``Gateway.apply``."""
        if self._lacks_what_was_served(observed, desired):
            await self._confirm_model(observed)
        applied = await self._applier.apply(observed, desired)
        if applied.conflicts:
            self._conflicts[observed.key] = (observed.uid, applied.conflicts)
        else:
            self._conflicts.pop(observed.key, None)
        return applied

    async def write_status(self, observed: Observed, status: Mapping[str, Any]) -> bool:
        """See ``Gateway.write_status``."""
        return await self._statuses.write(observed, status)

    async def emit_event(self, observed: Observed, event: ModelEvent) -> None:
        """See ``Gateway.emit_event``."""
        await self._events.emit(observed, event)

    def _lacks_what_was_served(self, observed: Observed, desired: DesiredObjects) -> bool:
        """A child is to be made anew, not for the first time."""
        was_served = "url" in (observed.model.get("status") or {})
        wanted = {key_of(item) for item in (desired.deployment, desired.service) if item}
        return was_served and not wanted <= {*observed.children, *observed.conflicts}

    async def _confirm_model(self, observed: Observed) -> None:
        """Raise ``NotYetError`` when the model is gone and its children went with it.

        After a gap of the watches its own deletion may be heard last. To make its children anew
        would be a race with the garbage collector, without end.
        """
        try:
            found = loads(await self._client.get(MODEL, *observed.key))
        except NotFoundError:
            found = None
        if found is not None and found["metadata"]["uid"] == observed.uid:
            return
        if self.models.uid(observed.key) == observed.uid:
            self.models.drop(observed.key)
            self._forget(observed.key)
        raise NotYetError(f"the model {observed.key} is gone", GONE_RETRY_SECONDS)

    def _forget(self, key: ModelKey) -> None:
        self._conflicts.pop(key, None)
        self._statuses.forget(key)
        self._starts.forget(key)

    def _children(self, uid: str) -> dict[ObjectKey, Mapping[str, Any]]:
        return {
            ObjectKey(resource.kind, entry.name): entry.body()
            for resource in CHILDREN
            for entry in self.caches.of_kind(resource.kind).of_owner(uid)
        }

    def _devices_taken(self, pods: Sequence[ObservedPod]) -> Mapping[str, Mapping[str, int]]:
        """Parsing all pods costs something, so only when somebody has to be told."""
        if not any(pod.unschedulable_message for pod in pods):
            return {}
        return devices_by_node(pod_from(entry.body()) for entry in self.caches.pods)

    def _records(self, namespace: str) -> "ParsedOnDemand":
        records = self.caches.records
        return ParsedOnDemand({e.name: e for e in records if e.namespace == namespace})

    def _claims(self, namespace: str, model: Mapping[str, Any]) -> dict[str, ObservedClaim]:
        entries = {name: self.caches.claims.get(namespace, name) for name in claim_names(model)}
        return {
            name: claim_from(entry.body()) for name, entry in entries.items() if entry is not None
        }


class ParsedOnDemand(Mapping[str, Mapping[str, Any]]):
    """Cached objects by name as they were at one moment, each parsed when it is looked at.

    A namespace may hold a thousand records, of which a reconcile reads one.
    """

    def __init__(self, entries: Mapping[str, Entry]) -> None:
        self._entries = entries

    def __getitem__(self, name: str) -> Mapping[str, Any]:
        """The object of this name; ``KeyError``."""
        return self._entries[name].body()

    def __iter__(self) -> Iterator[str]:
        """The names."""
        return iter(self._entries)

    def __len__(self) -> int:
        """How many there are."""
        return len(self._entries)
