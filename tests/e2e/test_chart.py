"""The chart and the install manifest on a real API server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from qmo_cluster.waiting import wait_until
from quantized_model_operator.api.v1alpha1 import API_VERSION, KIND
from quantized_model_operator.cluster.permissions import PERMISSIONS, Scope

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qmo_cluster.cluster import Cluster

pytestmark = pytest.mark.e2e

REPOSITORY = Path(__file__).resolve().parents[2]
CHART = REPOSITORY / "charts" / "quantized-model-operator"
MANIFEST = REPOSITORY / "charts" / "install.yaml"
NAMESPACE = "quantized-model-system"
DEPLOYMENT = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/quantized-model-operator"
ACCOUNT = f"system:serviceaccount:{NAMESPACE}:quantized-model-operator"
MODELS = f"/apis/{API_VERSION}/namespaces/default/quantizedmodels"


@pytest.fixture(scope="module")
def installed(control_plane_with_crd: Cluster) -> Iterator[Cluster]:
    """The cluster with what `kubectl apply -f install.yaml` makes; the CRD stays afterwards."""
    cluster = control_plane_with_crd
    words = ("apply", "--server-side", "--force-conflicts", "-f", str(MANIFEST))
    cluster.kubectl(*words)
    yield cluster
    labels = "app.kubernetes.io/instance=quantized-model-operator"
    cluster.kubectl("delete", "clusterroles,clusterrolebindings", "--selector", labels)
    cluster.kubectl("delete", "namespace", NAMESPACE)


def allowed(cluster: Cluster, verb: str, group: str, resource: str, namespace: str) -> bool:
    """Whether the operator's account may do this, by the API server's own answer."""
    name, _, subresource = resource.partition("/")
    attributes = {
        "verb": verb,
        "group": group,
        "resource": name,
        "subresource": subresource,
        "namespace": namespace,
    }
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": ACCOUNT, "resourceAttributes": attributes},
    }
    answer: dict[str, Any] = cluster.api.create(
        "/apis/authorization.k8s.io/v1/subjectaccessreviews", review
    )
    return bool(answer["status"]["allowed"])


def test_the_operators_pod_is_admitted(installed: Cluster) -> None:
    """In a namespace that enforces the restricted standard, the Deployment gets its pod."""
    labels = installed.api.get(f"/api/v1/namespaces/{NAMESPACE}")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    pods = wait_until(
        "the Deployment has a pod",
        lambda: installed.api.get(f"/api/v1/namespaces/{NAMESPACE}/pods")["items"],
        timeout_seconds=30,
    )
    assert len(pods) == 1


def test_the_account_may_do_what_the_table_says(installed: Cluster) -> None:
    """Every row of the table holds where its scope says: everywhere, or at home only."""
    for row in PERMISSIONS:
        places = [NAMESPACE] if row.scope is Scope.OWN else ["default", "kube-system"]
        for verb in row.verbs:
            for place in places:
                assert allowed(installed, verb, row.group, row.resource, place), (verb, row)


@pytest.mark.parametrize(
    ("verb", "group", "resource", "namespace"),
    [
        ("get", "", "secrets", "default"),
        ("list", "", "secrets", NAMESPACE),
        ("create", "", "pods", "default"),
        ("create", "", "pods/exec", "default"),
        ("delete", "apps", "deployments", "default"),
        ("patch", "batch", "jobs", "default"),
        ("patch", "serving.quantizedmodel.dev", "quantizedmodels", "default"),
        ("patch", "", "nodes", ""),
        ("create", "", "serviceaccounts/token", NAMESPACE),
        ("create", "rbac.authorization.k8s.io", "rolebindings", NAMESPACE),
        ("update", "coordination.k8s.io", "leases", "default"),
    ],
)
def test_the_account_may_do_nothing_else(
    installed: Cluster, verb: str, group: str, resource: str, namespace: str
) -> None:
    """What the operator has no use for, the API server denies it."""
    assert not allowed(installed, verb, group, resource, namespace)


def test_users_with_the_edit_role_may_write_models(installed: Cluster) -> None:
    """The cluster's own roles take in the rights on models."""

    def resources(role: str) -> set[tuple[str, str]]:
        rules = installed.api.get(f"/apis/rbac.authorization.k8s.io/v1/clusterroles/{role}")
        return {
            (resource, verb)
            for rule in rules.get("rules") or ()
            if "serving.quantizedmodel.dev" in rule.get("apiGroups", ())
            for resource in rule["resources"]
            for verb in rule["verbs"]
        }

    edit = wait_until("edit is extended", lambda: resources("edit"), timeout_seconds=30)
    assert {("quantizedmodels", "create"), ("quantizedmodels/scale", "patch")} <= edit
    view = resources("view")
    assert ("quantizedmodels", "list") in view
    assert ("quantizedmodels", "create") not in view


def test_a_release_lives_and_goes_without_its_models(control_plane_with_crd: Cluster) -> None:
    """Helm installs, upgrades and uninstalls the chart; the CRD and the models outlive it."""
    cluster = control_plane_with_crd
    model = {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": "survivor"},
        "spec": {"model": {"uri": "pvc://weights/river"}},
    }
    cluster.api.create(MODELS, model)
    # Other tests applied the CRD before, so the release has to take it over.
    taking = ("--take-ownership", "--force-conflicts")
    words = ("otter", str(CHART), "--namespace", "helm-tests", *taking)
    installed = cluster.helm("install", *words, "--create-namespace")
    assert "rollout status deployment/otter-quantized-model-operator" in installed.stdout
    assert "kind: QuantizedModel" in installed.stdout
    cluster.helm("upgrade", *words, "--set", "replicas=2")
    deployment = cluster.api.get(
        "/apis/apps/v1/namespaces/helm-tests/deployments/otter-quantized-model-operator"
    )
    assert deployment["spec"]["replicas"] == 2
    cluster.helm("uninstall", "otter", "--namespace", "helm-tests")
    assert cluster.api.get(f"{MODELS}/survivor")["spec"]["replicas"] == 1
    cluster.api.delete(f"{MODELS}/survivor")
    cluster.kubectl("delete", "namespace", "helm-tests")
