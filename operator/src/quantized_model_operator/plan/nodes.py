"""Pure: which nodes the pods of a model may run on, by selector and taints."""

from collections.abc import Mapping
from typing import Any

from quantized_model_operator.domain.cluster_state import Observed, ObservedNode
from quantized_model_operator.domain.model import ResolvedModel

_GPU_TOLERATION = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}


def eligible_nodes(model: ResolvedModel, observed: Observed) -> tuple[ObservedNode, ...]:
    """Nodes that match the node selector and whose taints the pods tolerate."""
    tolerations = [*model.pod.tolerations]
    if model.request.device == "GPU":
        tolerations.append(_GPU_TOLERATION)
    return tuple(
        node
        for node in observed.nodes
        if all(node.labels.get(key) == value for key, value in model.pod.node_selector.items())
        and all(_is_tolerated(taint, tolerations) for taint in node.taints)
    )


def _is_tolerated(taint: tuple[str, str, str], tolerations: list[Mapping[str, Any]]) -> bool:
    key, value, effect = taint
    return effect == "PreferNoSchedule" or any(
        item.get("effect") in {None, "", effect}
        and item.get("key") in {None, "", key}
        and (item.get("operator") == "Exists" or item.get("value", "") == value)
        for item in tolerations
    )
