"""Pure: what the operator may do in the cluster; one table, from which all RBAC is generated.

Nothing here allows reading a Secret: tokens and keys are mounted into the pods that need them.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from quantized_model_operator.api.v1alpha1 import GROUP, PLURAL


class Scope(StrEnum):
    """Where a permission holds."""

    MODELS = "models"
    """In the namespaces whose models are served: a ClusterRole, or a Role in each of them."""
    CLUSTER = "cluster"
    """On objects without a namespace: always a ClusterRole."""
    OWN = "own"
    """In the namespace of the operator itself: always a Role."""


@dataclass(frozen=True, slots=True)
class Permission:
    """One resource, the verbs on it, and the reason."""

    scope: Scope
    group: str
    resource: str
    verbs: tuple[str, ...]
    reason: str


WATCH = ("list", "watch")
APPLY = ("create", "patch")
"""Server-side apply, which creates what does not exist yet."""

PERMISSIONS: tuple[Permission, ...] = (
    Permission(
        Scope.MODELS, GROUP, PLURAL, ("get", *WATCH), "The models; their spec is never written."
    ),
    Permission(Scope.MODELS, GROUP, f"{PLURAL}/status", ("patch",), "Their status."),
    Permission(
        Scope.MODELS,
        GROUP,
        f"{PLURAL}/finalizers",
        ("update",),
        "Owner references that block deletion, where the API server asks for this.",
    ),
    Permission(
        Scope.MODELS,
        "apps",
        "deployments",
        (*WATCH, *APPLY),
        "The replicas of a model; deleting them is the garbage collector's work.",
    ),
    Permission(Scope.MODELS, "", "services", (*WATCH, *APPLY), "The address of a model."),
    Permission(
        Scope.MODELS,
        "batch",
        "jobs",
        ("get", *WATCH, "create", "delete"),
        "Inspecting checkpoints and fetching weights; a Job is never changed.",
    ),
    Permission(
        Scope.MODELS,
        "",
        "configmaps",
        (*WATCH, *APPLY, "delete"),
        "Results of inspections, shared by the models of a namespace.",
    ),
    Permission(Scope.MODELS, "", "pods", WATCH, "Whether replicas and Jobs run, and why not."),
    Permission(
        Scope.MODELS,
        "",
        "pods/log",
        ("get",),
        "The last lines of a container that ended, and once per revision vLLM's own figures.",
    ),
    Permission(
        Scope.MODELS,
        "",
        "persistentvolumeclaims",
        WATCH,
        "Whether a claim exists, and who may mount it.",
    ),
    Permission(Scope.MODELS, "", "events", ("create",), "Events about models."),
    Permission(Scope.CLUSTER, "", "nodes", WATCH, "Which GPUs there are."),
    Permission(
        Scope.OWN,
        "coordination.k8s.io",
        "leases",
        ("get", "create", "update"),
        "The election of a leader.",
    ),
)


def policy_rules(scope: Scope) -> list[dict[str, Any]]:
    """The RBAC rules of one scope, one for each row of the table."""
    return [
        {
            "apiGroups": [permission.group],
            "resources": [permission.resource],
            "verbs": list(permission.verbs),
        }
        for permission in PERMISSIONS
        if permission.scope is scope
    ]
