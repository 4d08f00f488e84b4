"""One namespace of the node in which restricted pods only are admitted, and how tests use it."""

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from e2e.node.node_site import Exchange, Site
from e2e.support import documents, watching
from e2e.support.world import Body, World
from faults import DAMAGES, Fault
from qmo_demo import installation

START_SECONDS = 600
"""For one start of vLLM; it takes 60 to 90 on two idle cores."""
HARDWARE = {"device": "CPU", "cpu": "100m", "memory": "4Gi"}
"""vLLM takes 2 GiB of it with the tiny model."""

Fill = Callable[[Path], object]


@dataclass
class Space(World):
    """A namespace of its own, with models that really run."""

    site: Site = field(kw_only=True)

    # What is served

    def claim_with(self, name: str, folders: Mapping[str, Fill]) -> None:
        """A claim with the given folders; each is filled by a function."""
        place = self.volume(name)
        for folder, fill in folders.items():
            fill(place / folder)
        place.mkdir(parents=True, exist_ok=True)
        installation.claim_on_node(self.cluster, place, namespace_name=self.namespace, name=name)

    def volume(self, name: str) -> Path:
        """Where the files of a claim lie on this machine."""
        return self.cluster.layout.directory / "volumes" / self.namespace / name

    def tiny_copy(self, folder: Path) -> None:
        """Fill a folder with the good checkpoint."""
        shutil.copytree(self.site.tiny.folder, folder)

    def overwritten_copy(self, folder: Path) -> None:
        """The same with noise in the middle of its weights, behind a header that stays right."""
        self.tiny_copy(folder)
        DAMAGES[Fault.OVERWRITTEN_DATA](folder)

    def spec(self, uri: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - of any field
        """Of a model on CPU; ``hardware`` and ``model`` are added to, not replaced."""
        return {
            **more,
            "model": {"uri": uri, **more.get("model", {})},
            "hardware": {**HARDWARE, **more.get("hardware", {})},
        }

    def change(self, name: str, spec: Mapping[str, Any]) -> None:
        """Merge something into the spec of a model."""
        self.merge("quantizedmodels", name, {"spec": spec})

    # What becomes of it

    def until_serving(self, name: str) -> dict[str, Any]:
        """The model once it is Ready."""
        return self.until(
            "quantizedmodels", name, documents.is_ready, timeout_seconds=START_SECONDS
        )

    def until_told(
        self, name: str, reason: str, type_: str = "Stalled", *, seconds: float = 300
    ) -> dict[str, Any]:
        """The model once a condition has this reason for its current spec."""

        def holds(body: Body) -> bool:
            found = documents.condition(body, type_)
            current = found.get("observedGeneration") == body["metadata"]["generation"]
            return current and found.get("reason") == reason

        return self.until("quantizedmodels", name, holds, timeout_seconds=seconds)

    def pods(self, name: str) -> list[dict[str, Any]]:
        """Serving pods of a model that are not on their way out, oldest first."""
        found = self.cluster.api.get(self.path("pods"), {"labelSelector": serving(name)})
        pods = [pod for pod in found["items"] if "deletionTimestamp" not in pod["metadata"]]
        return sorted(pods, key=lambda pod: str(pod["metadata"]["creationTimestamp"]))

    def until_pods(
        self, name: str, holds: Callable[[list[Body]], bool], *, seconds: float = START_SECONDS
    ) -> list[Body]:
        """All serving pods of a model, once they fulfil the condition."""
        found = watching.until(
            self.cluster,
            self.path("pods"),
            lambda pods: holds(list(pods.values())),
            selector=serving(name),
            timeout_seconds=seconds,
        )
        return list(found.values())

    def count(self, plural: str) -> int:
        """How many objects of a kind there are."""
        return len(self.cluster.api.get(self.path(plural))["items"])

    # Where it answers

    def url(self, name: str) -> str:
        """Of the Service, as the node reaches it."""
        spec = self.the("services", name)["spec"]
        return f"http://{spec['clusterIP']}:{spec['ports'][0]['port']}/v1"

    def clear(self) -> None:
        """Remove the namespace, and its pods without patience: other tests need their memory."""
        self.cluster.api.delete(self.path("quantizedmodels"))
        where = f"--namespace={self.namespace}"
        self.cluster.kubectl(
            "delete", "pods", "--all", where, "--force", "--grace-period=0", check=False
        )
        self.cluster.kubectl("delete", "namespace", self.namespace, "--wait=false")
        for claim in self.cluster.api.get("/api/v1/persistentvolumes")["items"]:
            if claim["spec"]["claimRef"]["namespace"] == self.namespace:
                self.cluster.api.delete(f"/api/v1/persistentvolumes/{claim['metadata']['name']}")


def pod_url(pod: Body) -> str:
    """Of one pod, past the Service."""
    return f"http://{pod['status']['podIP']}:8000/v1"


def serving(name: str) -> str:
    """Selects the serving pods of a model."""
    group = documents.GROUP
    return f"{group}/model={name},app.kubernetes.io/component=serving"


def restarts(pods: list[dict[str, Any]]) -> int:
    """Of all containers together."""
    return sum(
        container["restartCount"]
        for pod in pods
        for container in pod["status"].get("containerStatuses", ())
    )


def uids(pods: list[dict[str, Any]]) -> set[str]:
    """By which pods are told apart."""
    return {pod["metadata"]["uid"] for pod in pods}


def canary(exchange: Exchange) -> dict[str, Any]:
    """``spec.engine`` with a question whose answer the good weights know by heart."""
    return {"canary": {"prompt": exchange.question, "expect": exchange.answer}}


def facts(body: Body) -> str:
    """The status, for the message of a failed test."""
    return json.dumps(body.get("status"), indent=1)


def overwrite_tensors(path: Path, ending: str, value: bytes) -> None:
    """Fill the tensors whose names end so with one value; the header stays right."""
    content = bytearray(path.read_bytes())
    data = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:data])
    tensors = [tensor for name, tensor in header.items() if name.endswith(ending)]
    assert tensors
    for tensor in tensors:
        begin, end = (data + offset for offset in tensor["data_offsets"])
        content[begin:end] = value * ((end - begin) // len(value))
    path.write_bytes(content)
