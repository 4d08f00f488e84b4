"""From objects of the API to observed values."""

from datetime import UTC, datetime
from typing import Any

import pytest

from quantized_model_operator.cluster.parsing import (
    claim_from,
    claim_names,
    devices_by_node,
    node_from,
    pod_from,
    slim_claim,
    slim_node,
    slim_pod,
)

STAMP = "2026-03-01T12:00:00Z"
POD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {
        "name": "otter-1",
        "namespace": "zoo",
        "uid": "p1",
        "labels": {"a": "b"},
        "annotations": {"large": "x" * 1000},
        "creationTimestamp": "2026-03-01T12:00:00Z",
        "managedFields": [{"manager": "kubelet"}],
        "ownerReferences": [
            {"kind": "Other", "name": "o", "uid": "o1"},
            {"kind": "Job", "name": "otter-inspect", "uid": "j1", "controller": True},
        ],
    },
    "spec": {
        "nodeName": "node-a",
        "initContainers": [{"name": "fetch", "image": "i", "args": ["x"] * 50}],
        "containers": [{"name": "engine", "image": "i"}, {"name": "late", "image": "i"}],
    },
    "status": {
        "phase": "Pending",
        "reason": "Evicted",
        "message": "the node was low on memory",
        "conditions": [
            {"type": "Ready", "status": "False", "lastProbeTime": None},
            {
                "type": "PodScheduled",
                "status": "False",
                "reason": "Unschedulable",
                "message": "0/3 nodes are available",
            },
        ],
        "initContainerStatuses": [
            {
                "name": "fetch",
                "restartCount": 2,
                "ready": False,
                "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}},
                "lastState": {
                    "terminated": {
                        "exitCode": 3,
                        "reason": "Error",
                        "message": "disk full",
                        "finishedAt": "2026-03-01T13:00:00+01:00",
                    }
                },
            }
        ],
        "containerStatuses": [
            {
                "name": "engine",
                "restartCount": 0,
                "ready": True,
                "started": True,
                "state": {"running": {}},
            }
        ],
    },
}


@pytest.mark.parametrize("body", [POD, slim_pod(POD)], ids=["whole", "slim"])
def test_a_pod_is_read_whole(body: dict[str, Any]) -> None:
    """Every field of the observed pod comes from its place, also after slimming."""
    pod = pod_from(body)
    assert (pod.name, pod.uid, pod.labels) == ("otter-1", "p1", {"a": "b"})
    assert (pod.phase, pod.reason) == ("Pending", "Evicted")
    assert pod.message == "the node was low on memory"
    assert (pod.node_name, pod.owner_uid, pod.job_name) == ("node-a", "j1", "otter-inspect")
    assert pod.created_at == datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert not pod.ready
    assert not pod.deleting
    assert pod.unschedulable_message == "0/3 nodes are available"
    fetch, engine, late = pod.containers
    assert (fetch.name, fetch.init, fetch.restart_count) == ("fetch", True, 2)
    assert (fetch.waiting_reason, fetch.waiting_message) == ("CrashLoopBackOff", "back-off")
    assert fetch.end is None
    assert fetch.last_end is not None
    assert (fetch.last_end.exit_code, fetch.last_end.message) == (3, "disk full")
    assert fetch.last_end.finished_at == datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert (engine.init, engine.ready, engine.started) == (False, True, True)
    assert (late.name, late.ready, late.restart_count) == ("late", False, 0)


def test_a_slim_pod_is_small_and_stable() -> None:
    """Slimming drops what no rule reads, so that such a change is no news."""
    touched = {**POD, "metadata": {**POD["metadata"], "annotations": {"large": "y"}}}
    assert slim_pod(touched) == slim_pod(POD)
    assert len(str(slim_pod(POD))) < len(str(POD)) / 2


@pytest.mark.parametrize("slim", [False, True])
def test_a_pod_that_is_being_prepared(slim: bool) -> None:  # noqa: FBT001 - a parameter
    """When it got its node, and that its volumes or network are missing, also after slimming."""
    scheduled = {"type": "PodScheduled", "status": "True", "lastTransitionTime": STAMP}
    unprepared = {"type": "PodReadyToStartContainers", "status": "False"}
    body = {"metadata": {"name": "a"}, "status": {"conditions": [scheduled, unprepared]}}
    pod = pod_from(slim_pod(body) if slim else body)
    assert (pod.scheduled_at, pod.prepared) == (datetime(2026, 3, 1, 12, tzinfo=UTC), False)
    plain = pod_from({"metadata": {"name": "a"}})
    assert (plain.scheduled_at, plain.prepared) == (None, True)


def test_devices_are_counted_by_node() -> None:
    """Pods that hold a node's devices count, slim ones too; those that ended do not."""

    def holder(name: str, node: str, phase: str, amount: str) -> dict[str, Any]:
        limits = {"nvidia.com/gpu": amount, "memory": "5Gi"}
        return {
            "metadata": {"name": name},
            "spec": {
                "nodeName": node,
                "containers": [{"name": "vllm", "resources": {"limits": limits}}],
            },
            "status": {"phase": phase},
        }

    bodies = [
        holder("a", "den", "Running", "2"),
        holder("b", "den", "Pending", "1"),
        holder("c", "den", "Failed", "4"),
        holder("d", "", "Pending", "8"),
        holder("e", "nest", "Running", "1"),
    ]
    expected = {"den": {"nvidia.com/gpu": 3}, "nest": {"nvidia.com/gpu": 1}}
    assert devices_by_node(pod_from(body) for body in bodies) == expected
    assert devices_by_node(pod_from(slim_pod(body)) for body in bodies) == expected


def test_a_deleted_pod_and_a_pod_without_status() -> None:
    """A deletion timestamp means deleting; a pod that nobody has touched is Pending."""
    body = {"metadata": {"name": "a", "deletionTimestamp": "2026-03-01T12:00:00Z"}}
    pod = pod_from(body)
    assert pod.deleting
    assert pod.phase == "Pending"
    assert (pod.owner_uid, pod.job_name, pod.containers) == ("", "", ())


@pytest.mark.parametrize(
    ("state", "started"), [({"running": {}}, False), ({"terminated": {"exitCode": 0}}, True)]
)
def test_not_started(state: dict[str, Any], *, started: bool) -> None:
    """A container is started only while it runs and after its startup probe has passed."""
    status = {"name": "engine", "state": state, "started": started}
    body = {
        "metadata": {"name": "a"},
        "spec": {"containers": [{"name": "engine"}]},
        "status": {"containerStatuses": [status]},
    }
    assert not pod_from(body).containers[0].started


NODE: dict[str, Any] = {
    "metadata": {"name": "node-a", "labels": {"gpu": "L4"}},
    "spec": {
        "taints": [{"key": "gpu", "value": "yes", "effect": "NoSchedule"}, {"key": "k"}],
    },
    "status": {
        "allocatable": {"cpu": "15890m", "nvidia.com/gpu": "1"},
        "images": [{"names": ["x" * 500]}],
        "conditions": [
            {"type": "Ready", "status": "True", "lastHeartbeatTime": "2026-03-01T12:00:00Z"}
        ],
    },
}


@pytest.mark.parametrize("body", [NODE, slim_node(NODE)], ids=["whole", "slim"])
def test_a_node_is_read(body: dict[str, Any]) -> None:
    """Labels, resources and taints of a node are read, also after slimming."""
    node = node_from(body)
    assert (node.name, node.labels) == ("node-a", {"gpu": "L4"})
    assert node.allocatable == {"cpu": "15890m", "nvidia.com/gpu": "1"}
    assert node.taints == (("gpu", "yes", "NoSchedule"), ("k", "", ""))
    assert node.schedulable


def test_heartbeats_of_a_node_are_no_news() -> None:
    """A node that only beat looks the same after slimming."""
    beat = {"type": "Ready", "status": "True", "lastHeartbeatTime": "2026-03-01T12:05:00Z"}
    later = {**NODE, "status": {**NODE["status"], "conditions": [beat]}}
    assert slim_node(later) == slim_node(NODE)


@pytest.mark.parametrize(
    "change",
    [
        {"spec": {"unschedulable": True}},
        {"status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}},
        {"status": {}},
    ],
)
def test_cordoned_or_not_ready_is_not_schedulable(change: dict[str, Any]) -> None:
    """A node that is cordoned, unknown or has never reported takes no pods."""
    assert not node_from(slim_node({**NODE, **change})).schedulable


def test_a_claim_is_read() -> None:
    """The modes of the bound volume win over those asked for; without a phase it is Pending."""
    body = {
        "metadata": {"name": "weights", "uid": "c1"},
        "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "x"},
        "status": {"phase": "Bound", "accessModes": ["ReadWriteMany"]},
    }
    bound = claim_from(slim_claim(body))
    assert (bound.name, bound.uid, bound.phase) == ("weights", "c1", "Bound")
    assert bound.access_modes == ("ReadWriteMany",)
    waiting = claim_from(slim_claim({**body, "status": {}}))
    assert (waiting.phase, waiting.access_modes) == ("Pending", ("ReadWriteOnce",))


def test_all_claims_of_a_spec_are_named() -> None:
    """The claims of source, cache, output and calibration are found, other names are not."""
    spec = {
        "model": {"uri": "pvc://weights/qwen/2"},
        "cache": {"claimName": "cache"},
        "quantization": {"output": {"claimName": "artefacts"}, "calibration": [{"claimName": "c"}]},
        "engine": {"env": [{"name": "claim", "value": "no"}]},
    }
    assert claim_names({"spec": spec}) == {"weights", "cache", "artefacts", "c"}
    assert claim_names({"spec": {"model": {"uri": "hf://org/name"}}}) == frozenset()
