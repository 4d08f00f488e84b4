"""One running cluster as tests see it: its API, its processes, its files."""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from qmo_cluster import credentials, kwok, kwok_stages
from qmo_cluster.api_client import ApiClient, ApiError
from qmo_cluster.commands import run
from qmo_cluster.etcd_client import etcd_call
from qmo_cluster.images import load_images
from qmo_cluster.kwok import GpuModel
from qmo_cluster.processes import Processes, Running
from qmo_cluster.settings import Layout, Settings, load_settings
from qmo_cluster.waiting import wait_until


class Cluster:
    """A cluster that was brought up; open one by its folder with `Cluster.open`."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.layout: Layout = settings.layout
        self.processes = Processes(self.layout)

    @classmethod
    def open(cls, directory: str | Path) -> "Cluster":
        """The cluster in a state folder.

        Raises:
            ClusterError: there is none.
        """
        return cls(load_settings(directory))

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.layout.kubeconfig

    @property
    def environment(self) -> dict[str, Any]:
        """What env.json holds."""
        document: dict[str, Any] = json.loads(self.layout.environment_file.read_text())
        return document

    @property
    def api(self) -> ApiClient:
        """A client with all rights."""
        return self.api_as(credentials.admin_token(self.layout))

    def api_as(self, token: str) -> ApiClient:
        """A client with the rights of a bearer token."""
        return ApiClient(self.settings.api_url, self.layout.credentials / "ca.crt", token)

    # Programs

    def kubectl(
        self, *words: str, stdin: str | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl as administrator."""
        return self._program("kubectl", words, stdin=stdin, check=check)

    def helm(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run helm as administrator, with its own files below the state folder."""
        return self._program("helm", words, stdin=None, check=check)

    def _program(
        self, name: str, words: Sequence[str], *, stdin: str | None, check: bool
    ) -> subprocess.CompletedProcess[str]:
        homes = {
            "KUBECONFIG": str(self.kubeconfig),
            "HELM_CONFIG_HOME": f"{self.layout.directory}/helm/config",
            "HELM_CACHE_HOME": f"{self.layout.directory}/helm/cache",
            "HELM_DATA_HOME": f"{self.layout.directory}/helm/data",
        }
        return run(
            [self.layout.programs / name, *words],
            stdin=stdin,
            check=check,
            env={**os.environ, **homes},
            timeout_seconds=600,
        )

    # Service accounts

    def service_account_token(
        self, namespace: str, name: str, *, seconds: int = 3600, audience: str = ""
    ) -> str:
        """A real token of a service account, issued by TokenRequest."""
        spec: dict[str, Any] = {"expirationSeconds": seconds}
        if audience:
            spec["audiences"] = [audience]
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        token: str = self.api.create(path, request)["status"]["token"]
        return token

    def service_account_kubeconfig(self, namespace: str, name: str, path: Path) -> Path:
        """Write a kubeconfig with which a process has exactly a service account's rights."""
        token = self.service_account_token(namespace, name)
        return credentials.write_kubeconfig(path, self.settings, user=name, token=token)

    # Processes

    def stop(self, name: str, *, kill: bool = False) -> None:
        """End one process, such as `kube-apiserver`; its data and ports are kept."""
        self.processes.stop(name, kill=kill)

    def start(self, name: str) -> None:
        """Start a stopped process as before; for the API server, wait until it is ready."""
        if name == "kwok":
            # Else the new one waits until the leases that the old one held on its nodes expire.
            self.api.delete("/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases")
        self.processes.start(self.processes.restart_spec(name))
        if name == "kube-apiserver":
            self.wait_for_api()

    def restart(self, name: str, *, kill: bool = False) -> None:
        """Stop and start."""
        self.stop(name, kill=kill)
        self.start(name)

    def wake_controllers(self) -> None:
        """Restart what watches the API: after an outage these processes back off, or have ended."""
        for name in ("kube-controller-manager", "kube-scheduler", "kwok"):
            if name in self.processes.names():
                self.restart(name, kill=True)
        for name in ("kube-controller-manager", "kube-scheduler"):
            self._wait_for_health(name)

    def _wait_for_health(self, name: str) -> None:
        url = f"https://127.0.0.1:{self.settings.ports[name]}"
        client = ApiClient(url, self.layout.credentials / "ca.crt", "")

        def healthy() -> bool:
            self.processes.require_running(name)
            return client.is_ready("/healthz")

        wait_until(f"{name} is healthy", healthy)

    def running(self) -> dict[str, Running]:
        """The live processes by name."""
        return {
            name: process
            for name in self.processes.names()
            if (process := self.processes.running(name))
        }

    def wait_for_api(self, timeout_seconds: float = 60) -> None:
        """Wait for /readyz.

        Raises:
            ClusterError: the process ended, or the time is over.
        """

        def ready() -> bool:
            self.processes.require_running("kube-apiserver")
            return self.api.is_ready()

        wait_until("the API server is ready", ready, timeout_seconds=timeout_seconds)

    # etcd

    def etcd(self, path: str, body: Mapping[str, object]) -> dict[str, Any]:
        """A call of etcd's JSON gateway, such as `/v3/kv/range`."""
        return etcd_call(self.settings.ports["etcd"], path, body)

    def compact_etcd(self) -> int:
        """Drop all history up to now and return the revision: etcd forgets older versions."""
        revision = int(self.etcd("/v3/maintenance/status", {})["header"]["revision"])
        self.etcd("/v3/kv/compaction", {"revision": str(revision), "physical": True})
        return revision

    def expire_watches(self) -> None:
        """Make every resourceVersion seen so far too old: clients that resume get 410 Gone.

        The API server answers recent versions from memory, so it is restarted after the compaction.
        """
        self.stop("kube-apiserver")
        self.compact_etcd()
        self.start("kube-apiserver")
        self.wake_controllers()

    # Audit

    def audit_events(self) -> Iterator[dict[str, Any]]:
        """The audit log so far; a line still being written is left out."""
        with self.layout.audit_log.open() as lines:
            for line in lines:
                if line.endswith("\n"):
                    yield json.loads(line)

    # Nodes and pods

    def add_gpu_nodes(
        self,
        count: int,
        gpu: GpuModel | None = kwok.L4,
        *,
        prefix: str = "gpu",
        labels: Mapping[str, str] | None = None,
    ) -> list[str]:
        """Create fake nodes `<prefix>-0`, ... and wait until they are Ready; `gpu=None`: plain."""
        names = [f"{prefix}-{number}" for number in range(count)]
        for name in names:
            node = kwok.fake_node(name, gpu, labels)
            self.api.create("/api/v1/nodes", node)
            # Admission drops nothing here, but a status is only kept by its own subresource.
            self.api.merge(f"/api/v1/nodes/{name}/status", {"status": node["status"]})
        for name in names:
            self.wait_for_condition(f"/api/v1/nodes/{name}", "Ready")
        return names

    def set_stages(self, *, ready_seconds: float = 1, run_seconds: float = 1) -> None:
        """Set how long fake pods take to become Ready, and pods of Jobs to end."""
        self.put_stages(*kwok_stages.stages(ready_seconds=ready_seconds, run_seconds=run_seconds))

    def put_stages(self, *stages: Mapping[str, Any]) -> None:
        """Create or replace kwok stages; they hold for pods that exist already too."""
        for stage in stages:
            self.api.apply(f"{kwok.STAGES_PATH}/{stage['metadata']['name']}", stage)
        # kwok looks at a pod again only when the pod changes or kwok starts.
        if self.processes.running("kwok"):
            self.restart("kwok")

    def delete_stage(self, name: str) -> None:
        """Remove a kwok stage, for example `pod-ready` to keep pods loading."""
        self.api.delete(f"{kwok.STAGES_PATH}/{name}")

    def wait_for_condition(
        self, path: str, condition: str, *, status: str = "True", timeout_seconds: float = 60
    ) -> dict[str, Any]:
        """Wait until the object at an API path has a condition, and return the object."""

        def observed() -> dict[str, Any] | None:
            try:
                document = self.api.get(path)
            except (ApiError, OSError):
                return None
            conditions = document.get("status", {}).get("conditions") or []
            found = any(c["type"] == condition and c["status"] == status for c in conditions)
            return document if found else None

        what = f"{path} has {condition}={status}"
        return wait_until(what, observed, timeout_seconds=timeout_seconds)

    def load_image(self, *archives: str | Path, index_name: str | None = None) -> None:
        """Import image archives into the node."""
        load_images(self.layout, archives, index_name=index_name)
