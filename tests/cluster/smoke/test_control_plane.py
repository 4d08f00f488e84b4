"""Smoke test of the control plane profile: real programs, fake nodes."""

import http.client
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from qmo_cluster import host, kwok
from qmo_cluster.api_client import ApiError
from qmo_cluster.cluster import Cluster
from qmo_cluster.errors import ClusterError
from qmo_cluster.kwok_stages import TERMINATION_MESSAGE_ANNOTATION
from qmo_cluster.lifecycle import down, up
from qmo_cluster.processes import marked_processes
from qmo_cluster.programs import Profile
from qmo_cluster.settings import Layout
from qmo_cluster.waiting import wait_until
from smoke.workloads import DEPLOYMENTS, JOBS, PODS, deployment

pytest_plugins = ["qmo_cluster.fixtures"]
pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def gpu_nodes(control_plane_cluster: Cluster) -> list[str]:
    """Two fake nodes with one T4 each."""
    return control_plane_cluster.add_gpu_nodes(2, kwok.T4, prefix="smoke")


def test_a_deployment_becomes_ready_on_nodes_with_gpus(
    control_plane_cluster: Cluster, gpu_nodes: list[str]
) -> None:
    """Pods that ask for a GPU are placed on the fake nodes that have one, and become Ready."""
    limits = {"resources": {"limits": {"nvidia.com/gpu": "1"}}}
    control_plane_cluster.api.create(
        DEPLOYMENTS, deployment("gpus", replicas=2, pod={"container": limits})
    )
    control_plane_cluster.wait_for_condition(f"{DEPLOYMENTS}/gpus", "Available")

    pods = control_plane_cluster.api.get(PODS, {"labelSelector": "app=gpus"})["items"]

    assert {pod["spec"]["nodeName"] for pod in pods} == set(gpu_nodes)
    control_plane_cluster.api.delete(f"{DEPLOYMENTS}/gpus")


@pytest.mark.usefixtures("gpu_nodes")
def test_a_job_ends_with_its_last_words(control_plane_cluster: Cluster) -> None:
    """The pod of a Job completes and leaves the termination message of its annotation."""
    job = {
        "metadata": {"name": "short"},
        "spec": {
            "template": {
                "metadata": {"annotations": {TERMINATION_MESSAGE_ANNOTATION: '{"said": "so"}'}},
                "spec": {
                    "restartPolicy": "Never",
                    "containers": [{"name": "short", "image": "any:1"}],
                },
            }
        },
    }
    control_plane_cluster.api.create(JOBS, job)
    control_plane_cluster.wait_for_condition(f"{JOBS}/short", "Complete")

    (pod,) = control_plane_cluster.api.get(PODS, {"labelSelector": "job-name=short"})["items"]

    ended = pod["status"]["containerStatuses"][0]["state"]["terminated"]
    assert (ended["exitCode"], ended["message"]) == (0, '{"said": "so"}')


@pytest.mark.usefixtures("gpu_nodes")
def test_pods_load_until_their_stage_is_put_back(control_plane_cluster: Cluster) -> None:
    """Without the stage `pod-ready` a pod runs but does not become Ready; with it again it does."""
    control_plane_cluster.delete_stage("pod-ready")
    control_plane_cluster.api.create(DEPLOYMENTS, deployment("loading"))

    def running() -> list[dict[str, Any]]:
        pods = control_plane_cluster.api.get(PODS, {"labelSelector": "app=loading"})["items"]
        return [pod for pod in pods if pod["status"].get("phase") == "Running"]

    (pod,) = wait_until("the pod runs", running)
    path = f"{PODS}/{pod['metadata']['name']}"
    with pytest.raises(ClusterError):
        control_plane_cluster.wait_for_condition(path, "Ready", timeout_seconds=3)
    control_plane_cluster.set_stages()
    control_plane_cluster.wait_for_condition(path, "Ready")
    control_plane_cluster.api.delete(f"{DEPLOYMENTS}/loading")


def test_a_service_account_has_only_its_own_rights(
    control_plane_cluster: Cluster, tmp_path: Path
) -> None:
    """A token from TokenRequest may do what its role says and no more; the audit log names it."""
    cluster = control_plane_cluster
    user = "system:serviceaccount:default:reader"
    cluster.kubectl("create", "serviceaccount", "reader")
    cluster.kubectl("create", "role", "reader", "--verb=list", "--resource=pods")
    cluster.kubectl("create", "rolebinding", "reader", "--role=reader", f"--user={user}")
    kubeconfig = cluster.service_account_kubeconfig("default", "reader", tmp_path / "reader")

    client = cluster.api_as(cluster.service_account_token("default", "reader"))
    assert client.get(PODS)["kind"] == "PodList"
    with pytest.raises(ApiError, match="HTTP 403"):
        client.get("/api/v1/nodes")
    who = cluster.kubectl("--kubeconfig", str(kubeconfig), "auth", "whoami", "-o", "name").stdout
    assert who
    events = [event for event in cluster.audit_events() if event["user"].get("username") == user]
    assert {event["responseStatus"]["code"] for event in events} >= {200, 403}


def test_a_restarted_api_server_keeps_port_and_data(control_plane_cluster: Cluster) -> None:
    """After stop and start the same address serves the same objects."""
    path = "/api/v1/namespaces/default/configmaps"
    control_plane_cluster.api.create(path, {"metadata": {"name": "kept"}, "data": {"a": "b"}})

    control_plane_cluster.stop("kube-apiserver")
    assert not control_plane_cluster.api.is_ready()
    control_plane_cluster.start("kube-apiserver")
    control_plane_cluster.wake_controllers()

    assert control_plane_cluster.api.get(f"{path}/kept")["data"] == {"a": "b"}


def test_expired_watches_are_told_so(control_plane_cluster: Cluster) -> None:
    """After `expire_watches` a watch from an earlier version is answered with 410 Gone."""
    version = control_plane_cluster.api.get(PODS)["metadata"]["resourceVersion"]
    control_plane_cluster.api.create(
        "/api/v1/namespaces/default/configmaps", {"metadata": {"name": "newer"}}
    )
    control_plane_cluster.expire_watches()

    answer = control_plane_cluster.api.text(
        "GET", f"{PODS}?watch=true&resourceVersion={version}&timeoutSeconds=2"
    )

    assert '"code":410' in answer


def test_two_clusters_run_side_by_side_and_leave_nothing(
    control_plane_cluster: Cluster, tmp_path: Path
) -> None:
    """A second cluster has ports of its own, survives a murder, and goes without a trace."""
    directory = tmp_path / "second"
    try:
        second = up(Profile.CONTROL_PLANE, directory)
        assert second.settings.api_url != control_plane_cluster.settings.api_url
        second.api.create("/api/v1/namespaces", {"metadata": {"name": "only-here"}})
        assert not control_plane_cluster.api.exists("/api/v1/namespaces/only-here")

        for process in second.running().values():
            os.kill(process.pid, signal.SIGKILL)
        third = up(Profile.CONTROL_PLANE, directory)
        assert not third.api.exists("/api/v1/namespaces/only-here")
    finally:
        down(directory)

    assert not directory.exists()
    assert host.leftovers(Layout.at(directory)) == []
    assert control_plane_cluster.api.is_ready()


def test_a_foreign_folder_is_refused(tmp_path: Path) -> None:
    """Neither `up` nor `down` touches a folder that holds someone else's files."""
    (tmp_path / "thesis.txt").write_text("irreplaceable")

    for action in (lambda: up(Profile.CONTROL_PLANE, tmp_path), lambda: down(tmp_path)):
        with pytest.raises(ClusterError, match="holds other files"):
            action()

    assert (tmp_path / "thesis.txt").read_text() == "irreplaceable"
    assert marked_processes(Layout.at(tmp_path)) == []


def test_etcd_forgets_history(control_plane_cluster: Cluster) -> None:
    """After `compact_etcd` an older revision can no longer be read."""
    revision = control_plane_cluster.compact_etcd()

    with pytest.raises(ClusterError, match="compacted"):
        control_plane_cluster.etcd("/v3/kv/range", {"key": "AA==", "revision": str(revision - 1)})


def test_the_api_is_not_open_to_strangers(control_plane_cluster: Cluster) -> None:
    """A wrong token is refused."""
    with pytest.raises((ApiError, http.client.HTTPException), match="HTTP 401"):
        control_plane_cluster.api_as("wrong").get(PODS)
