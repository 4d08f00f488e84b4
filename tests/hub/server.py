"""The HTTP side of the hub: the requests that the client makes, answered in the hub's forms.

Large files are answered, as by the real hub, with a redirect to another origin (a second port),
where no token is needed and none must arrive.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from hub.faults import Faults
from hub.repositories import Repositories, Repository, StoredFile
from hub.transfer import send_file

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Access:
    """Who may read what; a repository that is named nowhere is open to all."""

    gated: dict[str, set[str]] = field(default_factory=dict)
    """Repository to the tokens that may read its files; its description is open."""
    private: dict[str, set[str]] = field(default_factory=dict)
    """Repository to the tokens for which it exists."""
    known_tokens: set[str] = field(default_factory=set)
    """Tokens that are valid although they open nothing."""

    def is_valid(self, token: str) -> bool:
        """Whether the hub knows the token."""
        opened = [*self.gated.values(), *self.private.values()]
        return token in self.known_tokens or any(token in tokens for tokens in opened)


class Hub:
    """The server; counters and faults may be used from any thread."""

    def __init__(self, root: Path, access: Access | None = None) -> None:
        self.repositories = Repositories(root)
        self.access = access or Access()
        self.faults = Faults()
        self.requests: Counter[str] = Counter()
        """Requests by ``METHOD path``."""
        self.bytes_sent: Counter[str] = Counter()
        """Bytes of content by ``organisation/name/path``."""
        self.leaked_tokens = 0
        """Requests with a token that arrived at the store of large files."""
        self._runners: list[web.AppRunner] = []
        self.endpoint = ""
        self._store = ""

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Serve on an address, the store on a free port of it; the answer is the endpoint."""
        self._store = await self._listen(self._store_application(), host, 0)
        self.endpoint = await self._listen(self._application(), host, port)
        return self.endpoint

    async def stop(self) -> None:
        """Close all connections and the ports."""
        for runner in self._runners:
            await runner.cleanup()
        self._runners.clear()

    def total_requests(self) -> int:
        """Requests of all kinds, those to the store included."""
        return sum(self.requests.values())

    def forget_counts(self) -> None:
        """Start counting anew."""
        self.requests.clear()
        self.bytes_sent.clear()

    async def _listen(self, application: web.Application, host: str, port: int) -> str:
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, host, port).start()
        self._runners.append(runner)
        return f"http://{host}:{runner.addresses[0][1]}"

    def _application(self) -> web.Application:
        application = web.Application(middlewares=[self._count, self._fail, self._check_token])
        name = "/{organisation}/{name}"
        application.router.add_get("/healthz", _healthy)
        application.router.add_get(f"/api/models{name}", self._model)
        application.router.add_get(f"/api/models{name}/revision/{{revision}}", self._model)
        application.router.add_get(f"/api/models{name}/tree/{{revision}}", self._tree)
        application.router.add_get(f"/api/models{name}/tree/{{revision}}/{{folder:.+}}", self._tree)
        application.router.add_get(f"{name}/resolve/{{revision}}/{{path:.+}}", self._resolve)
        return application

    def _store_application(self) -> web.Application:
        application = web.Application(middlewares=[self._count])
        application.router.add_get("/store/{sha256}/{label:.+}", self._stored)
        return application

    @web.middleware
    async def _count(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self.requests[f"{request.method} {request.path}"] += 1
        return await handler(request)

    @web.middleware
    async def _fail(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        status = None if request.path == "/healthz" else self.faults.next_failure()
        if status is not None:
            return _error(status, "", "the hub has trouble")
        return await handler(request)

    @web.middleware
    async def _check_token(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        token = _token(request)
        if token and not self.access.is_valid(token):
            return _error(401, "", "Invalid credentials in Authorization header")
        return await handler(request)

    async def _repository(self, request: web.Request) -> Repository:
        """The repository at the revision that the request names; else the hub's refusal."""
        name = f"{request.match_info['organisation']}/{request.match_info['name']}"
        token = _token(request)
        hidden = name in self.access.private and token not in self.access.private[name]
        repository = None if hidden else await asyncio.to_thread(self.repositories.get, name)
        if repository is None:
            if token:
                raise _Refused(_error(404, "RepoNotFound", "Repository not found"))
            raise _Refused(_error(401, "RepoNotFound", "Invalid username or password."))
        revision = request.match_info.get("revision", "main")
        if revision not in ("main", repository.commit):
            raise _Refused(_error(404, "RevisionNotFound", f"Invalid rev id: {revision}"))
        return repository

    async def _model(self, request: web.Request) -> web.StreamResponse:
        try:
            repository = await self._repository(request)
        except _Refused as refused:
            return refused.response
        blobs = request.query.get("blobs", "").lower() in ("1", "true")
        return web.json_response(repository.info(blobs=blobs))

    async def _tree(self, request: web.Request) -> web.StreamResponse:
        try:
            repository = await self._repository(request)
        except _Refused as refused:
            return refused.response
        recursive = request.query.get("recursive", "").lower() in ("1", "true")
        folder = request.match_info.get("folder", "")
        return web.json_response(repository.tree(folder, recursive=recursive))

    async def _resolve(self, request: web.Request) -> web.StreamResponse:
        try:
            repository = await self._repository(request)
        except _Refused as refused:
            return refused.response
        commit = {"X-Repo-Commit": repository.commit}
        if repository.name in self.access.gated:
            token = _token(request)
            if token not in self.access.gated[repository.name]:
                status = 403 if token else 401
                text = f"Access to model {repository.name} is restricted."
                return _error(status, "GatedRepo", text, commit)
        path = request.match_info["path"]
        file = repository.files.get(path)
        if file is None:
            return _error(404, "EntryNotFound", "Entry not found", commit)
        label = f"{repository.name}/{path}"
        if file.large:
            return self._redirect(file, label, commit)
        headers = {**commit, "ETag": f'"{file.etag}"'}
        return await self._send(request, file, label, headers)

    async def _send(
        self, request: web.Request, file: StoredFile, label: str, headers: dict[str, str]
    ) -> web.StreamResponse:
        return await send_file(
            request,
            file,
            label=label,
            headers=headers,
            faults=self.faults,
            bytes_sent=self.bytes_sent,
        )

    def _redirect(self, file: StoredFile, label: str, commit: dict[str, str]) -> web.Response:
        headers = {
            **commit,
            "Location": f"{self._store}/store/{file.sha256}/{label}",
            "X-Linked-Etag": f'"{file.sha256}"',
            "X-Linked-Size": str(file.size),
            "ETag": f'"{file.sha256}"',
            "Accept-Ranges": "bytes",
        }
        return web.Response(status=302, headers=headers)

    async def _stored(self, request: web.Request) -> web.StreamResponse:
        self.leaked_tokens += bool(_token(request))
        file = self.repositories.large_file(request.match_info["sha256"])
        if file is None:
            return _error(404, "", "no such object")
        headers = {"ETag": f'"{file.sha256}"'}
        label = request.match_info["label"]
        return await self._send(request, file, label, headers)


class _Refused(Exception):  # noqa: N818 - carries an answer, is no error of the server
    def __init__(self, response: web.Response) -> None:
        super().__init__(response.status)
        self.response = response


def _token(request: web.Request) -> str:
    return request.headers.get("Authorization", "").removeprefix("Bearer ").strip()


def _error(
    status: int, code: str, message: str, headers: dict[str, str] | None = None
) -> web.Response:
    extra = {"X-Error-Message": message, **(headers or {})}
    if code:
        extra["X-Error-Code"] = code
    return web.json_response({"error": message}, status=status, headers=extra)


async def _healthy(_request: web.Request) -> web.Response:
    return web.Response(text="ok\n")
