"""Pure: which nodes the pods of a model may run on, by selector and taints."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from quantized_model_operator.domain.cluster_state import Observed, ObservedNode
from quantized_model_operator.domain.model import ResolvedModel
from quantized_model_operator.domain.quantization import Device

_GPU_TOLERATION = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}


def eligible_nodes(model: ResolvedModel, observed: Observed) -> tuple[ObservedNode, ...]:
    """Nodes that the pods of a model may run on."""
    pod = model.pod
    return nodes_for(model.request.device, pod.node_selector, pod.tolerations, observed.nodes)


def nodes_for(
    device: Device,
    node_selector: Mapping[str, str],
    tolerations: Sequence[Mapping[str, Any]],
    nodes: Iterable[ObservedNode],
) -> tuple[ObservedNode, ...]:
    """Nodes that match the selector and whose taints are tolerated, as GPU pods do their own."""
    tolerated = [*tolerations, *([_GPU_TOLERATION] if device == "GPU" else [])]
    return tuple(
        node
        for node in nodes
        if all(node.labels.get(key) == value for key, value in node_selector.items())
        and all(_is_tolerated(taint, tolerated) for taint in node.taints)
    )


def _is_tolerated(taint: tuple[str, str, str], tolerations: list[Mapping[str, Any]]) -> bool:
    key, value, effect = taint
    return effect == "PreferNoSchedule" or any(
        item.get("effect") in {None, "", effect}
        and item.get("key") in {None, "", key}
        and (item.get("operator") == "Exists" or item.get("value", "") == value)
        for item in tolerations
    )
