"""Pure: what is wrong with the pods of a model now, as the first of an ordered list of findings."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from quantized_model_operator.domain.checkpoint import InvalidReportError, report_from_json
from quantized_model_operator.domain.cluster_state import (
    ContainerEnd,
    LogKey,
    Observed,
    ObservedContainer,
    ObservedPod,
)
from quantized_model_operator.domain.engine_log import cause_line, excerpt
from quantized_model_operator.domain.probe_report import probe_problem
from quantized_model_operator.domain.well_known import (
    COMPONENT_LABEL,
    FETCH_CONTAINER,
    SERVING_CONTAINER,
    Component,
)

_PULL_REASONS = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"}
)
_CREATE_REASONS = frozenset(
    {"CreateContainerConfigError", "CreateContainerError", "RunContainerError"}
)
_ENDED_FROM_OUTSIDE = frozenset({0, 137, 143})
"""What vLLM ends with when the kubelet stops it, the first one after draining."""
_REVISION_LABEL = "pod-template-hash"
"""Set by the Deployment controller on the pods of one template."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """One container or pod that does not run, and why."""

    reason: str
    message: str
    pod: str
    container: str = ""
    exit_code: int | None = None
    log_excerpt: str = ""


def serving_pods(observed: Observed) -> tuple[ObservedPod, ...]:
    """Pods of the model's Deployment that are not on their way out, oldest first."""
    pods = (
        pod
        for pod in observed.pods
        if pod.labels.get(COMPONENT_LABEL) == Component.SERVING and not pod.deleting
    )
    return tuple(sorted(pods, key=lambda pod: (pod.created_at, pod.name)))


def serving_trouble(observed: Observed) -> Trouble | None:
    """The first trouble among the pods of the newest revision; ``None`` when there is none.

    Pods of the revision before do not count: mending the spec must clear what they died of.
    """
    pods = serving_pods(observed)
    for pod in reversed(pods):
        if pod.labels.get(_REVISION_LABEL) != pods[-1].labels.get(_REVISION_LABEL):
            continue
        found = pod_trouble(pod, observed)
        if found:
            return found
    return None


def pod_trouble(pod: ObservedPod, observed: Observed) -> Trouble | None:
    """The first finding about this pod, in the order of ``FINDINGS``."""
    return next((found for finding in FINDINGS for found in finding(pod, observed)), None)


def evicted(pod: ObservedPod, _: Observed) -> Iterator[Trouble]:
    """The node put the pod out."""
    if pod.reason == "Evicted":
        yield Trouble(reason="Evicted", message=f"the node evicted it: {pod.message}", pod=pod.name)


def unschedulable(pod: ObservedPod, _: Observed) -> Iterator[Trouble]:
    """No node takes the pod; a missing claim is told apart."""
    text = pod.unschedulable_message
    if not text:
        return
    missing = "persistentvolumeclaim" in text and "not found" in text
    yield Trouble(
        reason="ClaimNotFound" if missing else "Unschedulable",
        message=f"no node takes the pod: {text}",
        pod=pod.name,
    )


def image_not_pulled(pod: ObservedPod, _: Observed) -> Iterator[Trouble]:
    """The image of a container is not there."""
    yield from _waiting(
        pod, _PULL_REASONS, "ImagePullFailed", "the image of container {} cannot be pulled"
    )


def not_created(pod: ObservedPod, _: Observed) -> Iterator[Trouble]:
    """A container cannot be made, for example because a Secret is missing."""
    yield from _waiting(pod, _CREATE_REASONS, "ContainerFailed", "container {} cannot be created")


def ended(pod: ObservedPod, observed: Observed) -> Iterator[Trouble]:
    """A container ended and does not run well since."""
    for container in pod.containers:
        end = container.end or container.last_end
        if end is None or container.started or container.ready:
            continue
        if container.name != SERVING_CONTAINER and end.exit_code == 0:
            continue  # a program that has done its work; vLLM never has
        yield _end_trouble(pod, container, end, _log_of(pod, container, observed))


FINDINGS: tuple[Callable[[ObservedPod, Observed], Iterator[Trouble]], ...] = (
    evicted,
    unschedulable,
    image_not_pulled,
    not_created,
    ended,
)


def _waiting(
    pod: ObservedPod, kubelet_reasons: frozenset[str], reason: str, what: str
) -> Iterator[Trouble]:
    """Containers that wait for one of the kubelet's reasons, in its own words."""
    for container in pod.containers:
        if container.waiting_reason in kubelet_reasons:
            why = container.waiting_message or container.waiting_reason
            yield Trouble(
                reason=reason,
                message=f"{what.format(container.name)}: {why}",
                pod=pod.name,
                container=container.name,
            )


def _log_of(pod: ObservedPod, container: ObservedContainer, observed: Observed) -> str:
    """The log of the newest ended run that was read."""
    for run in (container.restart_count, container.restart_count - 1):
        text = observed.logs.get(LogKey(pod.uid, container.name, run))
        if text:
            return text
    return ""


def _end_trouble(
    pod: ObservedPod, container: ObservedContainer, end: ContainerEnd, log: str
) -> Trouble:
    reason, message = _end_cause(container, end, log)
    return Trouble(
        reason=reason,
        message=message,
        pod=pod.name,
        container=container.name,
        exit_code=end.exit_code,
        log_excerpt=excerpt(log),
    )


def _end_cause(container: ObservedContainer, end: ContainerEnd, log: str) -> tuple[str, str]:
    if end.reason == "OOMKilled":
        return "OutOfMemory", (
            f"container {container.name} used more memory than its limit and was killed; "
            "raise spec.hardware.memory"
        )
    if container.name != SERVING_CONTAINER:
        return _program_cause(container, end)
    damaged = probe_problem(end.message)
    engine_is_dead = damaged.startswith("HTTP 5")
    if damaged and not engine_is_dead and end.exit_code in _ENDED_FROM_OUTSIDE:
        return "AnswersDamaged", f"vLLM started, but its first answer was not sane: {damaged}"
    cause = cause_line(log) or damaged or end.message or end.reason
    if end.exit_code == 0:
        return "EngineDied", f"vLLM ended by itself (exit code 0): {cause}"
    return "EngineFailed", f"vLLM ended with exit code {end.exit_code}: {cause}"


def _program_cause(container: ObservedContainer, end: ContainerEnd) -> tuple[str, str]:
    """What a program of ours said in its report, or that it said nothing."""
    reason = "FetchFailed" if container.name == FETCH_CONTAINER else "InspectionFailed"
    silent = f"the program {container.name} ended with exit code {end.exit_code} and no report"
    try:
        report = report_from_json(end.message)
    except InvalidReportError:
        return reason, silent
    if not report.problems:
        return reason, silent
    return report.problems[0].reason, report.problems[0].message
