"""The story of a model: told from the API alone, with the remedy ready to be run."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

import pytest
import yaml

from fake_models import (
    MODELS,
    healthy,
    refused,
    running_models,
    stalled,
    starting,
)
from unit.cli.plan_runs import Run, run_qm

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fake_nodes import FakeNodes

Capsys = pytest.CaptureFixture[str]
NAMES = ("qwen2-7b", "qwen2-7b-long", "qwen2-72b", "qwen2-7b-new")


@pytest.fixture
def cluster(here: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeNodes]:
    """A cluster with a model of each kind."""
    models = [healthy(), stalled(), refused(), starting()]
    with running_models(models) as server:
        monkeypatch.setenv("KUBECONFIG", str(server.write_kubeconfig(here / "kubeconfig")))
        yield server


def explain(capsys: Capsys, name: str, *arguments: str) -> Run:
    """The command."""
    return run_qm(capsys, "explain", name, "-n", "llm", *arguments)


# The command


@pytest.mark.parametrize(("name", "code"), list(zip(NAMES, (0, 2, 2, 0), strict=True)))
@pytest.mark.usefixtures("cluster")
def test_exit_codes(capsys: Capsys, name: str, code: int) -> None:
    """A model that is well or on its way gives 0, one that waits for somebody 2."""
    for output in ("text", "json"):
        run = explain(capsys, name, "-o", output)
        assert (run.code, run.err) == (code, "")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.usefixtures("cluster")
def test_eighty_columns_are_enough(capsys: Capsys, name: str) -> None:
    """But for commands, which are to be copied, no line is longer, and none ends in spaces."""
    text = explain(capsys, name).out
    for line in text.splitlines():
        assert line == line.rstrip()
        assert len(line) <= 80 or line.startswith(("  kubectl ", "  curl "))
    assert "\x1b" not in text
    assert "\n\n\n" not in text


@pytest.mark.usefixtures("cluster")
def test_a_healthy_model_ends_with_how_to_reach_it(capsys: Capsys) -> None:
    """The story of a model that is well ends with a tunnel and a first question."""
    *_, tunnel, question = explain(capsys, "qwen2-7b").out.splitlines()
    assert tunnel == "  kubectl --namespace llm port-forward service/qwen2-7b 8000:80"
    body = shlex.split(question)[-1]
    assert json.loads(body)["model"] == "qwen2-7b"


@pytest.mark.usefixtures("cluster")
def test_the_plan_stands_beside_reality(capsys: Capsys) -> None:
    """Each figure is one line: as planned, and as vLLM reported it."""
    lines = explain(capsys, "qwen2-7b").out.splitlines()
    (tokens,) = [line for line in lines if line.startswith("KV cache tokens")]
    assert tokens.split() == [
        *("KV", "cache", "tokens", "215,696", "sure,", "243,776", "expected", "243,408"),
    ]
    assert any(line.split()[:1] == ["Kernel"] and line.count("Marlin") == 2 for line in lines)


@pytest.mark.usefixtures("cluster")
def test_a_failure_ends_with_its_remedy(capsys: Capsys) -> None:
    """The cause, the lines of the log that matter and the patch as a command are printed."""
    text = explain(capsys, "qwen2-7b-long").out
    assert "set it to 16464 or less, or use more GPU memory" in text.replace("\n", " ")
    assert "ValueError: To serve at least one request" in text
    (patch,) = [line for line in text.splitlines() if " patch " in line]
    words = shlex.split(patch)
    assert words[:6] == [
        "kubectl",
        "--namespace",
        "llm",
        "patch",
        "quantizedmodel",
        "qwen2-7b-long",
    ]
    assert json.loads(words[-1]) == {"spec": {"engine": {"maxModelLen": 16464}}}


@pytest.mark.usefixtures("cluster")
def test_json_has_the_whole_story(capsys: Capsys) -> None:
    """JSON says what the text says, for other programs."""
    found = explain(capsys, "qwen2-7b-long", "-o", "json").document
    assert (found["namespace"], found["name"]) == ("llm", "qwen2-7b-long")
    assert (found["state"], found["reason"]) == ("Stalled", "ModelLengthTooLong")
    assert found["failure"]["exitCode"] == 1
    assert found["patchCommand"].startswith("kubectl --namespace llm patch ")
    assert {item["name"] for item in found["stages"]} >= {"inspect", "plan"}
    assert {"name": "Kernel", "planned": "Marlin", "reported": ""} in found["figures"]


def test_only_this_model_is_read(capsys: Capsys, cluster: FakeNodes) -> None:
    """One model, its pods, Jobs, Deployment and the Events are asked for, each once."""
    explain(capsys, "qwen2-7b")
    assert sorted(cluster.paths) == [
        "/api/v1/namespaces/llm/events",
        "/api/v1/namespaces/llm/pods",
        "/apis/apps/v1/namespaces/llm/deployments/qwen2-7b",
        "/apis/batch/v1/namespaces/llm/jobs",
        f"{MODELS}/namespaces/llm/quantizedmodels/qwen2-7b",
    ]


@pytest.mark.usefixtures("cluster")
def test_a_name_may_carry_its_namespace(capsys: Capsys) -> None:
    """The name as the story prints it finds the model too."""
    assert run_qm(capsys, "explain", "llm/qwen2-7b").code == 0


# What cannot be read


@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize("name", ["a/b/c", "../x", "UPPER", "a b", "-", ""])
def test_a_name_that_cannot_be_one(capsys: Capsys, name: str) -> None:
    """Nothing is asked of a cluster for what is no name."""
    assert run_qm(capsys, "explain", "--", name).error == f"{name} is no name of a QuantizedModel"


def test_a_context_that_is_not_there(capsys: Capsys, here: Path) -> None:
    """The contexts that there are are named."""
    with running_models() as server:
        file = server.write_kubeconfig(here / "kubeconfig")
    error = run_qm(capsys, "explain", "x", "--kubeconfig", str(file), "--context", "prod").error
    assert error == f"the kubeconfig {file} cannot be used: it has no context 'prod', but zoo"


@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("qwen2-7b-lnog", "; did you mean qwen2-7b-long"),
        ("mistral", "; it has qwen2-72b, qwen2-7b, qwen2-7b-long, qwen2-7b-new"),
    ],
)
def test_a_wrong_name_is_helped(capsys: Capsys, name: str, hint: str) -> None:
    """No such model: close names are named, else those that there are."""
    error = explain(capsys, name).error
    assert error.startswith(f"namespace llm has no QuantizedModel {name}{hint}")


@pytest.mark.usefixtures("cluster")
def test_a_wrong_namespace_is_helped(capsys: Capsys) -> None:
    """A model of this name in another namespace is pointed at."""
    error = run_qm(capsys, "explain", "qwen2-72b", "-n", "other").error
    assert error == (
        "namespace other has no QuantizedModel qwen2-72b; there is one of this name in llm: "
        "add --namespace"
    )


def test_a_namespace_without_models(capsys: Capsys, cluster: FakeNodes) -> None:
    """An empty cluster is said to be empty."""
    cluster.lists[f"{MODELS}/quantizedmodels"] = ()
    error = run_qm(capsys, "explain", "otter", "-n", "other").error
    assert error == "namespace other has no QuantizedModel otter, nor any other"


def test_no_crd(capsys: Capsys, cluster: FakeNodes) -> None:
    """A cluster without the operator's CRD is told apart from a missing model."""
    cluster.lists = {}
    error = explain(capsys, "otter").error
    assert "the operator and its CRD are not installed in it" in error


def test_no_permission(capsys: Capsys, cluster: FakeNodes) -> None:
    """Who may not read models is told so in one line."""
    cluster.forbidden.add(f"{MODELS}/namespaces/llm/quantizedmodels/qwen2-7b")
    assert "does not let you read models: no" in explain(capsys, "qwen2-7b").error


def test_partial_permission(capsys: Capsys, cluster: FakeNodes) -> None:
    """What may not be listed is left out and named; the rest is told."""
    for path in ("api/v1/namespaces/llm/events", "apis/batch/v1/namespaces/llm/jobs"):
        cluster.forbidden.add(f"/{path}")
    run = explain(capsys, "qwen2-7b")
    assert run.code == 0
    assert "you may not list events, jobs here" in run.out


def test_a_kubeconfig_that_is_broken(capsys: Capsys, here: Path) -> None:
    """A certificate that is not there is told in a sentence, as by `qm plan`."""
    with running_models() as server:
        file = server.write_kubeconfig(here / "kubeconfig")
    cluster = {"server": "https://127.0.0.1:9", "certificate-authority": "missing.crt"}
    document = yaml.safe_load(file.read_text())
    document["clusters"][0]["cluster"] = cluster
    file.write_text(yaml.safe_dump(document))
    error = run_qm(capsys, "explain", "otter", "--kubeconfig", str(file)).error
    assert error.startswith("the kubeconfig cannot be used: ")


@pytest.mark.usefixtures("cluster")
def test_a_context_is_of_the_users_own_file(
    capsys: Capsys, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without KUBECONFIG a context is looked for in ~/.kube/config, as by `qm plan`."""
    monkeypatch.delenv("KUBECONFIG")
    error = run_qm(capsys, "explain", "otter", "--context", "zoo").error
    assert error.startswith(f"the kubeconfig {here / '.kube/config'} cannot be used")


def test_no_cluster(capsys: Capsys, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a kubeconfig, or with one that leads nowhere, one sentence says so."""
    assert "no API server is configured" in run_qm(capsys, "explain", "otter").error
    with running_models() as server:
        gone = server.write_kubeconfig(here / "gone")
    monkeypatch.setenv("KUBECONFIG", str(gone))
    assert "127.0.0.1" in run_qm(capsys, "explain", "otter").error
