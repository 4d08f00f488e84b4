"""Pure: objects as the API server has them -> what is kept of them -> observed values."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from quantized_model_operator.domain.cluster_state import (
    ContainerEnd,
    ObservedClaim,
    ObservedContainer,
    ObservedNode,
    ObservedPod,
)
from quantized_model_operator.domain.timestamps import parse_time

Json = Mapping[str, Any]

_POD_METADATA = ("namespace", "name", "uid", "labels", "creationTimestamp", "deletionTimestamp")
_POD_STATUS = (
    "phase",
    "reason",
    "message",
    "conditions",
    "containerStatuses",
    "initContainerStatuses",
)
_CONDITION = ("type", "status", "reason", "message")


def slim_pod(body: Json) -> Json:
    """What ``pod_from`` reads; a tenth of a pod, and unchanged by most of its updates."""
    metadata = _only(body["metadata"], _POD_METADATA)
    metadata["ownerReferences"] = [
        owner for owner in body["metadata"].get("ownerReferences") or () if owner.get("controller")
    ]
    spec, status = body.get("spec") or {}, _only(body.get("status") or {}, _POD_STATUS)
    status["conditions"] = [_slim_condition(item) for item in status.get("conditions") or ()]
    containers = {
        group: [_slim_container(item) for item in spec.get(group) or ()]
        for group in ("initContainers", "containers")
    }
    kept = {"nodeName": spec.get("nodeName", ""), **containers}
    return {"metadata": metadata, "spec": kept, "status": status}


def slim_node(body: Json) -> Json:
    """What ``node_from`` reads: no images, addresses or heartbeats."""
    spec, status = body.get("spec") or {}, body.get("status") or {}
    return {
        "metadata": _only(body["metadata"], ("name", "labels")),
        "spec": _only(spec, ("unschedulable", "taints")),
        "status": {
            "allocatable": status.get("allocatable") or {},
            "conditions": [
                _only(item, ("type", "status"))
                for item in status.get("conditions") or ()
                if item.get("type") == "Ready"
            ],
        },
    }


def slim_claim(body: Json) -> Json:
    """What ``claim_from`` reads."""
    return {
        "metadata": _only(body["metadata"], ("name", "uid")),
        "spec": _only(body.get("spec") or {}, ("accessModes",)),
        "status": _only(body.get("status") or {}, ("phase", "accessModes")),
    }


def node_from(body: Json) -> ObservedNode:
    """The node as far as placement cares."""
    spec, status = body.get("spec") or {}, body.get("status") or {}
    ready = _condition(status, "Ready").get("status") == "True"
    return ObservedNode(
        name=body["metadata"]["name"],
        labels=body["metadata"].get("labels") or {},
        allocatable=status.get("allocatable") or {},
        schedulable=ready and not spec.get("unschedulable", False),
        reports=ready,
        taints=tuple(
            (taint.get("key", ""), taint.get("value", ""), taint.get("effect", ""))
            for taint in spec.get("taints") or ()
        ),
    )


def claim_from(body: Json) -> ObservedClaim:
    """The claim; access modes of the bound volume, else the ones asked for."""
    spec, status = body.get("spec") or {}, body.get("status") or {}
    return ObservedClaim(
        name=body["metadata"]["name"],
        uid=body["metadata"].get("uid", ""),
        phase=status.get("phase") or "Pending",
        access_modes=tuple(status.get("accessModes") or spec.get("accessModes") or ()),
    )


def pod_from(body: Json) -> ObservedPod:
    """The pod with its containers, init containers first."""
    metadata, status = body["metadata"], body.get("status") or {}
    owner: Json = next(
        (o for o in metadata.get("ownerReferences") or () if o.get("controller")), {}
    )
    return ObservedPod(
        name=metadata["name"],
        uid=metadata.get("uid", ""),
        labels=metadata.get("labels") or {},
        phase=status.get("phase") or "Pending",
        reason=status.get("reason") or "",
        message=status.get("message") or "",
        node_name=(body.get("spec") or {}).get("nodeName") or "",
        created_at=time_from(metadata.get("creationTimestamp")) or _EPOCH,
        deleting=metadata.get("deletionTimestamp") is not None,
        ready=_condition(status, "Ready").get("status") == "True",
        unschedulable_message=_unschedulable_message(status),
        owner_uid=owner.get("uid", ""),
        job_name=owner.get("name", "") if owner.get("kind") == "Job" else "",
        containers=(
            *_containers(body, "initContainers", "initContainerStatuses", init=True),
            *_containers(body, "containers", "containerStatuses", init=False),
        ),
        devices=_devices(body.get("spec") or {}),
        scheduled_at=_scheduled_at(status),
        prepared=_condition(status, "PodReadyToStartContainers").get("status") != "False",
    )


def devices_by_node(pods: Iterable[ObservedPod]) -> dict[str, dict[str, int]]:
    """What pods that have a node and have not ended hold of its extended resources."""
    taken: dict[str, Counter[str]] = {}
    for pod in pods:
        if pod.node_name and pod.phase not in _ENDED_PHASES:
            taken.setdefault(pod.node_name, Counter()).update(pod.devices)
    return {node: dict(counts) for node, counts in taken.items() if counts}


def claim_names(model: Mapping[str, Any]) -> frozenset[str]:
    """Names of the claims that a model's spec refers to, wherever they stand in it."""
    return frozenset(_claim_names(model.get("spec") or {}))


def time_from(text: str | None) -> datetime | None:
    """The time in a Kubernetes timestamp, in UTC; ``None`` when there is none."""
    return parse_time(text).astimezone(UTC) if text else None


_EPOCH = datetime.fromtimestamp(0, UTC)
_ENDED_PHASES = frozenset({"Succeeded", "Failed"})


def _slim_condition(condition: Json) -> Json:
    """Times of the others change without news."""
    since = ("lastTransitionTime",) if condition.get("type") == "PodScheduled" else ()
    return _only(condition, (*_CONDITION, *since))


def _slim_container(body: Json) -> Json:
    devices = _limits_of_devices(body)
    return {"name": body["name"], **({"resources": {"limits": devices}} if devices else {})}


def _limits_of_devices(container: Json) -> dict[str, str]:
    """Limits of extended resources, which alone have a ``/`` in their name."""
    limits = (container.get("resources") or {}).get("limits") or {}
    return {name: str(amount) for name, amount in limits.items() if "/" in name}


def _devices(spec: Json) -> dict[str, int]:
    devices: Counter[str] = Counter()
    for container in spec.get("containers") or ():
        for name, amount in _limits_of_devices(container).items():
            devices[name] += int(amount) if amount.isdecimal() else 0
    return dict(devices)


def _containers(
    body: Json, group: str, statuses: str, *, init: bool
) -> Iterator[ObservedContainer]:
    by_name = {item["name"]: item for item in (body.get("status") or {}).get(statuses) or ()}
    for spec in (body.get("spec") or {}).get(group) or ():
        yield _container(spec["name"], by_name.get(spec["name"]) or {}, init=init)


def _container(name: str, status: Json, *, init: bool) -> ObservedContainer:
    state, last = status.get("state") or {}, status.get("lastState") or {}
    waiting = state.get("waiting") or {}
    return ObservedContainer(
        name=name,
        init=init,
        ready=bool(status.get("ready", False)),
        started="running" in state and bool(status.get("started", False)),
        restart_count=int(status.get("restartCount", 0)),
        waiting_reason=waiting.get("reason") or "",
        waiting_message=waiting.get("message") or "",
        end=_end(state.get("terminated")),
        last_end=_end(last.get("terminated")),
    )


def _end(terminated: Json | None) -> ContainerEnd | None:
    if not terminated:
        return None
    return ContainerEnd(
        exit_code=int(terminated.get("exitCode", 0)),
        reason=terminated.get("reason") or "",
        message=terminated.get("message") or "",
        finished_at=time_from(terminated.get("finishedAt")),
        started_at=time_from(terminated.get("startedAt")),
    )


def _unschedulable_message(status: Json) -> str:
    scheduled = _condition(status, "PodScheduled")
    return scheduled.get("message") or "" if scheduled.get("status") == "False" else ""


def _scheduled_at(status: Json) -> datetime | None:
    scheduled = _condition(status, "PodScheduled")
    is_scheduled = scheduled.get("status") == "True"
    return time_from(scheduled.get("lastTransitionTime")) if is_scheduled else None


def _condition(status: Json, kind: str) -> Json:
    return next((c for c in status.get("conditions") or () if c.get("type") == kind), {})


def _only(body: Json, keys: tuple[str, ...]) -> dict[str, Any]:
    return {key: body[key] for key in keys if key in body}


def _claim_names(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key == "claimName" and isinstance(item, str):
                yield item
            elif key == "uri" and isinstance(item, str) and item.startswith("pvc://"):
                yield item.removeprefix("pvc://").partition("/")[0]
            else:
                yield from _claim_names(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _claim_names(item)
