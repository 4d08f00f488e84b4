"""A ServiceAccount with exactly the rights that the chart gives, and its kubeconfig."""

from dataclasses import dataclass
from pathlib import Path

import yaml

from qmo_cluster import credentials
from qmo_cluster.cluster import Cluster
from tools.helm_program import render_chart

HOME = "operator-home"
"""Namespace of the operators."""
_RIGHTS = frozenset({"ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"})


@dataclass(frozen=True)
class Account:
    """Who an operator is."""

    release: str
    home: str = HOME
    """Namespace of the ServiceAccount."""

    @property
    def name(self) -> str:
        """Of the ServiceAccount."""
        return f"{self.release}-quantized-model-operator"

    @property
    def user(self) -> str:
        """As the audit log names it."""
        return f"system:serviceaccount:{self.home}:{self.name}"


def create_account(cluster: Cluster, release: str) -> Account:
    """Apply the part of the chart that says who may do what."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": HOME}}
    documents = [
        document
        for document in yaml.safe_load_all(render_chart(release=release, namespace=HOME))
        if document and document["kind"] in _RIGHTS
    ]
    text = yaml.safe_dump_all([namespace, *documents])
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=text)
    return Account(release)


def write_kubeconfig(cluster: Cluster, account: Account, path: Path, server: str = "") -> Path:
    """A kubeconfig with a fresh token; ``server`` replaces the address of the API server."""
    token = cluster.service_account_token(HOME, account.name)
    credentials.write_kubeconfig(path, cluster.settings, user=account.name, token=token)
    if server:
        text = path.read_text()
        assert cluster.settings.api_url in text
        path.write_text(text.replace(cluster.settings.api_url, server))
    return path
