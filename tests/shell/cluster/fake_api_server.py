"""An API server on loopback that can fail in every way a real one does.

Versions, watches with bookmarks, paging, label selectors, server-side apply with ownership and
preconditions are real; kinds, schemas and permissions are not looked at.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

from aiohttp import web

from quantized_model_operator.cluster.field_ownership import OwnedDocument
from shell.cluster.fake_api_parts import (
    Body,
    Fault,
    Place,
    Seen,
    Stored,
    Watch,
    desired_of,
    place_of,
    selects,
    status_of,
)

__all__ = ["FakeApiServer", "Fault", "Seen"]


class FakeApiServer:
    """Start it, point a client at ``url``, and misbehave at will."""

    def __init__(self) -> None:
        self.url = ""
        self.seen: list[Seen] = []
        self.faults: list[Fault] = []
        self.watches: list[Watch] = []
        self.log_text: dict[str, str] = {}
        self.previous_log_text: dict[str, str] = {}
        """Of the run before, where it is not the same."""
        self.oldest_version = 0
        """Watches and continued lists from before this version are answered by 410."""
        self._version = 100
        self._objects: dict[tuple[str, str, str], Stored] = {}
        self._history: list[tuple[int, str, Body]] = []
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen on a free port of loopback."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def close(self) -> None:
        """End every watch and stop listening."""
        for watch in self.watches:
            watch.queue.put_nowait(None)
        if self._runner is not None:
            await self._runner.cleanup()

    # What tests do to it

    def fail(self, method: str, status: int, **options: Any) -> None:  # noqa: ANN401 - fields of Fault
        """Answer the next requests of this method (``WATCH`` for watches) by an error."""
        fault = {"times": 1, "reason": "Fault", **options}
        self.faults.append(Fault(lambda seen: seen.method == method, status, **fault))

    def put(self, collection: str, body: Body) -> Body:
        """Create or change an object as somebody else does."""
        metadata = body["metadata"]
        key = (collection, metadata.get("namespace", ""), metadata["name"])
        stored = self._objects.get(key)
        kind = "MODIFIED" if stored else "ADDED"
        if stored is None:
            stored = self._objects[key] = Stored({})
            metadata.setdefault("uid", f"uid-{self._version}")
        else:
            metadata.setdefault("uid", stored.body["metadata"]["uid"])
        stored.body = body
        stored.owned = OwnedDocument()
        stored.owned.apply(desired_of(body), "somebody-else")
        return self._commit(collection, kind, stored)

    def remove(self, collection: str, namespace: str, name: str) -> None:
        """Delete an object as somebody else does."""
        stored = self._objects.pop((collection, namespace, name))
        self._commit(collection, "DELETED", stored)

    def get(self, collection: str, namespace: str, name: str) -> Body | None:
        """An object as it is now."""
        stored = self._objects.get((collection, namespace, name))
        return stored.body if stored else None

    def forget_history(self) -> None:
        """Let every version before now be too old."""
        self.oldest_version = self._version
        self._history.clear()

    def end_watches(self, last: Body | None = None) -> None:
        """End all open watches, each with ``last`` (an ERROR, for example) before."""
        for watch in self.watches:
            if last is not None:
                watch.queue.put_nowait(last)
            watch.queue.put_nowait(None)

    def bookmark(self) -> None:
        """Send a bookmark to all open watches."""
        for watch in self.watches:
            if not watch.silent:
                metadata = {"resourceVersion": str(self._version)}
                watch.queue.put_nowait({"type": "BOOKMARK", "object": {"metadata": metadata}})

    def count(self, method: str) -> int:
        """How many requests of a method arrived."""
        return sum(1 for seen in self.seen if seen.method == method)

    # Serving

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        query = dict(request.query)
        method = "WATCH" if query.get("watch") == "true" else request.method
        seen = Seen(method, request.path, query, dict(request.headers))
        self.seen.append(seen)
        fault = self._fault_for(seen)
        if fault is not None:
            if fault.hang:
                await asyncio.Event().wait()
            return status_of(fault.status, fault.reason, fault.message, headers=fault.headers)
        place = place_of(request.path)
        if place is None:
            return status_of(404, "NotFound", request.path)
        handlers: Mapping[str, Callable[[web.Request, Place], Awaitable[web.StreamResponse]]] = {
            "WATCH": self._watch,
            "GET": self._get,
            "POST": self._create,
            "PUT": self._replace,
            "PATCH": self._apply,
            "DELETE": self._delete,
        }
        return await handlers[method](request, place)

    def _fault_for(self, seen: Seen) -> Fault | None:
        for fault in self.faults:
            if fault.times > 0 and fault.matches(seen):
                fault.times -= 1
                return fault
        return None

    async def _get(self, request: web.Request, place: Place) -> web.StreamResponse:
        if place.sub == "log":
            text = self.log_text.get(place.name)
            if request.query.get("previous") == "true":
                text = self.previous_log_text.get(place.name, text)
            return (
                web.Response(text=text) if text is not None else status_of(404, "NotFound", "log")
            )
        if not place.name:
            return self._list(request, place)
        stored = self._objects.get((place.collection, place.namespace, place.name))
        return web.json_response(stored.body) if stored else status_of(404, "NotFound", place.name)

    def _list(self, request: web.Request, place: Place) -> web.Response:
        limit = int(request.query.get("limit", "0"))
        offset, version = 0, self._version
        if "continue" in request.query:
            version, offset = map(int, request.query["continue"].split(":"))
            if version < self.oldest_version:
                return status_of(410, "Expired", "the continue token is too old")
        selector = request.query.get("labelSelector", "")
        _, _, name = request.query.get("fieldSelector", "").partition("metadata.name=")
        items = [
            item
            for item in self._matching(place, selector)
            if name in ("", item["metadata"]["name"])
        ]
        page = items[offset : offset + limit] if limit else items
        metadata: Body = {"resourceVersion": str(version)}
        if limit and offset + limit < len(items):
            metadata["continue"] = f"{version}:{offset + limit}"
        # Items of a list carry no type, as those of built-in kinds.
        bare = [{k: v for k, v in item.items() if k not in ("kind", "apiVersion")} for item in page]
        return web.json_response({"kind": "List", "metadata": metadata, "items": bare})

    def _matching(self, place: Place, selector: str) -> Iterator[Body]:
        for (collection, namespace, _), stored in sorted(self._objects.items()):
            in_scope = not place.namespace or namespace == place.namespace
            if collection == place.collection and in_scope and selects(selector, stored.body):
                yield stored.body

    async def _watch(self, request: web.Request, place: Place) -> web.StreamResponse:
        since = int(request.query["resourceVersion"])
        if since < self.oldest_version:
            return status_of(410, "Expired", "too old resource version")
        watch = Watch(place.collection, place.namespace, request.query.get("labelSelector", ""))
        for version, collection, event in self._history:
            if version > since and collection == watch.collection:
                self._offer(watch, event)
        self.watches.append(watch)
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        try:
            while (event_ := await watch.queue.get()) is not None:
                await response.write(json.dumps(event_).encode() + b"\n")
        finally:
            self.watches.remove(watch)
        return response

    async def _create(self, request: web.Request, place: Place) -> web.StreamResponse:
        body = await request.json()
        key = (place.collection, place.namespace, body["metadata"]["name"])
        if key in self._objects:
            return status_of(409, "AlreadyExists", f"{key[2]} already exists")
        return web.json_response(self.put(place.collection, body), status=201)

    async def _replace(self, request: web.Request, place: Place) -> web.StreamResponse:
        body = await request.json()
        stored = self._objects.get((place.collection, place.namespace, place.name))
        if stored is None:
            return status_of(404, "NotFound", place.name)
        version = body["metadata"].get("resourceVersion")
        if version and version != stored.body["metadata"]["resourceVersion"]:
            return status_of(409, "Conflict", "the object has been modified")
        return web.json_response(self.put(place.collection, body))

    async def _apply(self, request: web.Request, place: Place) -> web.StreamResponse:
        manifest = json.loads(await request.read())
        key = (place.collection, place.namespace, place.name)
        stored = self._objects.get(key)
        if place.sub == "status":
            if stored is None:
                return status_of(404, "NotFound", place.name)
            if manifest.get("metadata", {}).get("uid", "") not in (
                "",
                stored.body["metadata"]["uid"],
            ):
                return status_of(409, "Conflict", "uid")
            stored.body = {**stored.body, "status": manifest["status"]}
            return web.json_response(self._commit(place.collection, "MODIFIED", stored))
        kind = "MODIFIED" if stored else "ADDED"
        if stored is None:
            stored = self._objects[key] = Stored({"metadata": {"uid": f"uid-{self._version}"}})
        manager = request.query["fieldManager"]
        conflicts = stored.owned.conflicts(manifest, manager)
        if conflicts and request.query.get("force") != "true":
            causes = [{"reason": "FieldManagerConflict", "message": text} for text in conflicts]
            return status_of(409, "Conflict", "; ".join(conflicts), causes=causes)
        stored.owned.apply(desired_of(manifest), manager)
        kept = {k: v for k, v in stored.body.items() if k == "status"}
        document = {**kept, **stored.owned.document()}
        before = stored.body["metadata"]
        changed = document.get("spec") != stored.body.get("spec")
        document["metadata"] = {
            **document["metadata"],
            "uid": before["uid"],
            "generation": before.get("generation", 0) + (1 if changed else 0),
            "managedFields": [{"manager": manager}],
        }
        stored.body = document
        return web.json_response(self._commit(place.collection, kind, stored))

    async def _delete(self, request: web.Request, place: Place) -> web.StreamResponse:
        options = await request.json() if request.can_read_body else {}
        stored = self._objects.get((place.collection, place.namespace, place.name))
        if stored is None:
            return status_of(404, "NotFound", place.name)
        uid = stored.body["metadata"]["uid"]
        if options.get("preconditions", {}).get("uid", uid) != uid:
            return status_of(409, "Conflict", "uid")
        if stored.body["metadata"].get("finalizers"):
            metadata = {**stored.body["metadata"], "deletionTimestamp": "2026-03-01T12:00:00Z"}
            stored.body = {**stored.body, "metadata": metadata}
            return web.json_response(self._commit(place.collection, "MODIFIED", stored))
        self.remove(place.collection, place.namespace, place.name)
        return web.json_response(stored.body)

    def _commit(self, collection: str, kind: str, stored: Stored) -> Body:
        self._version += 1
        metadata = {**stored.body["metadata"], "resourceVersion": str(self._version)}
        stored.body = {**stored.body, "metadata": metadata}
        event = {"type": kind, "object": stored.body, "before": stored.committed}
        stored.committed = stored.body
        self._history.append((self._version, collection, event))
        for watch in self.watches:
            if watch.collection == collection:
                self._offer(watch, event)
        return stored.body

    def _offer(self, watch: Watch, event: Body) -> None:
        body, before = event["object"], event["before"]
        in_scope = not watch.namespace or body["metadata"].get("namespace") == watch.namespace
        if not in_scope or watch.silent:
            return
        if selects(watch.selector, body):
            watch.queue.put_nowait({"type": event["type"], "object": body})
        elif before and selects(watch.selector, before):
            # For this watch an object that is not selected any more is gone.
            watch.queue.put_nowait({"type": "DELETED", "object": body})
