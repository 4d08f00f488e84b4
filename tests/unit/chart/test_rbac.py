"""What the rendered roles allow is the table of permissions, no more and no less."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from quantized_model_operator.cluster.permissions import Scope, policy_rules
from unit.chart.rendering import CI_VALUES, NAMESPACE, Manifest, of_kind, rendered

if TYPE_CHECKING:
    from pathlib import Path

NAMESPACES = "{namespaces: [team-a, team-b], rbac: {scope: namespaces}}"

Rules = list[dict[str, Any]]


def granted(manifests: tuple[Manifest, ...]) -> dict[tuple[str, str], Rules]:
    """Rules by where they hold (empty: everywhere) and role, for roles bound to the operator."""
    roles = {
        (role["kind"], role["metadata"].get("namespace", ""), role["metadata"]["name"]): role
        for role in of_kind(manifests, "Role", "ClusterRole")
    }
    found = {}
    for binding in of_kind(manifests, "RoleBinding", "ClusterRoleBinding"):
        assert [subject["kind"] for subject in binding["subjects"]] == ["ServiceAccount"]
        assert binding["subjects"][0]["namespace"] == NAMESPACE
        place = binding["metadata"].get("namespace", "")
        reference = binding["roleRef"]
        home = place if reference["kind"] == "Role" else ""
        role = roles[reference["kind"], home, reference["name"]]
        found[place, reference["name"].rpartition("-")[2]] = role["rules"]
    return found


def test_one_cluster_role_serves_all_namespaces() -> None:
    """By default models everywhere, nodes, and a Lease in the operator's own namespace."""
    assert granted(rendered()) == {
        ("", "models"): policy_rules(Scope.MODELS),
        ("", "nodes"): policy_rules(Scope.CLUSTER),
        (NAMESPACE, "leader"): policy_rules(Scope.OWN),
    }


def test_roles_in_namespaces_replace_the_cluster_role() -> None:
    """With scope `namespaces` nothing but reading nodes holds for the whole cluster."""
    assert granted(rendered(NAMESPACES)) == {
        ("team-a", "models"): policy_rules(Scope.MODELS),
        ("team-b", "models"): policy_rules(Scope.MODELS),
        ("", "nodes"): policy_rules(Scope.CLUSTER),
        (NAMESPACE, "leader"): policy_rules(Scope.OWN),
    }


@pytest.mark.parametrize("values", CI_VALUES, ids=lambda path: path.stem)
def test_no_role_has_a_wildcard_or_secrets(values: Path) -> None:
    """No rendered rule, for the operator or for users, is open or reaches Secrets."""
    rules = [
        rule
        for role in of_kind(rendered(values.read_text(encoding="utf-8")), "Role", "ClusterRole")
        for rule in role["rules"]
    ]
    for rule in rules:
        words = [word for words in rule.values() for word in words]
        assert "*" not in words
        assert "secrets" not in words
        assert set(rule) == {"apiGroups", "resources", "verbs"}


def test_users_get_models_with_their_usual_roles() -> None:
    """Who may view may read models, who may edit may also write them; nobody may write a status."""
    roles = {
        role["metadata"]["name"].rpartition("-")[2]: role
        for role in of_kind(rendered(), "ClusterRole")
    }
    view, edit = roles["view"], roles["edit"]
    assert view["metadata"]["labels"]["rbac.authorization.k8s.io/aggregate-to-view"] == "true"
    assert "rbac.authorization.k8s.io/aggregate-to-view" not in edit["metadata"]["labels"]
    assert {verb for rule in view["rules"] for verb in rule["verbs"]} == {"get", "list", "watch"}
    written = {resource for rule in edit["rules"] for resource in rule["resources"]}
    assert written == {"quantizedmodels", "quantizedmodels/scale"}


def test_roles_of_users_can_be_left_out() -> None:
    """Without aggregation the cluster's own roles stay as they are."""
    names = {
        role["metadata"]["name"].rpartition("-")[2]
        for role in of_kind(rendered("rbac: {aggregate: false}"), "ClusterRole")
    }
    assert names == {"models", "nodes"}


def test_rbac_can_be_left_to_others() -> None:
    """Without `rbac.create` the release holds no role and no binding."""
    kinds = {manifest["kind"] for manifest in rendered("rbac: {create: false}")}
    assert not kinds & {"Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"}
