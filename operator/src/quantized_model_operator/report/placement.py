"""Pure: why no node takes a pod, with what it asks for and what the nodes have.

The scheduler says how many nodes lack what, not how much is free where. Pods of this operator are
known, others are not; where both disagree, others hold the rest.
"""

from collections.abc import Iterator

from quantized_model_operator.domain.cluster_state import ObservedNode, ObservedPod
from quantized_model_operator.domain.failure_cause import Situation
from quantized_model_operator.domain.quantity import GIB, InvalidQuantityError, parse_quantity
from quantized_model_operator.report.scene import Scene


def placement(pod: ObservedPod, scene: Scene) -> str:
    """What the pod asks for and what there is, in front of the scheduler's own words."""
    text = pod.unschedulable_message
    told = "; ".join(_shortages(text, scene))
    return f"{told} (scheduler: {text})" if told else f"no node takes the pod: {text}"


def _shortages(text: str, scene: Scene) -> Iterator[str]:
    name = scene.situation.resource_name
    if f"Insufficient {name}" in text:
        yield _devices(scene, name)
    if "Insufficient memory" in text:
        yield from _memory(scene)
    if "untolerated taint" in text:
        yield "spec.hardware.tolerations: some nodes have taints that the pod does not tolerate"
    if "didn't match Pod's node affinity/selector" in text:
        yield (
            "spec.hardware.nodeSelector and spec.hardware.products: some nodes are not among "
            "those that they name"
        )


def _devices(scene: Scene, name: str) -> str:
    asked = _asked(scene.situation)
    free = dict(_free(scene, name))
    begin = f"spec.hardware.gpusPerReplica: a replica asks for {asked} {name} on one node"
    total = sum(free.values())
    if not total:
        return f"{begin}; all that the nodes have are taken, or they have none"
    largest = max(free.values())
    if largest >= asked:
        return (
            f"{begin}; this operator's pods leave {total}, but pods that are not its own, or "
            "taints, take them"
        )
    spread = f"{total} are free on {len(free)} nodes, at most {largest} on one"
    return f"{begin}; {spread}; set it to {largest} if that is legal, or free a whole node"


def _asked(situation: Situation) -> int:
    return situation.tensor_parallel_size if situation.device == "GPU" else 0


def _free(scene: Scene, name: str) -> Iterator[tuple[str, int]]:
    """Devices by node that no pod of this operator holds, where there are any."""
    for node in scene.observed.nodes:
        taken = scene.observed.devices_taken.get(node.name, {}).get(name, 0)
        free = _devices_of(node, name) - taken
        if node.schedulable and free > 0:
            yield node.name, free


def _devices_of(node: ObservedNode, name: str) -> int:
    text = str(node.allocatable.get(name, "0"))
    return int(text) if text.isdecimal() else 0


def _memory(scene: Scene) -> Iterator[str]:
    """Whether any node is large enough at all."""
    asked = _gib(scene.situation.memory)
    nodes = [
        amount
        for node in scene.observed.nodes
        if node.schedulable
        and (amount := _gib(str(node.allocatable.get("memory", "")))) is not None
    ]
    if asked is None or not nodes:
        return
    begin = f"spec.hardware.memory: a replica asks for {asked:.1f} GiB of one node"
    largest = max(nodes)
    if largest < asked:
        yield f"{begin}, and the largest has {largest:.1f} GiB: lower it, or add a larger node"
    else:
        yield f"{begin}, and other pods leave less on every node; lower it, or free a node"


def _gib(quantity: str) -> float | None:
    try:
        return float(parse_quantity(quantity)) / GIB
    except InvalidQuantityError:
        return None
