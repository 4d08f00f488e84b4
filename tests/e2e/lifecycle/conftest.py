"""The cluster, the accounts and a namespace for each test of an operator's life."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.support import watching
from e2e.support.account import Account, create_account
from e2e.support.documents import API_VERSION
from e2e.support.world import World
from qmo_cluster.cluster import Cluster

MODELS = f"/apis/{API_VERSION}/quantizedmodels"


@pytest.fixture(scope="session")
def nodes(control_plane_with_crd: Cluster) -> Iterator[Cluster]:
    """The cluster with fake nodes for some hundred models on CPU."""
    names = control_plane_with_crd.add_gpu_nodes(8, None, prefix="plain")
    control_plane_with_crd.set_stages(ready_seconds=0.3, run_seconds=0.3)
    yield control_plane_with_crd
    control_plane_with_crd.set_stages()
    for name in names:
        control_plane_with_crd.api.delete(f"/api/v1/nodes/{name}")


@pytest.fixture(scope="session")
def account(control_plane_with_crd: Cluster) -> Account:
    """The operator's own."""
    return create_account(control_plane_with_crd, "first")


@pytest.fixture(scope="session")
def second_account(control_plane_with_crd: Cluster) -> Account:
    """Of a second operator, so that the audit log tells them apart."""
    return create_account(control_plane_with_crd, "second")


@pytest.fixture
def world(nodes: Cluster, account: Account, tmp_path: Path) -> Iterator[World]:
    """A new namespace, and no other model anywhere in the cluster."""
    _remove_models(nodes)
    namespace = f"zoo-{uuid.uuid4().hex[:8]}"
    nodes.api.create("/api/v1/namespaces", {"metadata": {"name": namespace}})
    world = World(nodes, namespace, account, tmp_path)
    yield world
    for operator in world.operators:
        operator.stop(kill=True)
    _remove_models(nodes)
    nodes.api.delete(f"/api/v1/namespaces/{namespace}")
    nodes.api.delete("/api/v1/persistentvolumes")


def _remove_models(cluster: Cluster) -> None:
    # A new CRD answers 429 for a moment.
    models = watching.until(cluster, MODELS, lambda _: True, what="models can be listed")
    for namespace in {item["metadata"]["namespace"] for item in models.values()}:
        cluster.api.delete(f"/apis/{API_VERSION}/namespaces/{namespace}/quantizedmodels")
    watching.until(cluster, MODELS, lambda models: not models, what="no model is left")
