"""What the operator writes, counted exactly by the audit log of a real API server."""

from collections.abc import Iterator
from typing import Any

import pytest

from e2e.support import documents, watching
from e2e.support.audit import ONE_MODEL, STATUS, told
from e2e.support.documents import claim_spec, cpu_spec
from e2e.support.world import Body, World
from quantized_model_operator.cluster.start_logs import READ_ATTEMPTS

pytestmark = pytest.mark.e2e

DEPLOYMENT = "patch deployments"
SERVICE = "patch services"
TERMINATION_MESSAGE = "cluster.qmo.test/termination-message"


def arguments(body: Body) -> list[str]:
    """Of the vLLM container of a Deployment."""
    return list(body["spec"]["template"]["spec"]["containers"][0]["args"])


def served(world: World, **more: Any) -> None:  # noqa: ANN401 - of any field of a spec
    """An operator, and a model called otter that is Ready."""
    world.claim("weights")
    world.operator()
    world.model("otter", claim_spec("weights", **more))
    world.until_ready("otter")


def test_a_known_checkpoint_takes_four_writes(world: World) -> None:
    """Deployment, Service, a first status and the status at Ready; only vLLM's log is read.

    Pods without a kubelet have none, so it is tried for as often as it may be.
    """
    world.claim("weights")
    world.operator()
    mark = world.mark()

    world.model("otter", claim_spec("weights"))
    world.until_ready("otter")

    assert told(world.writes(mark), 2) == ONE_MODEL
    asked = world.audit.requests(world.account.user, mark)
    reads = [request for request in asked if request.verb == "get"]
    assert {request.resource for request in reads} <= {"pods/log"}
    assert len(reads) <= READ_ATTEMPTS


def test_fetched_weights_take_one_status_more(world: World) -> None:
    """A model of the hub tells as well when the init container has fetched its weights."""
    world.know()
    world.operator()
    mark = world.mark()

    world.model("otter", cpu_spec())
    world.until_ready("otter")

    assert told(world.writes(mark), 3) == ONE_MODEL


@pytest.fixture
def slow_inspections(world: World) -> Iterator[None]:
    """Pods of Jobs run until a test ends them."""
    world.cluster.delete_stage("pod-complete")
    yield
    world.cluster.set_stages(ready_seconds=0.3, run_seconds=0.3)


@pytest.mark.usefixtures("slow_inspections")
def test_an_unknown_checkpoint_is_inspected_once(world: World) -> None:
    """Job created, record kept, Job deleted and one status: that is all an inspection adds."""
    world.operator()
    mark = world.mark()

    world.model("otter", cpu_spec())
    world.until_reason("otter", "Inspecting", "Inspected")
    end_inspection(world, documents.report_text(documents.facts()))
    world.until_ready("otter")

    assert told(world.writes(mark), 4) == {
        "create jobs": 1,
        "patch configmaps": 1,
        "delete jobs": 1,
        DEPLOYMENT: 1,
        SERVICE: 1,
    }


def end_inspection(world: World, message: str) -> None:
    """Let the pod of the inspection end with these last words, as a kubelet tells it."""
    selector = "app.kubernetes.io/component=inspect"

    def has_started(pods: watching.Objects) -> bool:
        return any(pod["status"].get("phase") == "Running" for pod in pods.values())

    pods = watching.until(world.cluster, world.path("pods"), has_started, selector=selector)
    (pod,) = pods.values()
    ended = {"exitCode": 0, "reason": "Completed", "message": message}
    container = {
        **pod["status"]["containerStatuses"][0],
        "state": {"terminated": ended},
        "ready": False,
    }
    status = {"phase": "Succeeded", "containerStatuses": [container]}
    world.merge("pods", f"{pod['metadata']['name']}/status", {"status": status})


def test_a_neighbour_uses_the_record(world: World) -> None:
    """A second model of a checkpoint that was inspected once needs no inspection."""
    world.know()
    world.operator()
    world.model("otter", cpu_spec())
    world.until_ready("otter")
    mark = world.mark()

    world.model("heron", cpu_spec())
    world.until_ready("heron")

    assert told(world.writes(mark), 3) == ONE_MODEL


def test_an_argument_changes_one_object(world: World) -> None:
    """A changed argument is one write of the Deployment and none of the Service."""
    served(world)
    mark = world.mark()

    change = {"spec": {"engine": {"args": ["--enable-auto-tool-choice"]}}}
    world.merge("quantizedmodels", "otter", change)
    world.until_ready("otter")

    assert "--enable-auto-tool-choice" in arguments(world.the("deployments", "otter"))
    assert told(world.writes(mark), 4) == {DEPLOYMENT: 1}


def test_scaling_is_one_write_of_the_deployment(world: World) -> None:
    """Replicas set by kubectl scale reach the Deployment and nothing else."""
    served(world)
    mark = world.mark()

    world.cluster.kubectl(
        "scale", "quantizedmodels", "otter", "--replicas=3", "--namespace", world.namespace
    )
    scaled = world.until_ready("otter")

    assert scaled["status"]["readyReplicas"] == scaled["status"]["replicas"] == 3
    assert told(world.writes(mark), 4) == {DEPLOYMENT: 1}


def test_a_service_port_is_one_write_of_the_service(world: World) -> None:
    """Another port reaches the Service and the address in the status, and restarts nothing."""
    served(world)
    mark = world.mark()

    world.merge("quantizedmodels", "otter", {"spec": {"service": {"port": 8080}}})
    changed = world.until(
        "quantizedmodels", "otter", lambda body: ":8080" in body["status"].get("url", "")
    )

    assert documents.is_ready(changed)
    assert world.writes(mark) == {SERVICE: 1, STATUS: 1}


def test_labels_and_annotations_of_a_model_cost_nothing(world: World) -> None:
    """What others note on a model is no reason to write."""
    served(world)
    mark = world.mark()

    for number in range(20):
        noted = {"labels": {"team": f"river-{number}"}, "annotations": {"note": str(number)}}
        world.merge("quantizedmodels", "otter", {"metadata": noted})

    assert world.writes(mark) == {}


@pytest.mark.timeout(180, func_only=True)
def test_nothing_is_written_at_rest(world: World) -> None:
    """A minute of resyncs, six of each model, writes nothing."""
    world.claim("weights")
    operator = world.operator(resync_seconds="10")
    for name in ("otter", "heron", "newt"):
        world.model(name, claim_spec("weights"))
    world.until_all_ready(3)
    mark = world.mark()
    success = 'controller_runtime_reconcile_total{controller="quantizedmodel",result="success"}'
    before = operator.metric(success) or 0.0

    world.settle(60.0)

    assert world.audit.writes(world.account.user, mark) == {}
    assert (operator.metric(success) or 0.0) >= before + 12


def test_a_deleted_model_costs_nothing(world: World) -> None:
    """Deleting a model is the garbage collector's work: the operator writes nothing."""
    served(world)
    mark = world.mark()

    world.delete("quantizedmodels", "otter")
    for plural in ("quantizedmodels", "deployments", "services"):
        world.until_gone(plural, "otter")

    assert world.writes(mark) == {}
