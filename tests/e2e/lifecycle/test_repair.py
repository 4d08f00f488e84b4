"""Children that somebody edits, deletes or had before: what is taken back, and what is left."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from e2e.support import documents
from e2e.support.audit import STATUS
from e2e.support.documents import claim_spec
from e2e.support.world import Body, World

pytestmark = pytest.mark.e2e

MOST_SECONDS = 1.0


@pytest.fixture
def serving(world: World) -> World:
    """An operator, and a model called otter that is Ready."""
    world.claim("weights")
    world.operator()
    world.model("otter", claim_spec("weights"))
    world.until_ready("otter")
    return world


def container(body: Body) -> dict[str, Any]:
    """The vLLM container of a Deployment."""
    found: dict[str, Any] = body["spec"]["template"]["spec"]["containers"][0]
    return found


def append_argument(world: World) -> None:
    """As `kubectl edit` would."""
    server = container(world.the("deployments", "otter"))
    server["args"].append("--enforce-eager-by-hand")
    world.merge("deployments", "otter", in_template({"containers": [server]}))


def in_template(pod: Mapping[str, Any]) -> dict[str, Any]:
    """A merge patch of a Deployment's pod."""
    return {"spec": {"template": {"spec": dict(pod)}}}


EDITS: dict[str, tuple[str, Callable[[World], object], Callable[[Body], bool]]] = {
    "argument": (
        "deployments",
        append_argument,
        lambda body: "--enforce-eager-by-hand" not in container(body)["args"],
    ),
    "replicas": (
        "deployments",
        lambda world: world.merge("deployments", "otter", {"spec": {"replicas": 4}}),
        lambda body: body["spec"]["replicas"] == 1,
    ),
    "label": (
        "deployments",
        lambda world: world.merge(
            "deployments", "otter", {"metadata": {"labels": {"app.kubernetes.io/name": "mine"}}}
        ),
        lambda body: body["metadata"]["labels"]["app.kubernetes.io/name"] == "vllm",
    ),
    "service port": (
        "services",
        lambda world: world.merge(
            "services", "otter", {"spec": {"ports": [{"name": "http", "port": 81}]}}
        ),
        lambda body: [port["port"] for port in body["spec"]["ports"]] == [80],
    ),
    "selector": (
        "services",
        lambda world: world.merge("services", "otter", {"spec": {"selector": {"app": "mine"}}}),
        lambda body: "app" not in body["spec"]["selector"],
    ),
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edited_child_is_repaired(serving: World, edit: str) -> None:
    """What the operator owns is taken back by one write of that object, in less than a second."""
    plural, change, is_repaired = EDITS[edit]
    mark = serving.mark()

    seconds = serving.repair_seconds(plural, "otter", lambda: change(serving), is_repaired)

    written = serving.writes(mark)
    written.pop(STATUS, None)
    if edit == "service port":
        # Theirs and ours bear one name, which is invalid: the list is then replaced as a whole.
        assert written.pop("patch services (422)") == 1
    assert written == {f"patch {plural}": 1}
    assert seconds < MOST_SECONDS


@pytest.mark.parametrize("plural", ["deployments", "services"])
def test_a_deleted_child_comes_back(serving: World, plural: str) -> None:
    """A child that is deleted is made anew by one write, in less than a second."""
    uid = serving.the(plural, "otter")["metadata"]["uid"]
    mark = serving.mark()

    seconds = serving.repair_seconds(
        plural,
        "otter",
        lambda: serving.delete(plural, "otter"),
        lambda body: body["metadata"]["uid"] != uid,
    )
    serving.until_ready("otter")

    written = serving.writes(mark)
    assert written.pop(STATUS, 0) <= 4
    assert written == {f"patch {plural}": 1}
    assert seconds < MOST_SECONDS


def test_what_others_own_on_a_child_stays(serving: World) -> None:
    """Another manager's label, annotation and priority stay, without a write, over a change too."""
    addition = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "otter", "labels": {"team": "river"}, "annotations": {"cost": "low"}},
        "spec": {"minReadySeconds": 1},
    }
    mark = serving.mark()

    serving.cluster.api.apply(serving.path("deployments", "otter"), addition, manager="river")
    assert not [item for item in serving.writes(mark) if item != STATUS]
    serving.merge("quantizedmodels", "otter", {"spec": {"engine": {"maxNumSeqs": 8}}})
    serving.until("deployments", "otter", lambda body: "--max-num-seqs" in container(body)["args"])

    live = serving.the("deployments", "otter")
    assert live["metadata"]["labels"]["team"] == "river"
    assert live["metadata"]["annotations"]["cost"] == "low"
    assert live["spec"]["minReadySeconds"] == 1


def test_a_field_that_others_force_is_taken_back(serving: World) -> None:
    """A manager that forces a field which the operator owns loses it again."""
    theirs = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "otter"},
        "spec": {"progressDeadlineSeconds": 7},
    }
    mark = serving.mark()

    serving.cluster.api.apply(serving.path("deployments", "otter"), theirs, manager="river")
    serving.until("deployments", "otter", lambda body: body["spec"]["progressDeadlineSeconds"] != 7)

    written = serving.writes(mark)
    written.pop(STATUS, None)
    assert written == {"patch deployments": 1}


FOREIGN: dict[str, dict[str, Any]] = {
    "services": {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "otter"},
        "spec": {"selector": {"app": "theirs"}, "ports": [{"port": 9999}]},
    },
    "deployments": {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "otter"},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"app": "theirs"}},
            "template": {
                "metadata": {"labels": {"app": "theirs"}},
                "spec": {"containers": [{"name": "theirs", "image": "mirror.example/theirs:1"}]},
            },
        },
    },
}


@pytest.mark.parametrize("plural", FOREIGN)
def test_a_name_that_is_taken_is_left_alone(world: World, plural: str) -> None:
    """A foreign object of the model's name is not touched; the model says so and recovers later."""
    world.claim("weights")
    world.cluster.api.apply(world.path(plural, "otter"), FOREIGN[plural], manager="somebody")
    before = world.the(plural, "otter")
    world.operator()

    world.model("otter", claim_spec("weights"))
    stalled = world.until_reason("otter", "NameTaken", "Stalled")

    assert "otter" in documents.condition(stalled, "Ready")["message"]
    world.settle()
    after = world.the(plural, "otter")
    assert after["spec"] == before["spec"]
    assert "ownerReferences" not in after["metadata"]
    assert after["metadata"].get("labels") == before["metadata"].get("labels")

    world.delete(plural, "otter")
    recovered = world.until_ready("otter")
    assert not documents.condition(recovered, "Stalled")
