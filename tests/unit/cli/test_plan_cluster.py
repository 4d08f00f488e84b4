"""Plans on the nodes of a cluster."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from fake_nodes import FakeNodes, gpu_node_body, gpu_pod_body, running_nodes
from quantized_model_operator.domain.model_length import TIMES
from unit.cli.plan_runs import Run, run_qm

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Capsys = pytest.CaptureFixture[str]

MANIFEST = """\
apiVersion: serving.quantizedmodel.dev/v1alpha1
kind: QuantizedModel
metadata: {name: otter}
spec:
  model: {uri: hf://zoo/otter}
  hardware:
    nodeSelector: {disk: fast}
    tolerations: [{key: team, operator: Exists}]
"""


@pytest.fixture
def cluster(here: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeNodes]:
    """A cluster with L4s, of which some are taken, and a bigger node that is cordoned."""
    nodes = [
        gpu_node_body("pool-1", "NVIDIA-L4", 4),
        gpu_node_body("pool-2", "NVIDIA-L4", 4),
        gpu_node_body("big-1", "NVIDIA-A100-SXM4-80GB", 8, unschedulable=True),
    ]
    pods = [
        gpu_pod_body("busy", "pool-1", 3),
        gpu_pod_body("done", "pool-1", 1, phase="Succeeded"),
        gpu_pod_body("other", "pool-2", 2),
    ]
    with running_nodes(nodes, pods) as server:
        file = server.write_kubeconfig(here / "kubeconfig")
        monkeypatch.setenv("KUBECONFIG", str(file))
        yield server


def plan(capsys: Capsys, *arguments: str) -> Run:
    """A plan as JSON."""
    return run_qm(capsys, "plan", *arguments, "-o", "json")


@pytest.mark.usefixtures("otter")
def test_the_nodes_of_the_current_context(cluster: FakeNodes, capsys: Capsys) -> None:
    """Without --gpu the schedulable nodes are planned on, and free GPUs are told."""
    found = plan(capsys, "otter").document
    assert found["products"][0] == "NVIDIA-L4"
    assert found["hardware"] == {
        "origin": f"the nodes of {cluster.url}",
        "gpus": [{"product": "NVIDIA-L4", "nodes": 2, "gpusPerNode": 4, "freeGpus": 3}],
    }
    assert set(cluster.paths) == {"/api/v1/nodes", "/api/v1/pods"}


@pytest.mark.usefixtures("otter", "cluster")
def test_taken_gpus_are_a_warning(capsys: Capsys) -> None:
    """A plan that no node has free GPUs for now still fits, and says so."""
    taken = plan(capsys, "otter", "-tp", "2").document
    assert not [text for text in taken["warnings"] if "free now" in text]
    assert taken["tensorParallelSize"] == 2


@pytest.mark.usefixtures("badger", "cluster")
def test_gpus_that_are_not_free_now(capsys: Capsys) -> None:
    """Four GPUs of one node are planned though only two are free, with a warning."""
    found = plan(capsys, "badger").document
    assert found["fits"]
    assert found["tensorParallelSize"] == 4
    (warning,) = [text for text in found["warnings"] if "free now" in text]
    assert warning.startswith(f"no node has 4 {TIMES} NVIDIA-L4 or ")
    assert warning.endswith(" free now, 2 at most: pods wait until others end")


@pytest.mark.usefixtures("otter")
def test_pods_that_may_not_be_listed(cluster: FakeNodes, capsys: Capsys) -> None:
    """The right to list nodes is enough; free GPUs are unknown then."""
    cluster.forbidden.add("/api/v1/pods")
    run = plan(capsys, "otter")
    assert run.code == 0
    assert "freeGpus" not in run.document["hardware"]["gpus"][0]


@pytest.mark.usefixtures("otter")
def test_nodes_that_may_not_be_listed(cluster: FakeNodes, here: Path, capsys: Capsys) -> None:
    """Without that right nothing is planned on a cluster that was named."""
    cluster.forbidden.add("/api/v1/nodes")
    run = run_qm(capsys, "plan", "otter", "--kubeconfig", str(here / "kubeconfig"))
    assert "403" in run.error


@pytest.mark.usefixtures("otter")
def test_a_named_context(cluster: FakeNodes, here: Path, capsys: Capsys) -> None:
    """--kubeconfig and --context name a cluster; a context that is not there is an error."""
    del cluster
    file = str(here / "kubeconfig")
    named = plan(capsys, "otter", "--kubeconfig", file, "--context", "zoo").document
    assert named["hardware"]["origin"] == "the nodes of zoo"
    assert "cannot be used" in run_qm(capsys, "plan", "otter", "--context", "moon").error


@pytest.mark.usefixtures("otter")
def test_a_context_is_of_the_users_own_file(
    cluster: FakeNodes, here: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capsys
) -> None:
    """Without KUBECONFIG a context is looked for in ~/.kube/config, and must be there."""
    monkeypatch.delenv("KUBECONFIG")
    missing = run_qm(capsys, "plan", "otter", "--context", "zoo")
    assert missing.error.startswith(f"the kubeconfig {here / '.kube/config'} cannot be used")
    (here / ".kube").mkdir()
    cluster.write_kubeconfig(here / ".kube/config")
    found = plan(capsys, "otter", "--context", "zoo").document
    assert found["hardware"]["origin"] == "the nodes of zoo"


@pytest.mark.usefixtures("otter")
def test_selector_and_taints_of_a_manifest(cluster: FakeNodes, here: Path, capsys: Capsys) -> None:
    """Only nodes that the manifest's pods may run on are planned on."""
    (here / "otter.yaml").write_text(MANIFEST)
    arguments = ("otter.yaml", "--checkpoint", "otter")
    assert plan(capsys, *arguments).code == 2
    fast = gpu_node_body("fast", "Tesla-T4", 1, taints=[{"key": "team", "effect": "NoSchedule"}])
    fast["metadata"]["labels"]["disk"] = "fast"
    cluster.lists["/api/v1/nodes"] = [*cluster.lists["/api/v1/nodes"], fast]
    found = plan(capsys, *arguments).document
    assert found["products"] == ["Tesla-T4"]


@pytest.mark.usefixtures("otter")
def test_a_cluster_without_gpus_refuses(cluster: FakeNodes, capsys: Capsys) -> None:
    """Where no node has a GPU, that is the answer, with what would do."""
    cluster.lists["/api/v1/nodes"] = []
    run = run_qm(capsys, "plan", "otter")
    assert run.code == 2
    assert "Would fit: " in run.out.replace("\n", " ")


@pytest.mark.usefixtures("otter")
def test_a_cluster_that_does_not_answer_is_left_aside(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capsys
) -> None:
    """A current context that leads nowhere is told, and all known GPUs are compared instead."""
    with running_nodes([]) as server:
        file = server.write_kubeconfig(here / "kubeconfig")
    monkeypatch.setenv("KUBECONFIG", str(file))
    run = run_qm(capsys, "plan", "otter")
    assert run.code == 0
    assert f"no cluster to plan on ({server.url}: " in run.out.replace("\n", " ")


@pytest.mark.parametrize(
    "changes",
    [
        {"server": "https://127.0.0.1:9", "certificate-authority": "missing.crt"},
        {"server": "https://127.0.0.1:9", "certificate-authority-data": "A"},
        {"insecure-skip-tls-verify": True},
    ],
    ids=["no such file", "no base64", "no server"],
)
@pytest.mark.usefixtures("otter")
def test_a_kubeconfig_that_is_broken(
    changes: dict[str, object], here: Path, capsys: Capsys
) -> None:
    """Whatever is wrong with a kubeconfig is told in a sentence."""
    document = {
        "current-context": "zoo",
        "contexts": [{"name": "zoo", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": changes}],
        "users": [{"name": "u", "user": {"token": "secret"}}],
    }
    (here / "broken").write_text(json.dumps(document))
    run = run_qm(capsys, "plan", "otter", "--kubeconfig", "broken")
    assert run.error.startswith("the kubeconfig cannot be used: ")


@pytest.mark.usefixtures("otter")
def test_cpu_plans_ask_the_cluster_too(cluster: FakeNodes, capsys: Capsys) -> None:
    """On CPU the nodes' memory and instruction sets are looked at."""
    found = plan(capsys, "otter", "--device", "cpu").document
    assert found["fits"]
    assert found["hardware"]["origin"] == f"the nodes of {cluster.url}"
