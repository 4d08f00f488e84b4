"""Pure: whose start tells vLLM's own figures, and where they are kept.

One start per revision of the pods is enough: the first that answered. Its figures are kept in the
status, which is where later processes find out that they need not read it (ADR 0013).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from quantized_model_operator.domain.cluster_state import ObservedPod
from quantized_model_operator.domain.serving_pods import revision_of, serving_pods
from quantized_model_operator.domain.well_known import SERVING_CONTAINER


def started_pod(pods: Sequence[ObservedPod]) -> ObservedPod | None:
    """The oldest pod of the newest revision whose startup probe has passed."""
    serving = serving_pods(pods)
    revision = revision_of(serving[-1]) if serving else ""
    return next(
        (pod for pod in serving if revision and revision_of(pod) == revision and _has_started(pod)),
        None,
    )


def recorded_engine(model: Mapping[str, Any]) -> Mapping[str, Any]:
    """``status.engine`` of a model; empty when there is none."""
    return (model.get("status") or {}).get("engine") or {}


def _has_started(pod: ObservedPod) -> bool:
    return any(item.name == SERVING_CONTAINER and item.started for item in pod.containers)
