"""The part of an API server that lists nodes and pods, and gives objects, in its own thread."""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

Body = dict[str, Any]


def gpu_node_body(name: str, product: str, gpus: int, *, ready: bool = True, **more: Any) -> Body:  # noqa: ANN401
    """A node as GPU Feature Discovery and the device plugin describe it."""
    return {
        "metadata": {"name": name, "labels": {"nvidia.com/gpu.product": product}},
        "spec": {"taints": [{"key": "nvidia.com/gpu", "effect": "NoSchedule"}], **more},
        "status": {
            "allocatable": {"cpu": "32", "memory": "128Gi", "nvidia.com/gpu": str(gpus)},
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
        },
    }


def gpu_pod_body(name: str, node: str, gpus: int, phase: str = "Running") -> Body:
    """A pod that holds GPUs of a node."""
    limits = {"nvidia.com/gpu": str(gpus)}
    return {
        "metadata": {"name": name, "namespace": "burrow"},
        "spec": {"nodeName": node, "containers": [{"name": "c", "resources": {"limits": limits}}]},
        "status": {"phase": phase},
    }


class FakeNodes(ThreadingHTTPServer):
    """Answers lists; what was asked is in ``paths``."""

    daemon_threads = True

    def __init__(self, nodes: Sequence[Body], pods: Sequence[Body]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.lists: dict[str, Sequence[Body]] = {"/api/v1/nodes": nodes, "/api/v1/pods": pods}
        self.objects: dict[str, Body] = {}
        self.forbidden: set[str] = set()
        self.paths: list[str] = []

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def write_kubeconfig(self, file: Path, context: str = "zoo") -> Path:
        """A kubeconfig whose only context leads here."""
        document = {
            "current-context": context,
            "contexts": [{"name": context, "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": {"server": self.url}}],
            "users": [{"name": "u", "user": {"token": "secret"}}],
        }
        file.write_text(json.dumps(document))
        return file


class _Handler(BaseHTTPRequestHandler):
    server: FakeNodes

    def do_GET(self) -> None:
        """Answer a list, whatever the limit, or an object."""
        path = self.path.partition("?")[0]
        self.server.paths.append(path)
        if path in self.server.forbidden:
            self._answer(403, {"kind": "Status", "reason": "Forbidden", "message": "no"})
        elif path in self.server.objects:
            self._answer(200, self.server.objects[path])
        elif path in self.server.lists:
            found = _selected(self.server.lists[path], self.path.partition("?")[2])
            self._answer(200, {"items": found, "metadata": {}})
        else:
            self._answer(404, {"kind": "Status", "reason": "NotFound", "message": path})

    def _answer(self, code: int, body: Body) -> None:
        content = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""


def _selected(items: Sequence[Body], query: str) -> list[Body]:
    """Those with the one label that a selector names; all without a selector."""
    (selector,) = parse_qs(query).get("labelSelector", [""])
    key, _, value = selector.partition("=")
    return [
        item
        for item in items
        if not key or (item["metadata"].get("labels") or {}).get(key) == value
    ]


@contextmanager
def running_nodes(nodes: Sequence[Body], pods: Sequence[Body] = ()) -> Iterator[FakeNodes]:
    """The server, until the block ends."""
    server = FakeNodes(nodes, pods)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
