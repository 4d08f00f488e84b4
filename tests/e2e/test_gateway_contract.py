"""The contract of the gateway against a real API server, with the operator's own rights."""

import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from e2e.benches import Bench, live_bench
from e2e.gateway_contract import ApplyContract
from e2e.status_contract import ObserveContract, StatusContract
from qmo_cluster.cluster import Cluster
from quantized_model_operator.cluster.encoding import compact
from quantized_model_operator.cluster.permissions import Scope, policy_rules

pytestmark = pytest.mark.e2e

ACCOUNT = "contract-operator"


@pytest.fixture(scope="session")
def operator_kubeconfig(
    control_plane_with_crd: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A service account that may do what the table of permissions says, and no more."""
    rules = policy_rules(Scope.MODELS) + policy_rules(Scope.CLUSTER)
    group = "rbac.authorization.k8s.io"
    subject = {"kind": "ServiceAccount", "namespace": "default", "name": ACCOUNT}
    for manifest in (
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": ACCOUNT, "namespace": "default"},
        },
        {
            "apiVersion": f"{group}/v1",
            "kind": "ClusterRole",
            "metadata": {"name": ACCOUNT},
            "rules": rules,
        },
        {
            "apiVersion": f"{group}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": ACCOUNT},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": ACCOUNT},
            "subjects": [subject],
        },
    ):
        text = compact(manifest).decode()
        control_plane_with_crd.kubectl("apply", "--server-side", "-f", "-", stdin=text)
    path = tmp_path_factory.mktemp("rights") / "kubeconfig"
    return control_plane_with_crd.service_account_kubeconfig("default", ACCOUNT, path)


@pytest.fixture
async def bench(control_plane_with_crd: Cluster, operator_kubeconfig: Path) -> AsyncIterator[Bench]:
    """A namespace of its own in the cluster."""
    namespace = f"contract-{uuid.uuid4().hex[:8]}"
    kubeconfig = str(control_plane_with_crd.kubeconfig)
    async with live_bench(
        kubeconfig, namespace, operator_kubeconfig=str(operator_kubeconfig)
    ) as live:
        yield live


class TestApply(ApplyContract):
    """Objects."""


class TestStatus(StatusContract):
    """Status and events."""


class TestObserve(ObserveContract):
    """Observation."""
