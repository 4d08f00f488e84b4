"""The operator ends and comes back, as another version too: nobody notices."""

import signal
from typing import Any

import pytest

from e2e.support import documents
from e2e.support.documents import claim_spec
from e2e.support.world import World

pytestmark = pytest.mark.e2e

MANY = 200
PLAIN_NODES = 8


def template(world: World, name: str) -> dict[str, Any]:
    """The pod template of a model's Deployment."""
    found: dict[str, Any] = world.the("deployments", name)["spec"]["template"]
    return found


@pytest.mark.timeout(600, func_only=True)
def test_a_restart_with_many_models_writes_nothing(world: World) -> None:
    """An operator that starts beside two hundred models reads, compares and writes nothing."""
    world.claim("weights")
    first = world.operator()
    for number in range(MANY):
        world.model(f"otter-{number}", claim_spec("weights", replicas=0))
    world.until_all_ready(MANY)
    world.settle()
    first.stop()
    mark = world.audit.mark()

    second = world.operator()
    world.settle(3.0)

    assert second.metric('quantizedmodel_cached_objects{kind="Deployment"}') == MANY
    assert world.audit.writes(world.account.user, mark) == {}
    asked = world.audit.requests(world.account.user, mark)
    single = [request for request in asked if request.verb == "get" and request.name]
    assert not single


def test_a_model_deleted_meanwhile_is_forgotten(world: World) -> None:
    """A model that goes while no operator runs leaves no write and no series behind."""
    world.claim("weights")
    first = world.operator()
    for name in ("otter", "heron"):
        world.model(name, claim_spec("weights"))
    world.until_all_ready(2)
    world.settle()
    first.stop()
    world.delete("quantizedmodels", "otter")
    world.until_gone("deployments", "otter")
    mark = world.audit.mark()

    second = world.operator()
    world.settle()

    assert world.audit.writes(world.account.user, mark) == {}
    exposition = second.get("/metrics")
    assert 'name="heron"' in exposition
    assert 'name="otter"' not in exposition
    assert second.metric('quantizedmodel_cached_objects{kind="QuantizedModel"}') == 1


def test_a_spec_changed_meanwhile_is_carried_out(world: World) -> None:
    """What a user changes while no operator runs is done by the next one."""
    world.claim("weights")
    first = world.operator()
    world.model("otter", claim_spec("weights"))
    world.until_ready("otter")
    first.stop()
    world.merge("quantizedmodels", "otter", {"spec": {"replicas": 2}})

    world.operator()

    assert world.until_ready("otter")["status"]["readyReplicas"] == 2


def test_an_upgrade_leaves_running_pods_alone(world: World) -> None:
    """Another operator image, engine and hub change no Deployment until its own spec changes."""
    world.claim("weights")
    world.know()
    first = world.operator()
    world.model("otter", claim_spec("weights"))
    world.model("heron", documents.cpu_spec())
    world.until_all_ready(2)
    world.settle()
    first.stop()
    before = {name: template(world, name) for name in ("otter", "heron")}
    mark = world.audit.mark()

    world.operator(
        operator_image="mirror.example/operator:4",
        cpu_engine_image="mirror.example/other:{version}",
        cpu_engine_version="0.33.0",
        hub_endpoint="https://hub.example",
        engine_pull_policy="Always",
    )
    world.settle(2.0)

    assert world.audit.writes(world.account.user, mark)["patch deployments"] == 0
    assert {name: template(world, name) for name in before} == before
    world.merge("quantizedmodels", "heron", {"spec": {"engine": {"maxNumSeqs": 8}}})
    world.until_ready("heron")
    changed = template(world, "heron")["spec"]
    assert changed["containers"][0]["image"] == "mirror.example/other:0.33.0"
    assert changed["initContainers"][0]["image"] == "mirror.example/operator:4"
    assert template(world, "otter") == before["otter"]


def test_sigterm_ends_it_quickly_and_cleanly(world: World) -> None:
    """After SIGTERM the process ends with code 0 in less than ten seconds, amid work."""
    world.claim("weights")
    operator = world.operator()
    for number in range(30):
        world.model(f"otter-{number}", claim_spec("weights", replicas=0))

    code, seconds = operator.stop()

    assert code == 0
    assert seconds < 10.0
    assert not operator.said("Traceback")


def test_a_killed_operator_is_followed_without_repeats(world: World) -> None:
    """What a SIGKILL left under way is finished by the next operator, none written twice."""
    world.claim("weights")
    operator = world.operator()
    mark = world.mark()
    for number in range(30):
        world.model(f"otter-{number}", claim_spec("weights", replicas=0))
    code, _ = operator.stop(kill=True)
    assert code == -signal.SIGKILL

    world.operator()
    world.until_all_ready(30)

    written = world.writes(mark)
    for plural in ("services", "deployments"):
        assert len(world.cluster.api.get(world.path(plural))["items"]) == 30
        # The audit log may lack a request whose client died before the answer.
        assert written[f"patch {plural}"] <= 30
