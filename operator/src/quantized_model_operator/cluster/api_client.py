"""I/O: the few requests the operator makes to the API server, as bytes in and bytes out.

Answers are not parsed here but for lists: caches keep objects as bytes.
"""

import random
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from quantized_model_operator.cluster.connection import REQUEST_SECONDS
from quantized_model_operator.cluster.encoding import compact, loads
from quantized_model_operator.cluster.kinds import POD, Resource
from quantized_model_operator.cluster.transport import ATTEMPTS, JSON, Transport

PAGE_SIZE = 500
APPLY = "application/apply-patch+yaml"
MERGE_PATCH = "application/merge-patch+json"
METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"

WATCH_SECONDS = (300, 600)
SILENCE_SECONDS = 75.0
"""Bookmarks come about each 60 s; below 62 s a quiet watch would reconnect all the time.
Source: our measurement, Kubernetes 1.36."""
LOG_SECONDS = 5.0


class ApiClient:
    """The API of one cluster as far as the operator uses it."""

    def __init__(self, transport: Transport, silence_seconds: float = SILENCE_SECONDS) -> None:
        self._transport = transport
        self._silence_seconds = silence_seconds

    async def pages(
        self, path: str, *, selector: str = "", accept: str = JSON, page_size: int = PAGE_SIZE
    ) -> AsyncGenerator[dict[str, Any], None]:
        """The pages of one consistent list; ``GoneError`` when it grew too old to go on.

        A ``page_size`` of 0 asks for everything at once. No resourceVersion is sent: the
        answer is never older than what this process has already written.
        """
        query = {"limit": str(page_size)} if page_size else {}
        if selector:
            query["labelSelector"] = selector
        while True:
            page: dict[str, Any] = loads(
                await self._transport.send("GET", path, query, accept=accept)
            )
            token = (page.get("metadata") or {}).get("continue")
            yield page
            del page  # else two pages are in memory while the next one is parsed
            if not token:
                return
            query["continue"] = token

    def watch(self, path: str, *, selector: str, version: str) -> AsyncGenerator[bytes, None]:
        """Events after ``version`` as lines of JSON; ends each five to ten minutes.

        ``UnreachableError`` when not even a bookmark came for a while, ``GoneError`` when the
        version is too old. An ERROR inside the stream is a line like any other.
        """
        seconds = random.randint(*WATCH_SECONDS)  # noqa: S311 - only spreads reconnects
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(seconds),
        }
        if selector:
            query["labelSelector"] = selector
        return self._transport.stream(
            path, query, seconds=seconds + 30.0, silence_seconds=self._silence_seconds
        )

    async def get(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        *,
        attempts: int = ATTEMPTS,
        seconds: float = REQUEST_SECONDS,
    ) -> bytes:
        """One object; ``NotFoundError``."""
        path = resource.path(namespace, name)
        return await self._transport.send("GET", path, attempts=attempts, seconds=seconds)

    async def find(self, resource: Resource, namespace: str, name: str) -> dict[str, Any] | None:
        """One object by a list, for kinds on which the operator may ``list`` but not ``get``."""
        query = {"fieldSelector": f"metadata.name={name}"}
        page = loads(await self._transport.send("GET", resource.collection(namespace), query))
        items: list[dict[str, Any]] = page.get("items") or []
        return items[0] if items else None

    async def apply(
        self,
        resource: Resource,
        manifest: Mapping[str, Any],
        *,
        manager: str,
        force: bool,
        subresource: str = "",
    ) -> bytes:
        """The object after a server-side apply.

        ``ConflictError`` without ``force`` when another manager owns a field, and always when
        ``metadata.uid`` or ``metadata.resourceVersion`` is given and differs.
        """
        metadata = manifest["metadata"]
        path = resource.path(metadata.get("namespace", ""), metadata["name"])
        return await self._transport.send(
            "PATCH",
            f"{path}/{subresource}" if subresource else path,
            {"fieldManager": manager, "force": "true" if force else "false"},
            body=compact(manifest),
            content_type=APPLY,
        )

    async def merge(
        self, resource: Resource, manifest: Mapping[str, Any], *, manager: str
    ) -> bytes:
        """The object after a merge patch, in which a list replaces the list as a whole."""
        metadata = manifest["metadata"]
        path = resource.path(metadata.get("namespace", ""), metadata["name"])
        return await self._transport.send(
            "PATCH",
            path,
            {"fieldManager": manager},
            body=compact(manifest),
            content_type=MERGE_PATCH,
        )

    async def create(
        self,
        resource: Resource,
        manifest: Mapping[str, Any],
        *,
        manager: str,
        attempts: int = ATTEMPTS,
    ) -> bytes:
        """The new object; ``AlreadyExistsError``, also when an unanswered attempt made it."""
        path = resource.collection(str(manifest["metadata"].get("namespace", "")))
        query = {"fieldManager": manager}
        return await self._transport.send(
            "POST", path, query, body=compact(manifest), attempts=attempts
        )

    async def replace(
        self, resource: Resource, manifest: Mapping[str, Any], *, seconds: float
    ) -> bytes:
        """The object after a PUT, tried once; ``ConflictError`` when it has changed since."""
        metadata = manifest["metadata"]
        path = resource.path(metadata["namespace"], metadata["name"])
        return await self._transport.send(
            "PUT", path, body=compact(manifest), attempts=1, seconds=seconds
        )

    async def delete(self, resource: Resource, namespace: str, name: str, uid: str) -> bytes:
        """Delete this very object, its dependents in the background.

        ``NotFoundError`` when there is none, ``ConflictError`` when another took its name.
        """
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": uid},
            "propagationPolicy": "Background",
        }
        path = resource.path(namespace, name)
        return await self._transport.send("DELETE", path, body=compact(options))

    async def log_tail(
        self, namespace: str, pod: str, container: str, *, previous: bool, lines: int, limit: int
    ) -> str:
        """The last lines of a container's log, each with its time, cut at ``limit`` bytes.

        Tried once and briefly: a kubelet that does not answer must not hold a reconcile.
        """
        return await self._log(
            namespace,
            pod,
            {
                "container": container,
                "previous": "true" if previous else "false",
                "tailLines": str(lines),
                "limitBytes": str(limit),
                "timestamps": "true",
            },
        )

    async def log_start(self, namespace: str, pod: str, container: str, *, limit: int) -> str:
        """The first ``limit`` bytes of the log of a container that runs; tried once, as above."""
        return await self._log(
            namespace,
            pod,
            {"container": container, "previous": "false", "limitBytes": str(limit)},
        )

    async def _log(self, namespace: str, pod: str, query: Mapping[str, str]) -> str:
        path = f"{POD.path(namespace, pod)}/log"
        answer = await self._transport.send(
            "GET", path, query, accept="*/*", attempts=1, seconds=LOG_SECONDS
        )
        return answer.decode(errors="replace")
