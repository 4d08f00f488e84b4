"""The operator is killed and upgraded while a model serves: the model does not notice."""

from typing import Any

import pytest

from e2e.node.asking import asking_all_the_time
from e2e.node.node_site import OPERATOR, Site
from e2e.node.space import Space, restarts, uids
from e2e.support import watching
from qmo_demo.installation import OPERATOR_NAMESPACE

pytestmark = [pytest.mark.node, pytest.mark.timeout(900)]

OPERATOR_PODS = f"/api/v1/namespaces/{OPERATOR_NAMESPACE}/pods"


def test_neither_death_nor_upgrade_of_the_operator_disturbs_a_model(
    site: Site, healthy: Space, space: Space
) -> None:
    """Requests go on, no pod restarts, no Deployment changes; the next operator works."""
    before, deployment = healthy.pods("otter"), healthy.the("deployments", "otter")
    with asking_all_the_time(healthy.url("otter"), "otter", site.exchanges[0]) as asked:
        first = kill_operator(site)
        second = until_operator(site, without=first)
        told_by_operator(space, "after-death")
        site.install("podAnnotations.reason=upgrade", "logLevel=WARNING")
        until_operator(site, without=first | second)
        told_by_operator(space, "after-upgrade")

    assert asked.trouble == []
    assert asked.right > 0
    assert uids(healthy.pods("otter")) == uids(before)
    assert restarts(healthy.pods("otter")) == 0
    after = healthy.the("deployments", "otter")
    assert after["metadata"]["generation"] == deployment["metadata"]["generation"]


def operator_pods(site: Site) -> list[dict[str, Any]]:
    """All of them."""
    return list(site.cluster.api.get(OPERATOR_PODS)["items"])


def kill_operator(site: Site) -> set[str]:
    """End the operator without warning; which pods it were."""
    pods = operator_pods(site)
    for pod in pods:
        site.cluster.kubectl(
            "delete",
            "pod",
            pod["metadata"]["name"],
            f"--namespace={OPERATOR_NAMESPACE}",
            "--force",
            "--grace-period=0",
        )
    assert pods, f"no pod of {OPERATOR.name}"
    return uids(pods)


def until_operator(site: Site, *, without: set[str]) -> set[str]:
    """Return once another operator is ready."""

    def ready(pod: Any) -> bool:  # noqa: ANN401 - a manifest
        conditions = pod["status"].get("conditions", ())
        return pod["metadata"]["uid"] not in without and any(
            item["type"] == "Ready" and item["status"] == "True" for item in conditions
        )

    found = watching.until(
        site.cluster,
        OPERATOR_PODS,
        lambda pods: any(ready(pod) for pod in pods.values()),
        timeout_seconds=120,
        what="another operator is ready",
    )
    return uids([dict(pod) for pod in found.values() if ready(pod)])


def told_by_operator(space: Space, name: str) -> None:
    """Somebody works on models."""
    space.model(name, space.spec("pvc://nowhere/tiny"))
    space.until_told(name, "ClaimNotFound", seconds=120)
