"""Clusters for the end-to-end tests, and the CRD in them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from qmo_cluster.fixtures import control_plane_cluster, node_cluster

if TYPE_CHECKING:
    from qmo_cluster.cluster import Cluster

__all__ = ["control_plane_cluster", "node_cluster"]

REPOSITORY = Path(__file__).resolve().parents[2]
CRD_PATH = (
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    "/quantizedmodels.serving.quantizedmodel.dev"
)


@pytest.fixture(scope="session")
def control_plane_with_crd(control_plane_cluster: Cluster) -> Cluster:
    """The control plane, with the committed CRD established."""
    control_plane_cluster.kubectl(
        "apply", "--server-side", "-f", str(REPOSITORY / "crds" / "quantizedmodels.yaml")
    )
    control_plane_cluster.wait_for_condition(CRD_PATH, "Established")
    return control_plane_cluster
