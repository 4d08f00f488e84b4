"""I/O: nodes of a cluster and what of their extended resources is free, read once."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from quantized_model_operator.cluster.api_client import ApiClient
from quantized_model_operator.cluster.api_errors import ApiError
from quantized_model_operator.cluster.connection import Connection
from quantized_model_operator.cluster.kinds import NODE, POD
from quantized_model_operator.cluster.one_time_reading import (
    FIRST_ANSWER_SECONDS,
    READ_SECONDS,
    listed_items,
    one_time_transport,
)
from quantized_model_operator.cluster.parsing import node_from
from quantized_model_operator.domain.cluster_state import ObservedNode

_ENDED = frozenset({"Succeeded", "Failed"})


class ClusterUnreadableError(Exception):
    """The cluster did not answer, or does not let its nodes be listed; the text says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """The nodes of a cluster, and what pods ask for on each."""

    nodes: tuple[ObservedNode, ...]
    taken: Mapping[str, int] | None
    """Devices of the resource that pods of each node ask for; ``None`` when pods may not be
    listed."""


async def read_capacity(connection: Connection, resource_name: str) -> Capacity:
    """The nodes, and how many devices of the resource are taken; ``ClusterUnreadableError``."""
    async with one_time_transport(connection) as transport:
        client = ApiClient(transport)
        try:
            # One attempt, so that a cluster that is gone is noticed at once.
            first = {"limit": "1"}
            await transport.send(
                "GET", NODE.collection(), first, attempts=1, seconds=FIRST_ANSWER_SECONDS
            )
            async with asyncio.timeout(READ_SECONDS):
                nodes = tuple(
                    [node_from(item) async for item in listed_items(client, NODE.collection())]
                )
                taken = await _taken(client, resource_name)
        except (ApiError, TimeoutError) as error:
            raise ClusterUnreadableError(f"{connection.server}: {error}") from error
    return Capacity(nodes=nodes, taken=taken)


async def _taken(client: ApiClient, resource_name: str) -> Mapping[str, int] | None:
    taken: Counter[str] = Counter()
    try:
        async for pod in listed_items(client, POD.collection()):
            spec, status = pod.get("spec") or {}, pod.get("status") or {}
            if spec.get("nodeName") and status.get("phase") not in _ENDED:
                taken[spec["nodeName"]] += _asked(spec, resource_name)
    except ApiError:
        return None
    return taken


def _asked(spec: Mapping[str, Any], resource_name: str) -> int:
    """Devices that a pod holds: of all its containers, or of the greediest init container."""
    together = sum(_amounts(spec, "containers", resource_name))
    return max(together, *_amounts(spec, "initContainers", resource_name), 0)


def _amounts(spec: Mapping[str, Any], group: str, resource_name: str) -> Iterator[int]:
    for container in spec.get(group) or ():
        limits = (container.get("resources") or {}).get("limits") or {}
        text = str(limits.get(resource_name, "0"))
        yield int(text) if text.isdecimal() else 0
