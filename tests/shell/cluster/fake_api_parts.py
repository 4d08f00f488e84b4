"""What the fake API server is made of: places, faults, watches, stored objects, answers."""

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from quantized_model_operator.cluster.field_ownership import OwnedDocument

Body = dict[str, Any]
_PATH = re.compile(
    r"^(?P<root>/api/v1|/apis/[^/]+/[^/]+)(?:/namespaces/(?P<namespace>[^/]+))?"
    r"/(?P<plural>[a-z]+)(?:/(?P<name>[^/]+))?(?:/(?P<sub>status|log))?$"
)


@dataclass(frozen=True)
class Place:
    """What a path means."""

    collection: str
    namespace: str
    name: str
    sub: str


@dataclass(frozen=True)
class Seen:
    """One request that arrived."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]


@dataclass
class Fault:
    """Answers in place of the server, ``times`` times, to requests that it matches."""

    matches: Callable[[Seen], bool]
    status: int
    times: int
    headers: Mapping[str, str] = field(default_factory=dict)
    reason: str = "Fault"
    message: str = "a fault"
    hang: bool = False


@dataclass
class Watch:
    """One open watch."""

    collection: str
    namespace: str
    selector: str
    queue: "asyncio.Queue[Body | None]" = field(default_factory=asyncio.Queue)
    silent: bool = False


@dataclass
class Stored:
    """An object with the owners of its fields."""

    body: Body
    owned: OwnedDocument = field(default_factory=OwnedDocument)
    committed: Body = field(default_factory=dict)
    """As watches were last told of it."""


def place_of(path: str) -> Place | None:
    """What a path means; ``None`` when it is none of the API."""
    match = _PATH.match(path)
    if match is None:
        return None
    found = match.groupdict(default="")
    collection = f"{found['root']}/{found['plural']}"
    return Place(collection, found["namespace"], found["name"], found["sub"])


def desired_of(body: Body) -> Body:
    """The part of an object that managers own."""
    metadata = {
        key: value
        for key, value in body["metadata"].items()
        if key in ("name", "namespace", "labels", "annotations", "ownerReferences")
    }
    return {**{k: v for k, v in body.items() if k != "status"}, "metadata": metadata}


def selects(selector: str, body: Body) -> bool:
    """Whether an equality selector takes an object."""
    labels = body["metadata"].get("labels") or {}
    wanted = (item.partition("=") for item in selector.split(",") if item)
    return all(labels.get(key) == value for key, _, value in wanted)


def status_of(
    code: int,
    reason: str,
    message: str,
    *,
    headers: Mapping[str, str] | None = None,
    causes: Sequence[Body] = (),
) -> web.Response:
    """A Status object as an answer."""
    body: Body = {"kind": "Status", "code": code, "reason": reason, "message": message}
    if causes:
        body["details"] = {"causes": list(causes)}
    return web.json_response(body, status=code, headers=headers)
