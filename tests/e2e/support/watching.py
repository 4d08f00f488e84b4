"""Waiting for what a collection of the API says, by list and watch: no polling, no sleeping."""

import http.client
import json
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from typing import Any
from urllib.parse import urlencode, urlsplit

from qmo_cluster import credentials
from qmo_cluster.cluster import Cluster

Objects = Mapping[str, Mapping[str, Any]]
"""Objects of one collection by name, as they are now."""

_OK = 200
_RECONNECT_SECONDS = 0.2


class NotInTimeError(AssertionError):
    """A condition did not come to hold before its deadline."""


class _StreamEndedError(Exception):
    """The server ended or refused a list or a watch; listing again may help."""


def until(
    cluster: Cluster,
    path: str,
    condition: Callable[[Objects], bool],
    *,
    name: str = "",
    selector: str = "",
    timeout_seconds: float = 60.0,
    what: str = "",
) -> Objects:
    """The objects of a collection as soon as they fulfil the condition.

    Survives restarts of the API server by listing again.
    """
    deadline = time.monotonic() + timeout_seconds
    query = {"fieldSelector": f"metadata.name={name}"} if name else {}
    query |= {"labelSelector": selector} if selector else {}
    objects: dict[str, Mapping[str, Any]] = {}
    while True:
        try:
            for _ in _follow(cluster, path, query, objects, deadline):
                if condition(objects):
                    return objects
        except (_StreamEndedError, OSError, http.client.HTTPException):
            if time.monotonic() > deadline:
                said = what or f"{path} {name or selector}"
                raise NotInTimeError(
                    f"not within {timeout_seconds:g} s: {said}; it is\n{_brief(objects)}"
                ) from None
            _Pause.wait(_RECONNECT_SECONDS)


class _Pause:
    """A wait before a server that is down is asked again."""

    @staticmethod
    def wait(seconds: float) -> None:
        """Wait on a socket that nobody writes to."""
        left, right = socket.socketpair()
        with left, right:
            left.settimeout(seconds)
            try:
                left.recv(1)
            except TimeoutError:
                return


def _follow(
    cluster: Cluster,
    path: str,
    query: Mapping[str, str],
    objects: dict[str, Mapping[str, Any]],
    deadline: float,
) -> Iterator[None]:
    """Keep ``objects`` current; yields after the list and after each event."""
    listed = json.loads(b"".join(_lines(cluster, path, query, deadline)))
    objects.clear()
    objects.update({item["metadata"]["name"]: item for item in listed["items"]})
    yield
    version = listed["metadata"]["resourceVersion"]
    watch = {**query, "watch": "true", "resourceVersion": version}
    for line in _lines(cluster, path, watch, deadline):
        event = json.loads(line)
        body = event["object"]
        if event["type"] == "ERROR":
            raise _StreamEndedError
        if event["type"] == "DELETED":
            objects.pop(body["metadata"]["name"], None)
        else:
            objects[body["metadata"]["name"]] = body
        yield
    raise _StreamEndedError


def _lines(
    cluster: Cluster, path: str, query: Mapping[str, str], deadline: float
) -> Iterator[bytes]:
    address = urlsplit(cluster.settings.api_url)
    context = ssl.create_default_context(cafile=str(cluster.layout.credentials / "ca.crt"))
    connection = http.client.HTTPSConnection(
        address.hostname or "", address.port, context=context, timeout=_left(deadline)
    )
    with closing(connection):
        token = credentials.admin_token(cluster.layout)
        connection.request(
            "GET", f"{path}?{urlencode(query)}", headers={"Authorization": f"Bearer {token}"}
        )
        with closing(connection.getresponse()) as answer:
            if answer.status != _OK:
                raise _StreamEndedError
            while line := answer.readline():
                if connection.sock is not None:
                    connection.sock.settimeout(_left(deadline))
                yield line


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0.0:
        raise TimeoutError
    return left


def _brief(objects: Objects) -> str:
    """The first objects without what nobody reads."""
    shown = []
    for name, body in list(objects.items())[:3]:
        metadata = {k: v for k, v in body["metadata"].items() if k in {"generation", "uid"}}
        shown.append({"name": name, **metadata, "status": body.get("status")})
    return json.dumps(shown, indent=1)[:6000]
