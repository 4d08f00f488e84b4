"""A fake API server with the discovery that kopf asks for, a record and models to serve."""

import json
from pathlib import Path
from typing import Any

from aiohttp import web

from checkpoints import seven_billion
from quantized_model_operator.api.v1alpha1 import API_VERSION, GROUP, KIND, PLURAL, VERSION
from quantized_model_operator.cluster.kinds import DEPLOYMENT, LEASE, MODEL
from quantized_model_operator.domain.checkpoint import (
    InspectionReport,
    report_to_json,
)
from quantized_model_operator.domain.decision import record_name
from quantized_model_operator.domain.well_known import (
    MANAGED_BY,
    MANAGED_BY_LABEL,
    RECORD_DATA_KEY,
    RECORD_LABEL,
)
from shell.cluster.fake_api_server import FakeApiServer, Seen

NAMESPACE = "zoo"
URI = "hf://zoo/otter-7b-gptq-int4"
COMMIT = "0" * 40

MODELS = MODEL.collection()
DEPLOYMENTS = DEPLOYMENT.collection()
LEASES = LEASE.collection()

WRITES = ("POST", "PUT", "PATCH", "DELETE")

_FACTS = seven_billion(uri=URI, commit=COMMIT, weights_bytes=5_570_000_000)


def _resource(kind: str, plural: str, *, namespaced: bool) -> dict[str, Any]:
    return {
        "name": plural,
        "singularName": kind.lower(),
        "namespaced": namespaced,
        "kind": kind,
        "verbs": ["get", "list", "watch", "patch"],
    }


# kopf does not begin before it has found these two of the core group.
_CORE = [
    _resource("Namespace", "namespaces", namespaced=False),
    _resource("Event", "events", namespaced=True),
]
_GROUP_VERSION = {"groupVersion": API_VERSION, "version": VERSION}
_DISCOVERY: dict[str, dict[str, Any]] = {
    "/api": {"versions": ["v1"]},
    "/api/v1": {"groupVersion": "v1", "resources": _CORE},
    "/apis": {
        "groups": [
            {"name": GROUP, "versions": [_GROUP_VERSION], "preferredVersion": _GROUP_VERSION}
        ]
    },
    f"/apis/{API_VERSION}": {
        "groupVersion": API_VERSION,
        "resources": [_resource(KIND, PLURAL, namespaced=True)],
    },
}


class FakeCluster(FakeApiServer):
    """Knows QuantizedModels; one checkpoint in the namespace has been inspected."""

    def __init__(self) -> None:
        super().__init__()
        name = record_name(URI, COMMIT)
        labels = {MANAGED_BY_LABEL: MANAGED_BY, RECORD_LABEL: "inspection"}
        self.put(
            "/api/v1/configmaps",
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"namespace": NAMESPACE, "name": name, "labels": labels},
                "data": {RECORD_DATA_KEY: report_to_json(InspectionReport(facts=_FACTS))},
            },
        )

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        found = _DISCOVERY.get(request.path)
        if found is not None:
            return web.json_response(found)
        return await super()._handle(request)

    def add_model(self, name: str, **spec: Any) -> None:  # noqa: ANN401 - any part of a spec
        """Create a model whose checkpoint is known, as a user does."""
        self.put(
            MODELS,
            {
                "apiVersion": API_VERSION,
                "kind": KIND,
                "metadata": {"namespace": NAMESPACE, "name": name, "generation": 1},
                "spec": {
                    "model": {"uri": URI, "revision": COMMIT},
                    "hardware": {"device": "GPU", "products": ["NVIDIA-L4"]},
                    "replicas": 1,
                    **spec,
                },
            },
        )

    def hold_lease(self, identity: str) -> None:
        """Take the Lease as another process does."""
        self.put(
            LEASES,
            {
                "apiVersion": "coordination.k8s.io/v1",
                "kind": "Lease",
                "metadata": {"namespace": "system", "name": "quantized-model-operator"},
                "spec": {"holderIdentity": identity, "leaseDurationSeconds": 15},
            },
        )

    def status_of(self, name: str) -> dict[str, Any]:
        """The status of a model; empty while there is none."""
        model = self.get(MODELS, NAMESPACE, name)
        return dict((model or {}).get("status") or {})

    def has_deployment(self, name: str) -> bool:
        """Whether a model is served."""
        return self.get(DEPLOYMENTS, NAMESPACE, name) is not None

    def writes(self) -> list[Seen]:
        """Everything that was written, but for Leases."""
        return [s for s in self.seen if s.method in WRITES and not s.path.startswith("/apis/coord")]

    def requests(self, method: str, path: str) -> list[Seen]:
        """Requests of one method for one collection or object."""
        return [seen for seen in self.seen if seen.method == method and seen.path == path]

    def fail_watches(self, collection: str, code: int = 500) -> None:
        """End the watches of one collection by an error inside the stream."""
        error = {"kind": "Status", "code": code, "reason": "Fault", "message": "a fault"}
        for watch in [watch for watch in self.watches if watch.collection == collection]:
            watch.queue.put_nowait({"type": "ERROR", "object": error})
            watch.queue.put_nowait(None)

    def write_kubeconfig(self, path: Path) -> Path:
        """A kubeconfig for processes."""
        named = {"name": "fake"}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "fake",
            "clusters": [{**named, "cluster": {"server": self.url}}],
            "users": [{**named, "user": {"token": "secret"}}],
            "contexts": [{**named, "context": {"cluster": "fake", "user": "fake"}}],
        }
        path.write_text(json.dumps(document), encoding="utf-8")
        return path
