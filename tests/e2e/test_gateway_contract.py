"""The contract of the gateway against a real API server."""

import uuid
from collections.abc import AsyncIterator

import pytest

from e2e.benches import Bench, live_bench
from e2e.gateway_contract import ApplyContract
from e2e.status_contract import ObserveContract, StatusContract
from qmo_cluster.cluster import Cluster

pytestmark = pytest.mark.e2e


@pytest.fixture
async def bench(control_plane_with_crd: Cluster) -> AsyncIterator[Bench]:
    """A namespace of its own in the cluster."""
    namespace = f"contract-{uuid.uuid4().hex[:8]}"
    async with live_bench(str(control_plane_with_crd.kubeconfig), namespace) as live:
        yield live


class TestApply(ApplyContract):
    """Objects."""


class TestStatus(StatusContract):
    """Status and events."""


class TestObserve(ObserveContract):
    """Observation."""
