"""Pure: where an inspection or a fetch stands, read from its Jobs and their pods.

A Job is never patched. Its name carries the hash of its inputs and its attempt; a refusal or a
failure is tried again later under the next attempt, so that nothing has to be remembered.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from quantized_model_operator.domain.checkpoint import (
    InspectionReport,
    InvalidReportError,
    report_from_json,
)
from quantized_model_operator.domain.child_objects import Removal
from quantized_model_operator.domain.cluster_state import (
    ContainerEnd,
    ObjectKey,
    Observed,
    ObservedPod,
)
from quantized_model_operator.domain.timestamps import parse_time
from quantized_model_operator.domain.well_known import (
    ATTEMPT_ANNOTATION,
    COMPONENT_LABEL,
    INPUTS_ANNOTATION,
    Component,
)

_FIRST_DELAY_SECONDS = 30.0
_LONGEST_DELAY_SECONDS = 3600.0
_MOST_ATTEMPTS = 99
"""Two digits are what the name has room for; later attempts count on from the middle."""


class JobState(StrEnum):
    """Where a Job stands."""

    WANTED = "Wanted"
    """It does not exist and is to be created."""
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    """It ended with a refusal or an error and waits for its next attempt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStep:
    """The state of the newest attempt for the wanted inputs."""

    state: JobState
    attempt: int
    inputs: str
    report: InspectionReport | None = None
    pod: ObservedPod | None = None
    retry_after_seconds: float | None = None


def job_step(observed: Observed, component: Component, inputs: str, now: datetime) -> JobStep:
    """Where the work for these inputs stands; ``WANTED`` when a Job has to be created."""
    jobs = [
        job for job in jobs_of(observed, component) if _annotation(job, INPUTS_ANNOTATION) == inputs
    ]
    if not jobs:
        return JobStep(state=JobState.WANTED, attempt=1, inputs=inputs)
    job = max(jobs, key=_attempt)
    attempt = _attempt(job)
    pod = _pod_of(observed, job)
    succeeded, finished_at = _finish(job)
    if finished_at is None:
        return JobStep(state=JobState.RUNNING, attempt=attempt, inputs=inputs, pod=pod)
    report = _report(pod)
    if succeeded and _is_good(component, report):
        return JobStep(
            state=JobState.SUCCEEDED, attempt=attempt, inputs=inputs, report=report, pod=pod
        )
    wait = (finished_at - now) + timedelta(seconds=_delay_seconds(attempt))
    if wait <= timedelta():
        following = attempt + 1 if attempt < _MOST_ATTEMPTS else _MOST_ATTEMPTS // 2
        return JobStep(state=JobState.WANTED, attempt=following, inputs=inputs, report=report)
    return JobStep(
        state=JobState.FAILED,
        attempt=attempt,
        inputs=inputs,
        report=report,
        pod=pod,
        retry_after_seconds=wait.total_seconds(),
    )


def jobs_of(observed: Observed, component: Component) -> Iterator[Mapping[str, Any]]:
    """The Jobs of this model that do the given work."""
    for key, child in observed.children.items():
        labels = child["metadata"].get("labels") or {}
        if key.kind == "Job" and labels.get(COMPONENT_LABEL) == component:
            yield child


def obsolete_jobs(
    observed: Observed, component: Component, kept: JobStep | None
) -> Iterator[Removal]:
    """Jobs that are not the newest attempt for the wanted inputs, or all when none is kept.

    While a new attempt is only wanted, nothing goes: the one before holds the count.
    """
    if kept is not None and kept.state is JobState.WANTED:
        return
    for job in jobs_of(observed, component):
        if (
            kept
            and _annotation(job, INPUTS_ANNOTATION) == kept.inputs
            and _attempt(job) == kept.attempt
        ):
            continue
        metadata = job["metadata"]
        if not metadata.get("deletionTimestamp"):
            yield Removal(
                key=ObjectKey("Job", metadata["name"]),
                uid=metadata["uid"],
                why=f"the {component} is recorded" if kept is None else "a newer attempt exists",
            )


def end_of(pod: ObservedPod | None) -> ContainerEnd | None:
    """How the last container of the pod ended that did."""
    ends = [container.end for container in pod.containers if container.end] if pod else []
    return ends[-1] if ends else None


def _is_good(component: Component, report: InspectionReport | None) -> bool:
    if component is Component.FETCH:
        return True
    return report is not None and report.facts is not None


def _report(pod: ObservedPod | None) -> InspectionReport | None:
    end = end_of(pod)
    if end is None or not end.message:
        return None
    try:
        return report_from_json(end.message)
    except InvalidReportError:
        return None


def _pod_of(observed: Observed, job: Mapping[str, Any]) -> ObservedPod | None:
    """The newest pod whose controller is this Job, by uid, so that nobody else's word counts."""
    pods = [pod for pod in observed.pods if pod.owner_uid == job["metadata"]["uid"]]
    return max(pods, key=lambda pod: pod.created_at, default=None)


def _finish(job: Mapping[str, Any]) -> tuple[bool, datetime | None]:
    for condition in (job.get("status") or {}).get("conditions") or ():
        if condition["type"] in {"Complete", "Failed"} and condition["status"] == "True":
            return condition["type"] == "Complete", parse_time(condition["lastTransitionTime"])
    return False, None


def _annotation(job: Mapping[str, Any], key: str) -> str:
    return str((job["metadata"].get("annotations") or {}).get(key, ""))


def _attempt(job: Mapping[str, Any]) -> int:
    text = _annotation(job, ATTEMPT_ANNOTATION)
    return int(text) if text.isdigit() else 1


def _delay_seconds(attempt: int) -> float:
    return min(_FIRST_DELAY_SECONDS * 2.0 ** min(attempt - 1, 16), _LONGEST_DELAY_SECONDS)
