"""Fake nodes look like GPU nodes, and the stages tell one consistent life of a pod."""

import pytest

from qmo_cluster import kwok
from qmo_cluster.kwok_stages import READY_DELAY_ANNOTATION, stages


@pytest.mark.parametrize(
    ("gpu", "major", "minor"), [(kwok.T4, "7", "5"), (kwok.L4, "8", "9"), (kwok.H100, "9", "0")]
)
def test_labels_say_what_the_gpu_is(gpu: kwok.GpuModel, major: str, minor: str) -> None:
    """Product, memory, count and compute capability are labels, all of them strings."""
    labels = kwok.gpu_labels(gpu)

    assert labels["nvidia.com/gpu.product"] == gpu.product
    assert labels["nvidia.com/gpu.memory"] == str(gpu.memory_mib)
    assert labels["nvidia.com/gpu.count"] == str(gpu.gpus)
    assert labels["nvidia.com/gpu.compute.major"] == major
    assert labels["nvidia.com/gpu.compute.minor"] == minor
    assert all(isinstance(value, str) for value in labels.values())


def test_a_gpu_node_offers_its_gpus() -> None:
    """Capacity and allocatable name the GPUs; kwok's annotation makes the node fake."""
    node = kwok.fake_node("otter", kwok.A100, {"pool": "big"})

    assert node["status"]["allocatable"]["nvidia.com/gpu"] == "8"
    assert node["status"]["capacity"] == node["status"]["allocatable"]
    assert node["metadata"]["annotations"] == {kwok.FAKE_NODE_ANNOTATION: "fake"}
    assert node["metadata"]["labels"]["pool"] == "big"


def test_a_plain_node_has_no_trace_of_gpus() -> None:
    """Without a GPU there is neither a label nor a resource of one."""
    node = kwok.fake_node("otter")

    assert "nvidia.com/gpu" not in node["status"]["allocatable"]
    assert not [key for key in node["metadata"]["labels"] if key.startswith("nvidia.com/")]


def test_delays_are_set_in_one_place() -> None:
    """The given seconds become the delay of becoming Ready, and a pod may name its own."""
    (ready,) = [s for s in stages(ready_seconds=2.5) if s["metadata"]["name"] == "pod-ready"]

    assert ready["spec"]["delay"]["durationMilliseconds"] == 2500
    assert READY_DELAY_ANNOTATION in ready["spec"]["delay"]["durationFrom"]["expressionFrom"]


def test_pods_of_jobs_end_and_others_stay() -> None:
    """Becoming Ready and ending exclude each other by the kind of the owner."""
    rules = {
        stage["metadata"]["name"]: {
            (rule["operator"], *rule.get("values", []))
            for rule in stage["spec"]["selector"]["matchExpressions"]
            if "ownerReferences" in rule["key"]
        }
        for stage in stages()
    }

    assert rules["pod-ready"] == {("NotIn", "Job")}
    assert rules["pod-complete"] == {("In", "Job")}
