"""Pure: pods that have a node, and whose volumes or network are not there after a long time.

The kubelet tells the cause in Events only, which are not watched; but it tells in a condition that
the pod is not prepared, before it pulls any image. So a clock is all that is needed.

Source: Kubernetes 1.29 to 1.37, condition PodReadyToStartContainers; checked 2026-11. Where it is
absent nothing is told.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from quantized_model_operator.domain.cluster_state import Observed, ObservedPod

PREPARED_WITHIN = timedelta(minutes=2)
"""Volumes of clouds take half a minute to be attached. Our limit."""


@dataclass(frozen=True, slots=True)
class Unprepared:
    """Names of the pods that are late, and when to look again for those that are not yet."""

    pods: tuple[str, ...] = ()
    retry_after_seconds: float | None = None


def unprepared(observed: Observed, now: datetime) -> Unprepared:
    """Of all pods of the model that have not started any container."""
    waits = dict(_waits(observed, now))
    late = tuple(name for name, left in waits.items() if left <= timedelta())
    left = [left.total_seconds() for left in waits.values() if left > timedelta()]
    return Unprepared(pods=late, retry_after_seconds=min(left, default=None))


def _waits(observed: Observed, now: datetime) -> Iterator[tuple[str, timedelta]]:
    """By pod, how long it may still take; negative when it is late."""
    for pod in observed.pods:
        if _is_being_prepared(pod) and pod.scheduled_at is not None:
            yield pod.name, pod.scheduled_at + PREPARED_WITHIN - now


def _is_being_prepared(pod: ObservedPod) -> bool:
    return pod.phase == "Pending" and not pod.prepared and not pod.deleting
