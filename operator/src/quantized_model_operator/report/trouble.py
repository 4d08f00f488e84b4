"""Pure: what is wrong with the pods of a model now, as the first of an ordered list of findings."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from quantized_model_operator.domain.cluster_state import ObservedPod
from quantized_model_operator.domain.serving_pods import revision_of, serving_pods
from quantized_model_operator.domain.well_known import SERVING_CONTAINER
from quantized_model_operator.report.ends import end_trouble
from quantized_model_operator.report.first_cause import first_cause
from quantized_model_operator.report.placement import placement
from quantized_model_operator.report.pulling import pull_problem
from quantized_model_operator.report.scene import MOST_CHARACTERS, Scene, Trouble

_PULL_REASONS = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"}
)
_CREATE_REASONS = frozenset(
    {"CreateContainerConfigError", "CreateContainerError", "RunContainerError"}
)


def serving_trouble(scene: Scene) -> Trouble | None:
    """The first trouble among the pods of the newest revision; ``None`` when there is none.

    Pods of the revision before do not count: mending the spec must clear what they died of.
    """
    observed = scene.observed
    pods = serving_pods(observed.pods)
    newest = [pod for pod in pods if revision_of(pod) == revision_of(pods[-1])]
    for pod in reversed(newest):
        found = pod_trouble(pod, scene)
        if found:
            published = (observed.model.get("status") or {}).get("failure") or {}
            restarts = max(_restarts(pod) for pod in newest)
            return first_cause(published, found, restarts)
    return None


def pod_trouble(pod: ObservedPod, scene: Scene) -> Trouble | None:
    """The first finding about this pod, in the order of ``FINDINGS``."""
    found = next((found for finding in FINDINGS for found in finding(pod, scene)), None)
    if found is None:
        return None
    return replace(found, message=found.message[:MOST_CHARACTERS], revision=revision_of(pod))


def evicted(pod: ObservedPod, _: Scene) -> Iterator[Trouble]:
    """The node put the pod out."""
    if pod.reason != "Evicted":
        return
    why = pod.message or "it had too little memory or disk"
    remedy = (
        "ask for as much as vLLM uses with spec.hardware.memory"
        if "memory" in why
        else "free the node's disk, or keep weights off it with spec.cache"
    )
    yield Trouble(
        reason="Evicted",
        message=f"the node evicted the pod: {why}; Kubernetes makes another one, {remedy}",
        pod=pod.name,
    )


def node_lost(pod: ObservedPod, scene: Scene) -> Iterator[Trouble]:
    """The pod ran, and its node does not report any more."""
    if pod.ready or pod.phase != "Running":
        return
    for node in scene.observed.nodes:
        if node.name == pod.node_name and not node.reports:
            yield Trouble(
                reason="NodeLost",
                message=f"node {node.name} of pod {pod.name} no longer reports; Kubernetes makes "
                "another pod after five minutes, or as soon as the node is deleted",
                pod=pod.name,
            )


def unschedulable(pod: ObservedPod, scene: Scene) -> Iterator[Trouble]:
    """No node takes the pod; a missing claim is told apart."""
    text = pod.unschedulable_message
    if not text:
        return
    missing = "persistentvolumeclaim" in text and "not found" in text
    yield Trouble(
        reason="ClaimNotFound" if missing else "Unschedulable",
        message=f"no node takes the pod: {text}" if missing else placement(pod, scene),
        pod=pod.name,
    )


def not_prepared(pod: ObservedPod, scene: Scene) -> Iterator[Trouble]:
    """The kubelet cannot mount its volumes or make its network."""
    if pod.name in scene.unprepared:
        yield Trouble(
            reason="PodNotPrepared",
            message=f"pod {pod.name} has waited for minutes on node {pod.node_name} for a volume "
            "or its network; its Events say which (kubectl describe pod), volumes are those of "
            "spec.model.uri and spec.cache",
            pod=pod.name,
        )


def image_not_pulled(pod: ObservedPod, _: Scene) -> Iterator[Trouble]:
    """The image of a container is not there."""
    for container in pod.containers:
        if container.waiting_reason in _PULL_REASONS:
            yield Trouble(
                reason="ImagePullFailed",
                message=pull_problem(
                    container.name, container.waiting_reason, container.waiting_message
                ),
                pod=pod.name,
                container=container.name,
            )


def not_created(pod: ObservedPod, _: Scene) -> Iterator[Trouble]:
    """A container cannot be made, for example because a Secret is missing."""
    for container in pod.containers:
        if container.waiting_reason in _CREATE_REASONS:
            why = container.waiting_message or container.waiting_reason
            yield Trouble(
                reason="ContainerFailed",
                message=f"container {container.name} cannot be created: {why}",
                pod=pod.name,
                container=container.name,
            )


def ended(pod: ObservedPod, scene: Scene) -> Iterator[Trouble]:
    """A container ended and does not run well since."""
    for container in pod.containers:
        end = container.end or container.last_end
        if end is None or container.started or container.ready:
            continue
        if container.name != SERVING_CONTAINER and end.exit_code == 0:
            continue  # a program that has done its work; vLLM never has
        yield end_trouble(pod, container, end, scene)


FINDINGS: tuple[Callable[[ObservedPod, Scene], Iterator[Trouble]], ...] = (
    evicted,
    node_lost,
    unschedulable,
    not_prepared,
    image_not_pulled,
    not_created,
    ended,
)


def _restarts(pod: ObservedPod) -> int:
    counts = (item.restart_count for item in pod.containers if item.name == SERVING_CONTAINER)
    return max(counts, default=0)
