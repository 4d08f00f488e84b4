"""I/O: everything that the API knows of one model, read once, as it is.

Only the model itself must be readable; what a user may not list is named instead.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from quantized_model_operator.cluster.api_client import ApiClient
from quantized_model_operator.cluster.api_errors import ApiError, ForbiddenError, NotFoundError
from quantized_model_operator.cluster.connection import Connection
from quantized_model_operator.cluster.encoding import loads
from quantized_model_operator.cluster.kinds import DEPLOYMENT, EVENT, JOB, MODEL, POD, Resource
from quantized_model_operator.cluster.one_time_reading import (
    FIRST_ANSWER_SECONDS,
    READ_SECONDS,
    listed_items,
    one_time_transport,
)
from quantized_model_operator.domain.well_known import MODEL_LABEL

MOST_EVENTS = 2000
"""Of a namespace; of more, the first that the API server lists are looked at."""

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelObjects:
    """A model and what belongs to it."""

    model: Body
    deployment: Body | None
    pods: Sequence[Body]
    jobs: Sequence[Body]
    events: Sequence[Body]
    """About the model, its Deployment, Jobs and pods."""
    unreadable: Sequence[str]
    """Plural names of what the user may not read."""


class ModelUnreadableError(Exception):
    """The cluster did not answer, or does not let its models be read; the text says which."""


class ModelMissingError(Exception):
    """There is no model of this name; ``names`` are those that there are."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__("no such model")
        self.names = names


async def read_model(connection: Connection, namespace: str, name: str) -> ModelObjects:
    """The model of this name; ``ModelMissingError`` and ``ModelUnreadableError``."""
    async with one_time_transport(connection) as transport:
        client = ApiClient(transport)
        try:
            async with asyncio.timeout(READ_SECONDS):
                return await _read(client, namespace, name)
        except ForbiddenError as error:
            message = f"{connection.server} does not let you read models: {error.message}"
            raise ModelUnreadableError(message) from error
        except (ApiError, TimeoutError) as error:
            raise ModelUnreadableError(f"{connection.server}: {error}") from error


async def _read(client: ApiClient, namespace: str, name: str) -> ModelObjects:
    try:
        model = loads(
            await client.get(MODEL, namespace, name, attempts=1, seconds=FIRST_ANSWER_SECONDS)
        )
    except NotFoundError:
        raise ModelMissingError(await _names(client, namespace)) from None
    selector = f"{MODEL_LABEL}={name}"
    unreadable: list[str] = []

    async def listed(resource: Resource, selector: str = "") -> list[Body]:
        try:
            path = resource.collection(namespace)
            items = listed_items(client, path, selector=selector, enough=MOST_EVENTS)
            return [item async for item in items]
        except ForbiddenError:
            unreadable.append(resource.plural)
            return []

    pods, jobs, events = await asyncio.gather(
        listed(POD, selector), listed(JOB, selector), listed(EVENT)
    )
    deployment = await _optional(lambda: client.get(DEPLOYMENT, namespace, name), unreadable)
    related = {name, *(str(item["metadata"]["name"]) for item in (*pods, *jobs))}
    return ModelObjects(
        model=model,
        deployment=deployment,
        pods=pods,
        jobs=jobs,
        events=[
            event for event in events if (event.get("involvedObject") or {}).get("name") in related
        ],
        unreadable=tuple(sorted(unreadable)),
    )


async def _optional(
    get: Callable[[], Awaitable[bytes]], unreadable: list[str]
) -> dict[str, Any] | None:
    """The Deployment; ``None`` when there is none, or it may not be read."""
    try:
        found: dict[str, Any] = loads(await get())
    except NotFoundError:
        return None
    except ForbiddenError:
        unreadable.append(DEPLOYMENT.plural)
        return None
    return found


async def _names(client: ApiClient, namespace: str) -> list[str]:
    """``namespace/name`` of the models that may be listed, those of this namespace first."""
    try:
        here = [
            item
            async for item in listed_items(client, MODEL.collection(namespace), enough=MOST_EVENTS)
        ]
    except NotFoundError as error:
        message = (
            f"this cluster has no {MODEL.plural}.{MODEL.api_version.partition('/')[0]}: "
            "the operator and its CRD are not installed in it"
        )
        raise ModelUnreadableError(message) from error
    try:
        everywhere = [
            item async for item in listed_items(client, MODEL.collection(), enough=MOST_EVENTS)
        ]
    except ForbiddenError:
        everywhere = []
    names = (
        f"{item['metadata']['namespace']}/{item['metadata']['name']}"
        for item in (*here, *everywhere)
    )
    return list(dict.fromkeys(names))
