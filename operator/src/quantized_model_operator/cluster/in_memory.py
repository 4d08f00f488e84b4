"""Pure: a cluster in memory, with the parts of server-side apply that the operator relies on.

It ships beside the real gateway and is held to the same contract. Effects are values in
``writes``. Nothing happens by itself: tests say what the controllers of a cluster would do.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from quantized_model_operator.cluster.compare import first_difference, with_applied_hash
from quantized_model_operator.cluster.gateway import Gateway, ModelEvent
from quantized_model_operator.cluster.in_memory_objects import ObjectStore, StoredObject
from quantized_model_operator.cluster.in_memory_pods import finished_pod
from quantized_model_operator.cluster.kinds import CHILDREN, CONFIG_MAP, JOB, MANAGER, MODEL
from quantized_model_operator.cluster.parsing import (
    claim_from,
    claim_names,
    devices_by_node,
    node_from,
    pod_from,
)
from quantized_model_operator.cluster.status_content import status_hash, with_transition_times
from quantized_model_operator.domain.child_objects import (
    AppliedObjects,
    DesiredObjects,
    Manifest,
    Removal,
    key_of,
)
from quantized_model_operator.domain.cluster_state import (
    EngineStart,
    LogKey,
    ModelKey,
    ObjectKey,
    Observed,
    ObservedClaim,
    ObservedNode,
    ObservedPod,
)
from quantized_model_operator.domain.engine_figures import engine_figures
from quantized_model_operator.domain.engine_start import recorded_engine, started_pod
from quantized_model_operator.domain.serving_pods import revision_of
from quantized_model_operator.domain.timestamps import format_time
from quantized_model_operator.domain.well_known import MODEL_LABEL, RECORD_LABEL

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Write:
    """One write that reached the cluster."""

    verb: str
    """``apply``, ``create``, ``delete`` or ``status``."""
    namespace: str
    key: ObjectKey


class InMemoryCluster(Gateway):
    """The fake gateway; methods beyond the protocol play the rest of the cluster."""

    def __init__(self, clock: Callable[[], datetime] = lambda: EPOCH) -> None:
        self.writes: list[Write] = []
        self.events: list[tuple[ModelKey, ModelEvent]] = []
        self._clock = clock
        self._models: dict[ModelKey, dict[str, Any]] = {}
        self._objects = ObjectStore(self._server_metadata)
        self._pods: dict[tuple[str, str], ObservedPod] = {}
        self._claims: dict[tuple[str, str], ObservedClaim] = {}
        self._nodes: dict[str, ObservedNode] = {}
        self._logs: dict[LogKey, str] = {}
        self._start_logs: dict[str, str] = {}
        self._conflicts: dict[str, Mapping[ObjectKey, str]] = {}
        self._counter = 0

    # The protocol

    async def observe(self, key: ModelKey) -> Observed | None:
        """See ``Gateway.observe``."""
        model = self._models.get(key)
        if model is None or "deletionTimestamp" in model["metadata"]:
            return None
        claims = {name: self._claims.get((key.namespace, name)) for name in claim_names(model)}
        pods = tuple(
            pod
            for (namespace, _), pod in sorted(self._pods.items())
            if namespace == key.namespace and pod.labels.get(MODEL_LABEL) == key.name
        )
        uids = {pod.uid for pod in pods}
        return Observed(
            key=key,
            model=copy.deepcopy(model),
            children=self._children(key.namespace, model["metadata"]["uid"]),
            records=self._records(key.namespace),
            pods=pods,
            claims={name: claim for name, claim in claims.items() if claim is not None},
            nodes=tuple(node for _, node in sorted(self._nodes.items())),
            logs={log: text for log, text in self._logs.items() if log.pod_uid in uids},
            devices_taken=devices_by_node(self._pods.values()),
            start=self._start(model, pods),
            conflicts=self._conflicts.get(model["metadata"]["uid"], {}),
        )

    async def apply(self, observed: Observed, desired: DesiredObjects) -> AppliedObjects:
        """See ``Gateway.apply``."""
        before = len(self.writes)
        objects: dict[ObjectKey, Manifest] = {}
        conflicts: dict[ObjectKey, str] = {}
        for manifest in desired.manifests():
            key = key_of(manifest)
            refusal = self._ensure(observed, key, manifest)
            if refusal:
                conflicts[key] = refusal
            else:
                objects[key] = self._objects.get(observed.key.namespace, key).body()
        for removal in desired.removals:
            self._remove(observed.key.namespace, removal)
        self._conflicts[observed.uid] = conflicts
        return AppliedObjects(
            objects=objects, writes=len(self.writes) - before, conflicts=conflicts
        )

    async def write_status(self, observed: Observed, status: Mapping[str, Any]) -> bool:
        """See ``Gateway.write_status``."""
        model = self._models.get(observed.key)
        if model is None or model["metadata"]["uid"] != observed.uid:
            return False
        cached = model.get("status") or {}
        if status_hash(cached) == status_hash(status):
            return False
        model["status"] = copy.deepcopy(with_transition_times(status, cached, self._clock()))
        self._wrote("status", observed.key.namespace, ObjectKey(MODEL.kind, observed.key.name))
        return True

    async def emit_event(self, observed: Observed, event: ModelEvent) -> None:
        """See ``Gateway.emit_event``."""
        if (observed.key, event) not in self.events:
            self.events.append((observed.key, event))

    # The user and the rest of the cluster

    def put_model(self, key: ModelKey, spec: Mapping[str, Any]) -> None:
        """Create a model, or change its spec as a user does."""
        model = self._models.get(key)
        if model is None:
            metadata = {"namespace": key.namespace, "name": key.name, "generation": 1}
            self._models[key] = {
                "apiVersion": MODEL.api_version,
                "kind": MODEL.kind,
                "metadata": {**metadata, **self._server_metadata()},
                "spec": copy.deepcopy(dict(spec)),
            }
        elif model["spec"] != spec:
            model["spec"] = copy.deepcopy(dict(spec))
            model["metadata"]["generation"] += 1

    def model(self, key: ModelKey) -> Mapping[str, Any]:
        """The model as it is now; ``KeyError``."""
        return copy.deepcopy(self._models[key])

    def delete_model(self, key: ModelKey) -> None:
        """Delete a model, and its children as the garbage collector does."""
        self._objects.collect(self._models.pop(key)["metadata"]["uid"])

    def put(self, body: Mapping[str, Any]) -> None:
        """Add a node, a claim, a pod or an object of somebody else, as a manifest."""
        namespace, kind = body["metadata"].get("namespace", ""), body["kind"]
        if kind == "Node":
            self._nodes[body["metadata"]["name"]] = node_from(body)
        elif kind == "PersistentVolumeClaim":
            self._claims[namespace, body["metadata"]["name"]] = claim_from(body)
        elif kind == "Pod":
            self.put_pod(namespace, pod_from(body))
        else:
            self.apply_as("somebody-else", body)

    def apply_as(self, manager: str, manifest: Mapping[str, Any]) -> None:
        """Apply with force under another manager's name, for example a foreign edit."""
        self._objects.apply(str(manifest["metadata"]["namespace"]), manifest, manager)

    def get(self, namespace: str, key: ObjectKey) -> Manifest | None:
        """An object as it is now."""
        stored = self._objects.find(namespace, key)
        return stored.body() if stored is not None else None

    def delete(self, namespace: str, key: ObjectKey) -> None:
        """Delete an object as somebody else; ``KeyError``."""
        self._objects.delete(namespace, key)

    def set_status(self, namespace: str, key: ObjectKey, status: Mapping[str, Any]) -> None:
        """Set the status of an object as its controller does."""
        self._objects.set_status(namespace, key, status)

    def put_pod(self, namespace: str, pod: ObservedPod) -> None:
        """Add or replace a pod."""
        self._pods[namespace, pod.name] = pod

    def put_log(self, key: LogKey, text: str) -> None:
        """Let a container that ended have left this log."""
        self._logs[key] = text

    def put_start_log(self, pod_uid: str, text: str) -> None:
        """Let vLLM in this pod have said this while it started."""
        self._start_logs[pod_uid] = text

    def finish_job(
        self, namespace: str, name: str, *, message: str = "", exit_code: int = 0
    ) -> ObservedPod:
        """End a Job: its pod leaves a termination message, its status says how it went."""
        key = ObjectKey(JOB.kind, name)
        now = self._clock()
        kind = "Failed" if exit_code else "Complete"
        condition = {"type": kind, "status": "True", "lastTransitionTime": format_time(now)}
        count = {"failed": 1} if exit_code else {"succeeded": 1}
        self._objects.set_status(namespace, key, {**count, "conditions": [condition]})
        job = self._objects.get(namespace, key).body()
        pod = finished_pod(job, self._new_uid(), message, exit_code, now)
        self.put_pod(namespace, pod)
        return pod

    # Inside

    def _start(self, model: Mapping[str, Any], pods: Sequence[ObservedPod]) -> EngineStart | None:
        pod = started_pod(pods)
        text = self._start_logs.get(pod.uid) if pod else None
        if pod is None or text is None:
            return None
        if revision_of(pod) == recorded_engine(model).get("revision"):
            return None
        return EngineStart(
            revision=revision_of(pod),
            pod=pod.name,
            node=pod.node_name,
            figures=engine_figures(text),
        )

    def _ensure(self, observed: Observed, key: ObjectKey, manifest: Manifest) -> str:
        """Make the manifest exist; the conflict when somebody else owns the name, else empty."""
        namespace = observed.key.namespace
        stored = self._objects.find(namespace, key)
        owner = "" if key.kind == CONFIG_MAP.kind else observed.uid
        if stored is not None and stored.controller_uid not in ("", owner):
            return f"{key.kind} {key.name} belongs to the owner with uid {stored.controller_uid}"
        if key.kind == JOB.kind:
            return self._ensure_job(namespace, key, manifest, stored)
        marked = with_applied_hash(manifest)
        if stored is not None:
            if first_difference(marked, stored.body()) is None:
                return ""
            conflicts = stored.owned.conflicts(marked, MANAGER)
            if conflicts and stored.controller_uid != owner:
                return "; ".join(conflicts)
        self._objects.apply(namespace, marked, MANAGER)
        self._wrote("apply", namespace, key)
        return ""

    def _ensure_job(
        self, namespace: str, key: ObjectKey, manifest: Manifest, stored: StoredObject | None
    ) -> str:
        if stored is None:
            self._objects.apply(namespace, manifest, MANAGER)
            self._wrote("create", namespace, key)
            return ""
        return "" if stored.controller_uid else f"Job {key.name} belongs to somebody else"

    def _remove(self, namespace: str, removal: Removal) -> None:
        stored = self._objects.find(namespace, removal.key)
        if stored is not None and stored.uid == removal.uid:
            self._objects.delete(namespace, removal.key)
            self._pods = {
                item: pod for item, pod in self._pods.items() if pod.owner_uid != removal.uid
            }
            self._wrote("delete", namespace, removal.key)

    def _children(self, namespace: str, uid: str) -> dict[ObjectKey, Manifest]:
        kinds = {resource.kind for resource in CHILDREN}
        return {
            key: stored.body()
            for key, stored in self._objects.of_namespace(namespace)
            if key.kind in kinds and stored.controller_uid == uid
        }

    def _records(self, namespace: str) -> dict[str, Manifest]:
        return {
            key.name: stored.body()
            for key, stored in self._objects.of_namespace(namespace)
            if key.kind == CONFIG_MAP.kind and stored.label(RECORD_LABEL)
        }

    def _wrote(self, verb: str, namespace: str, key: ObjectKey) -> None:
        self.writes.append(Write(verb, namespace, key))

    def _server_metadata(self) -> dict[str, Any]:
        return {"uid": self._new_uid(), "creationTimestamp": format_time(self._clock())}

    def _new_uid(self) -> str:
        self._counter += 1
        return f"00000000-0000-4000-8000-{self._counter:012d}"
