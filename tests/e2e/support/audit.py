"""The audit log as an exact count of what one account asked of the API server."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import Event

WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})
LEASES = "leases.coordination.k8s.io"
STATUS = "patch quantizedmodels/status"
ONE_MODEL = {"patch deployments": 1, "patch services": 1}
"""What a model whose checkpoint is known takes, beside its status."""
_GOOD = range(200, 300)


@dataclass(frozen=True)
class Request:
    """One answered request."""

    verb: str
    resource: str
    """As RBAC writes it: ``deployments.apps``, ``quantizedmodels.serving.../status``."""
    namespace: str
    name: str
    code: int
    at: datetime

    @property
    def short(self) -> str:
        """For counting: ``patch deployments``; a refused request shows its code."""
        plain, _, sub = self.resource.partition("/")
        said = f"{self.verb} {plain.split('.')[0]}{'/' + sub if sub else ''}"
        return said if self.code in _GOOD else f"{said} ({self.code})"


class Audit:
    """Reads the log of one cluster; every event is on disk before its request is answered."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def mark(self) -> int:
        """The end of the log now."""
        return self._path.stat().st_size

    def requests(self, user: str, since: int = 0) -> list[Request]:
        """What the user asked after the mark, Lease aside, in the order of the answers."""
        needle = json.dumps(user).encode()
        return [
            request
            for line in self._lines(since)
            if needle in line and (request := _request(line, user)) is not None
        ]

    def writes(self, user: str, since: int, *, namespace: str = "") -> Counter[str]:
        """How often the user wrote what after the mark; of one namespace when it is given."""
        return Counter(
            request.short
            for request in self.requests(user, since)
            if request.verb in WRITES and (not namespace or request.namespace == namespace)
        )

    def quiet(self, user: str, seconds: float, *, timeout_seconds: float = 60.0) -> None:
        """Return once the user has written nothing for so long."""
        deadline = time.monotonic() + timeout_seconds
        never = Event()
        mark = self.mark()
        quiet_since = time.monotonic()
        while (now := time.monotonic()) - quiet_since < seconds:
            never.wait(min(0.1, seconds))
            end = self.mark()
            if self.writes(user, mark):
                assert now < deadline, f"{user} does not stop writing"
                quiet_since = time.monotonic()
            mark = end

    def _lines(self, since: int) -> Iterator[bytes]:
        with self._path.open("rb") as log:
            log.seek(since)
            for line in log:
                if line.endswith(b"\n"):
                    yield line


def told(written: Counter[str], most: int) -> Counter[str]:
    """The writes without those of the status, of which there is one and at most so many.

    Two transitions that follow closely are told at once, so their number is not exact.
    """
    assert 1 <= written.pop(STATUS, 0) <= most
    return written


def _request(line: bytes, user: str) -> Request | None:
    event = json.loads(line)
    reference = event.get("objectRef") or {}
    if event["user"]["username"] != user or event["stage"] == "ResponseStarted":
        return None
    group, sub = reference.get("apiGroup", ""), reference.get("subresource", "")
    resource = reference.get("resource", event["requestURI"])
    resource += (f".{group}" if group else "") + (f"/{sub}" if sub else "")
    if resource == LEASES:
        return None
    return Request(
        verb=event["verb"],
        resource=resource,
        namespace=reference.get("namespace", ""),
        name=reference.get("name", ""),
        code=event["responseStatus"]["code"],
        at=datetime.fromisoformat(event["stageTimestamp"]),
    )
