"""Pure: the pods of a model that serve, and the template that each was made from."""

from collections.abc import Iterable

from quantized_model_operator.domain.cluster_state import ObservedPod
from quantized_model_operator.domain.well_known import COMPONENT_LABEL, Component

_REVISION_LABEL = "pod-template-hash"
"""Set by the Deployment controller on the pods of one template."""


def serving_pods(pods: Iterable[ObservedPod]) -> tuple[ObservedPod, ...]:
    """Those of the model's Deployment that are not on their way out, oldest first."""
    serving = (
        pod
        for pod in pods
        if pod.labels.get(COMPONENT_LABEL) == Component.SERVING and not pod.deleting
    )
    return tuple(sorted(serving, key=lambda pod: (pod.created_at, pod.name)))


def revision_of(pod: ObservedPod) -> str:
    """Hash of the template that the pod was made from; empty when nobody says."""
    return pod.labels.get(_REVISION_LABEL, "")
