"""Pure: the stages that a model went through, with how long each took, from times in the API."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from quantized_model_operator.cluster.model_objects import ModelObjects
from quantized_model_operator.domain.timestamps import parse_time
from quantized_model_operator.domain.well_known import (
    COMPONENT_LABEL,
    FETCH_CONTAINER,
    SERVING_CONTAINER,
    Component,
)

Body = Mapping[str, Any]

DONE, RUNNING, FAILED = "done", "running", "failed"

_PULLED = re.compile(r"Successfully pulled image .* in ((?:\d+h)?(?:\d+m)?[\d.]+m?s)")
_PART = re.compile(r"([\d.]+)(h|ms|m|s)")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}

_NO_IMAGE = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull")
"""What the kubelet waits for when an image is not there."""

PHASE_NAMES = {
    "configure": "configure",
    "load": "load weights",
    "profile": "compile, profile",
    "warmUp": "graphs, warm up",
    "listen": "listen",
}
"""Phases of vLLM's start, as ``status.engine.phases`` names them, and for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageRow:
    """One stage: how far it is, how long it took or has been going on, and what it is about."""

    name: str
    state: str
    """``done``, ``running`` or ``failed``."""
    seconds: int | None = None
    detail: str = ""


def stages(objects: ModelObjects, now: datetime) -> tuple[StageRow, ...]:
    """What has happened, in order; a stage that nothing is known of is left out."""
    conditions = conditions_of(objects.model)
    pod = newest_pod(objects.pods)
    rows = [
        _inspection(objects, conditions, now),
        _planning(objects, conditions),
        *_fetching_job(objects, now),
        *_placing(pod, now),
        *_fetching_in(pod, now),
        *_pulling(objects, pod),
        *_starting(objects, pod, now),
    ]
    return tuple(row for row in rows if row)


def conditions_of(model: Body) -> dict[str, Body]:
    """Conditions by type."""
    status = model.get("status") or {}
    return {str(item.get("type")): item for item in status.get("conditions") or ()}


def newest_pod(pods: Iterable[Body]) -> Body | None:
    """The youngest pod that serves, of those that are not ending where there are others."""
    serving = [
        pod
        for pod in pods
        if (pod["metadata"].get("labels") or {}).get(COMPONENT_LABEL) == Component.SERVING
    ]
    staying = [pod for pod in serving if "deletionTimestamp" not in pod["metadata"]]
    return max(
        staying or serving, key=lambda pod: str(pod["metadata"]["creationTimestamp"]), default=None
    )


def moment(text: object) -> datetime | None:
    """A time of the API; ``None`` when there is none."""
    return parse_time(str(text)) if text else None


def elapsed(begun: datetime | None, ended: datetime | None) -> int | None:
    """Whole seconds, never below zero: clocks of machines differ."""
    return None if not begun or not ended else max(0, round((ended - begun).total_seconds()))


def _inspection(
    objects: ModelObjects, conditions: Mapping[str, Body], now: datetime
) -> StageRow | None:
    condition = conditions.get("Inspected")
    if condition is None:
        return None
    created = moment(objects.model["metadata"]["creationTimestamp"])
    changed = moment(condition.get("lastTransitionTime"))
    if condition["status"] == "True":
        facts = (objects.model.get("status") or {}).get("model") or {}
        bits = f", {facts['bits']} bit" if "bits" in facts else ""
        detail = f"{facts.get('architecture', 'checkpoint')}{bits}"
        return StageRow(
            name="inspect", state=DONE, seconds=elapsed(created, changed), detail=detail
        )
    state = FAILED if condition["status"] == "False" else RUNNING
    seconds = elapsed(created, now if state == RUNNING else changed)
    return StageRow(name="inspect", state=state, seconds=seconds, detail=condition["reason"])


def _planning(objects: ModelObjects, conditions: Mapping[str, Body]) -> StageRow | None:
    condition = conditions.get("Planned")
    if condition is None:
        return None
    if condition["status"] != "True":
        return StageRow(name="plan", state=FAILED, detail=condition["reason"])
    plan = (objects.model.get("status") or {}).get("plan") or {}
    return StageRow(name="plan", state=DONE, detail=str(plan.get("summary", "")))


def _fetching_job(objects: ModelObjects, now: datetime) -> Iterator[StageRow]:
    """For a shared volume, before any pod."""
    for job in objects.jobs:
        labels = job["metadata"].get("labels") or {}
        if labels.get(COMPONENT_LABEL) == Component.FETCH:
            yield _job_row("fetch", job, now)


def _fetching_in(pod: Body | None, now: datetime) -> Iterator[StageRow]:
    """By the init container of the pod; with a filled volume it only looks."""
    state = _container(pod, "initContainerStatuses", FETCH_CONTAINER)
    if state:
        yield _container_row("fetch", state, now)


def _job_row(name: str, job: Body, now: datetime) -> StageRow:
    status = job.get("status") or {}
    begun = moment(status.get("startTime"))
    ended = {
        str(item.get("type")): moment(item.get("lastTransitionTime"))
        for item in status.get("conditions") or ()
        if item.get("status") == "True"
    }
    detail = f"Job {job['metadata']['name']}"
    for kind, state in (("Complete", DONE), ("Failed", FAILED)):
        if kind in ended:
            seconds = elapsed(begun, ended[kind])
            return StageRow(name=name, state=state, seconds=seconds, detail=detail)
    return StageRow(name=name, state=RUNNING, seconds=elapsed(begun, now), detail=detail)


def _container_row(name: str, status: Body, now: datetime) -> StageRow:
    state = status.get("state") or {}
    ended, running = state.get("terminated"), state.get("running")
    if ended:
        good = int(ended.get("exitCode", 0)) == 0
        seconds = elapsed(moment(ended.get("startedAt")), moment(ended.get("finishedAt")))
        detail = "" if good else f"exit code {ended.get('exitCode')}"
        return StageRow(name=name, state=DONE if good else FAILED, seconds=seconds, detail=detail)
    begun = moment((running or {}).get("startedAt"))
    waiting = str((state.get("waiting") or {}).get("reason", ""))
    return StageRow(name=name, state=RUNNING, seconds=elapsed(begun, now), detail=waiting)


def _placing(pod: Body | None, now: datetime) -> Iterator[StageRow]:
    if pod is None:
        return
    scheduled = _pod_condition(pod, "PodScheduled")
    created = moment(pod["metadata"].get("creationTimestamp"))
    if scheduled.get("status") == "True":
        node = str((pod.get("spec") or {}).get("nodeName", ""))
        placed = moment(scheduled.get("lastTransitionTime"))
        seconds = elapsed(created, placed)
        yield StageRow(name="place", state=DONE, seconds=seconds, detail=f"on node {node}")
    elif scheduled:
        waited = elapsed(created, now)
        reason = str(scheduled.get("reason", ""))
        yield StageRow(name="place", state=RUNNING, seconds=waited, detail=reason)


def _pulling(objects: ModelObjects, pod: Body | None) -> Iterator[StageRow]:
    """From the kubelet's Events, which tell it and are kept for an hour."""
    if pod is None:
        return
    for group in ("initContainerStatuses", "containerStatuses"):
        for status in (pod.get("status") or {}).get(group) or ():
            if (reason := _waiting_reason(status)) in _NO_IMAGE:
                yield StageRow(
                    name="pull image", state=FAILED, detail=f"{status['name']}: {reason}"
                )
                return
    name = pod["metadata"]["name"]
    total = 0.0
    for event in objects.events:
        found = _PULLED.search(str(event.get("message", "")))
        if found and (event.get("involvedObject") or {}).get("name") == name:
            total += sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(found[1]))
    if total:
        yield StageRow(name="pull image", state=DONE, seconds=round(total))


def _starting(objects: ModelObjects, pod: Body | None, now: datetime) -> Iterator[StageRow]:
    """Of vLLM itself: until its container answered, and its phases from its own log."""
    status = _container(pod, "containerStatuses", SERVING_CONTAINER)
    if pod is None or not status:
        return
    restarts = int(status.get("restartCount", 0))
    again = f", started again {restarts} times" if restarts else ""
    running = (status.get("state") or {}).get("running")
    ready = _pod_condition(pod, "Ready")
    if running and ready.get("status") == "True":
        took = elapsed(moment(running.get("startedAt")), moment(ready.get("lastTransitionTime")))
        pods = f"pod {pod['metadata']['name']}{again}"
        yield StageRow(name="start vLLM", state=DONE, seconds=took, detail=pods)
        yield from _phases(objects.model)
        return
    waiting = _waiting_reason(status)
    ended = (status.get("state") or {}).get("terminated") or (
        (status.get("lastState") or {}).get("terminated")
    )
    seconds = elapsed(moment((running or {}).get("startedAt")), now)
    if ended:
        detail = f"exit code {ended.get('exitCode')}{again}"
        yield StageRow(name="start vLLM", state=FAILED, seconds=seconds, detail=detail)
    elif running or waiting not in {"", "PodInitializing", *_NO_IMAGE}:
        yield StageRow(name="start vLLM", state=RUNNING, seconds=seconds, detail=waiting)


def _phases(model: Body) -> Iterator[StageRow]:
    phases = ((model.get("status") or {}).get("engine") or {}).get("phases") or {}
    for key, name in PHASE_NAMES.items():
        if key in phases:
            yield StageRow(name=f"  {name}", state=DONE, seconds=int(phases[key]))


def _container(pod: Body | None, group: str, name: str) -> Body:
    statuses = ((pod or {}).get("status") or {}).get(group) or ()
    return next((item for item in statuses if item.get("name") == name), {})


def _waiting_reason(status: Body) -> str:
    return str(((status.get("state") or {}).get("waiting") or {}).get("reason", ""))


def _pod_condition(pod: Body, kind: str) -> Body:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return next((item for item in conditions if item.get("type") == kind), {})
