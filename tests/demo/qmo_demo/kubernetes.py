"""The cluster that the demo talks to: kubectl and helm with one kubeconfig."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qmo_cluster.building import ensure_programs
from qmo_cluster.cluster import Cluster
from qmo_cluster.commands import run
from qmo_cluster.errors import fail
from qmo_cluster.programs import Profile
from qmo_cluster.progress import Progress

if TYPE_CHECKING:
    from pathlib import Path

Document = dict[str, Any]


@dataclass(frozen=True)
class Kubernetes:
    """A cluster by its programs and its kubeconfig; an empty kubeconfig means the user's own."""

    kubectl_program: str
    helm_program: str
    kubeconfig: str = ""

    @property
    def environment(self) -> dict[str, str]:
        """Of the programs."""
        own = {"KUBECONFIG": self.kubeconfig} if self.kubeconfig else {}
        return {**os.environ, **own}

    def kubectl(self, *words: str, stdin: str | None = None, check: bool = True) -> str:
        """What kubectl prints."""
        return self._done(self.kubectl_program, words, stdin=stdin, check=check).stdout

    def helm(self, *words: str) -> str:
        """What helm prints."""
        return self._done(self.helm_program, words, stdin=None, check=True).stdout

    def apply(self, *manifests: Mapping[str, Any]) -> None:
        """Apply on the server's side, as GitOps tools do."""
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(manifests)})
        self.kubectl("apply", "--server-side", "--filename=-", stdin=text)

    def get(self, kind: str, name: str, namespace: str) -> Document | None:
        """The object; `None` when there is none."""
        text = self.kubectl(
            "get", kind, name, f"--namespace={namespace}", "--ignore-not-found", "--output=json"
        )
        return json.loads(text) if text.strip() else None

    def _done(
        self, program: str, words: tuple[str, ...], *, stdin: str | None, check: bool
    ) -> subprocess.CompletedProcess[str]:
        return run(
            [program, *words],
            stdin=stdin,
            check=check,
            env=self.environment,
            timeout_seconds=900,
        )


def of_cluster(cluster: Cluster) -> Kubernetes:
    """The cluster that the demo made itself."""
    programs: Path = cluster.layout.programs
    return Kubernetes(
        kubectl_program=str(programs / "kubectl"),
        helm_program=str(programs / "helm"),
        kubeconfig=str(cluster.kubeconfig),
    )


def of_current_context(progress: Progress) -> Kubernetes:
    """The cluster that kubectl points at now."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        fail("CLUSTER=current needs kubectl on the PATH.")
    helm = shutil.which("helm")
    if helm is None:
        built = ensure_programs(Profile.CONTROL_PLANE, progress)
        helm = next(str(path) for path in built if path.name == "helm")
    here = Kubernetes(kubectl_program=kubectl, helm_program=helm)
    here.kubectl("version")
    return here
