"""One namespace, the operators that serve it, and the words in which tests speak of them."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from e2e.support import documents, watching
from e2e.support.account import Account, write_kubeconfig
from e2e.support.audit import Audit
from e2e.support.operator_process import OperatorProcess
from qmo_cluster.api_client import ApiError
from qmo_cluster.cluster import Cluster

QUIET_SECONDS = 1.0
NOT_FOUND = 404
Body = Mapping[str, Any]
Condition = Callable[[Body], bool]

_COLLECTIONS = {
    "quantizedmodels": f"/apis/{documents.API_VERSION}",
    "deployments": "/apis/apps/v1",
    "replicasets": "/apis/apps/v1",
    "jobs": "/apis/batch/v1",
}
"""Where plurals live that are not of the core group."""


@dataclass
class World:
    """A namespace of its own in the cluster of the tests."""

    cluster: Cluster
    namespace: str
    account: Account
    folder: Path
    operators: list[OperatorProcess] = field(default_factory=list)

    @property
    def audit(self) -> Audit:
        """Of the cluster."""
        return Audit(self.cluster.layout.audit_log)

    # Operators

    def operator(
        self,
        *,
        account: Account | None = None,
        server: str = "",
        working: bool = True,
        **settings: str,
    ) -> OperatorProcess:
        """Start an operator; settings are variables without their prefix, in lower case."""
        number = len(self.operators)
        kubeconfig = write_kubeconfig(
            self.cluster, account or self.account, self.folder / f"kubeconfig-{number}", server
        )
        variables = {f"QMO_{name.upper()}": text for name, text in settings.items()}
        process = OperatorProcess(kubeconfig, self.folder / f"operator-{number}.log", variables)
        self.operators.append(process)
        if working:
            process.wait_working()
        return process

    # Objects

    def path(self, plural: str, name: str = "") -> str:
        """In this namespace."""
        collection = f"{_COLLECTIONS.get(plural, '/api/v1')}/namespaces/{self.namespace}/{plural}"
        return f"{collection}/{name}" if name else collection

    def get(self, plural: str, name: str) -> dict[str, Any] | None:
        """An object; ``None`` when there is none."""
        try:
            return self.cluster.api.get(self.path(plural, name))
        except ApiError as error:
            if error.status == NOT_FOUND:
                return None
            raise

    def the(self, plural: str, name: str) -> dict[str, Any]:
        """An object that exists."""
        return self.cluster.api.get(self.path(plural, name))

    def create(self, plural: str, body: Body) -> dict[str, Any]:
        """Create an object as an administrator."""
        return self.cluster.api.create(self.path(plural), body)

    def model(self, name: str, spec: Body) -> dict[str, Any]:
        """Create a model."""
        return self.create("quantizedmodels", documents.model(self.namespace, name, spec))

    def claim(self, name: str) -> str:
        """Create a claim and its volume, bound, with a known checkpoint; the claim's uid."""
        self.cluster.api.create("/api/v1/persistentvolumes", documents.volume(self.namespace, name))
        self.create("persistentvolumeclaims", documents.claim(self.namespace, name))
        bound = self.until(
            "persistentvolumeclaims", name, lambda body: body["status"].get("phase") == "Bound"
        )
        uid = str(bound["metadata"]["uid"])
        self.know(uri=f"pvc://{name}/tiny", commit=uid, integrity="Manifest")
        return uid

    def know(self, **facts: Any) -> None:  # noqa: ANN401 - of any fact
        """Record a checkpoint, so that models of it need no inspection."""
        self.create("configmaps", documents.record(self.namespace, documents.facts(**facts)))

    def merge(self, plural: str, name: str, change: Body) -> dict[str, Any]:
        """Change an object as an administrator with kubectl would."""
        return self.cluster.api.merge(self.path(plural, name), change)

    def delete(self, plural: str, name: str) -> None:
        """Delete an object."""
        self.cluster.api.delete(self.path(plural, name))

    # Waiting

    def until(
        self, plural: str, name: str, holds: Condition, *, timeout_seconds: float = 60.0
    ) -> dict[str, Any]:
        """The object once it exists and the condition holds."""
        found = watching.until(
            self.cluster,
            self.path(plural),
            lambda objects: name in objects and holds(objects[name]),
            name=name,
            timeout_seconds=timeout_seconds,
        )
        return dict(found[name])

    def until_ready(self, name: str, *, timeout_seconds: float = 60.0) -> dict[str, Any]:
        """The model once it is Ready for its current spec."""
        return self.until(
            "quantizedmodels", name, documents.is_ready, timeout_seconds=timeout_seconds
        )

    def until_reason(self, name: str, reason: str, type_: str = "Ready") -> dict[str, Any]:
        """The model once a condition has this reason, for its current spec."""

        def holds(body: Body) -> bool:
            found = documents.condition(body, type_)
            current = found.get("observedGeneration") == body["metadata"]["generation"]
            return current and found.get("reason") == reason

        return self.until("quantizedmodels", name, holds)

    def until_gone(self, plural: str, name: str, *, timeout_seconds: float = 60.0) -> None:
        """Return once there is no object of this name."""
        watching.until(
            self.cluster,
            self.path(plural),
            lambda objects: not objects,
            name=name,
            timeout_seconds=timeout_seconds,
            what=f"{plural} {name} is gone",
        )

    def until_all_ready(self, count: int, *, timeout_seconds: float = 240.0) -> None:
        """Return once so many models are there and all are Ready."""
        watching.until(
            self.cluster,
            self.path("quantizedmodels"),
            lambda models: len(models) == count and all(map(documents.is_ready, models.values())),
            timeout_seconds=timeout_seconds,
            what=f"all of {count} models Ready",
        )

    # Counting

    def mark(self) -> int:
        """From here on, once the account is quiet."""
        self.settle()
        return self.audit.mark()

    def settle(self, seconds: float = QUIET_SECONDS) -> None:
        """Return once the account has written nothing for a while."""
        self.audit.quiet(self.account.user, seconds)

    def writes(self, since: int) -> Counter[str]:
        """Everything the account wrote since the mark, once it is quiet."""
        self.settle()
        return self.audit.writes(self.account.user, since)

    def repair_seconds(
        self, plural: str, name: str, change: Callable[[], object], holds: Condition
    ) -> float:
        """From the answer to a change until the condition holds (again)."""
        change()
        started = time.monotonic()
        self.until(plural, name, holds)
        return time.monotonic() - started
