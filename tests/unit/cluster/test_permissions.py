"""The table of permissions: complete, narrow and explained."""

from __future__ import annotations

from quantized_model_operator.cluster import kinds
from quantized_model_operator.cluster.permissions import PERMISSIONS, Scope, policy_rules

WRITING = {"create", "update", "patch", "delete", "deletecollection"}


def test_secrets_are_out_of_reach() -> None:
    """No row reaches Secrets, by name or by a wildcard."""
    assert all("secret" not in row.resource for row in PERMISSIONS)
    assert all("*" not in (row.group, row.resource, *row.verbs) for row in PERMISSIONS)


def test_roles_and_identities_are_out_of_reach() -> None:
    """No row lets the operator widen its own rights, or act as somebody else."""
    groups = {row.group for row in PERMISSIONS}
    assert not groups & {"rbac.authorization.k8s.io", "authentication.k8s.io"}
    assert not {verb for row in PERMISSIONS for verb in row.verbs} & {
        "bind",
        "escalate",
        "impersonate",
    }


def test_the_spec_of_a_model_is_never_written() -> None:
    """The resource itself is read only; what the operator writes is the status."""
    (row,) = [row for row in PERMISSIONS if row.resource == "quantizedmodels"]
    assert not set(row.verbs) & WRITING


def test_pods_and_nodes_are_only_read() -> None:
    """The operator makes pods through Deployments and Jobs only, and never touches a node."""
    rows = [row for row in PERMISSIONS if row.resource in {"pods", "pods/log", "nodes"}]
    assert len(rows) == 3
    assert not {verb for row in rows for verb in row.verbs} & WRITING


def test_each_resource_has_one_row_with_a_reason() -> None:
    """One place says what may be done with a resource, and why."""
    keys = [(row.group, row.resource) for row in PERMISSIONS]
    assert len(keys) == len(set(keys))
    assert all(row.reason.endswith(".") and row.verbs for row in PERMISSIONS)


def test_every_row_belongs_to_one_scope() -> None:
    """The rules of all scopes together are the whole table."""
    rules = [rule for scope in Scope for rule in policy_rules(scope)]
    assert len(rules) == len(PERMISSIONS)
    assert all(policy_rules(scope) for scope in Scope)


def test_the_table_names_exactly_the_kinds_that_are_used() -> None:
    """A kind that the operator begins to use, or no longer uses, changes the table."""
    used = {
        (value.api_version.rpartition("/")[0], value.plural)
        for value in vars(kinds).values()
        if isinstance(value, kinds.Resource)
    }
    whole = {(row.group, row.resource) for row in PERMISSIONS if "/" not in row.resource}
    assert whole == used


def test_what_is_applied_may_be_created_and_patched() -> None:
    """Server-side apply needs both verbs; a Job is created once and never patched."""
    rows = {(row.group, row.resource): set(row.verbs) for row in PERMISSIONS}
    for resource in kinds.APPLIED.values():
        verbs = rows[resource.api_version.rpartition("/")[0], resource.plural]
        assert "create" in verbs
        assert ("patch" in verbs) == (resource is not kinds.JOB)
