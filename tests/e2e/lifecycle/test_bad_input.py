"""Input that cannot work and needs no pod to know it: what is said, and how it heals."""

import pytest

from e2e.support import documents
from e2e.support.audit import STATUS
from e2e.support.documents import claim_spec, cpu_spec
from e2e.support.world import World
from qmo_cluster.api_client import ApiError

pytestmark = pytest.mark.e2e

REFUSED_BY_THE_SERVER = {
    "an unknown device": (
        {"model": {"uri": documents.URI}, "hardware": {"device": "TPU"}},
        'Unsupported value: "TPU": supported values: "GPU", "CPU"',
    ),
    "two kinds of cache": (
        {"model": {"uri": documents.URI}, "cache": {"claimName": "a", "size": "1Gi"}},
        "spec.cache needs exactly one of claimName, size and hostPath",
    ),
    "no kind of cache": (
        {"model": {"uri": documents.URI}, "cache": {}},
        "spec.cache needs exactly one of claimName, size and hostPath",
    ),
    "no source": ({"hardware": {"device": "CPU"}}, "spec.model: Required value"),
    "an unknown scheme": ({"model": {"uri": "ftp://holt/otter"}}, "spec.model.uri"),
}


@pytest.mark.parametrize("case", REFUSED_BY_THE_SERVER)
def test_the_api_server_refuses_what_the_schema_forbids(world: World, case: str) -> None:
    """A user hears at once, from the API server itself, which field is wrong."""
    spec, sentence = REFUSED_BY_THE_SERVER[case]

    with pytest.raises(ApiError) as refusal:
        world.model("otter", spec)

    assert refusal.value.status == 422
    assert sentence in str(refusal.value)


def test_an_owned_flag_is_refused_by_name_until_the_spec_is_mended(world: World) -> None:
    """A flag of the operator stalls the model with its field; without it the model is served."""
    world.claim("weights")
    world.operator()
    bad = claim_spec("weights", engine={"args": ["--enable-auto-tool-choice", "--port=9000"]})
    world.model("otter", bad)

    stalled = world.until_reason("otter", "OwnedArgument", "Stalled")
    assert documents.condition(stalled, "Stalled")["message"].startswith("spec.engine.args[1]: --p")
    assert world.get("deployments", "otter") is None

    good = {"spec": {"engine": {"args": ["--enable-auto-tool-choice"]}}}
    world.merge("quantizedmodels", "otter", good)
    mended = world.until_ready("otter")
    assert not documents.condition(mended, "Stalled")


def test_the_suggestion_mends_the_spec_as_kubectl_applies_it(world: World) -> None:
    """The patch in status.failure, given to kubectl as the documentation says, is enough."""
    world.know()
    world.operator()
    world.model("otter", cpu_spec(engine={"maxModelLen": 999_999}))
    world.until_reason("otter", "ModelLengthTooLong", "Stalled")
    which = ("quantizedmodel", "otter", f"--namespace={world.namespace}")

    path = "jsonpath={.status.failure.suggestion}"
    suggestion = world.cluster.kubectl("get", *which, "--output", path).stdout
    world.cluster.kubectl("patch", *which, "--type=merge", "--patch", suggestion)

    mended = world.until_ready("otter")
    assert "failure" not in mended["status"]
    assert mended["spec"]["engine"]["maxModelLen"] < 999_999


def test_a_bad_change_stops_nothing_that_runs(world: World) -> None:
    """A spec that cannot work leaves the Deployment of the one before alone, and says both."""
    world.claim("weights")
    world.operator()
    world.model("otter", claim_spec("weights"))
    world.until_ready("otter")
    before = world.the("deployments", "otter")["spec"]
    mark = world.mark()

    world.merge("quantizedmodels", "otter", {"spec": {"engine": {"args": ["--port=9000"]}}})
    stalled = world.until_reason("otter", "OwnedArgument", "Stalled")

    assert documents.condition(stalled, "Available")["status"] == "True"
    assert documents.condition(stalled, "Ready")["status"] == "False"
    assert world.writes(mark) == {STATUS: 1, "create events": 1}
    assert world.the("deployments", "otter")["spec"] == before


def test_a_claim_that_comes_later_is_found(world: World) -> None:
    """A model whose claim is missing says so, and goes on by itself once the claim exists."""
    world.operator()
    world.model("otter", claim_spec("weights"))
    missing = world.until_reason("otter", "ClaimNotFound", "Stalled")
    assert "'weights'" in documents.condition(missing, "Stalled")["message"]

    world.claim("weights")

    world.until_ready("otter")


def test_a_bad_model_holds_up_no_other(world: World) -> None:
    """Ten models that cannot work do not keep the next one from being served."""
    world.claim("weights")
    world.operator()
    for number in range(10):
        world.model(f"bad-{number}", claim_spec(f"missing-{number}"))

    world.model("otter", claim_spec("weights"))

    world.until_ready("otter")
    for number in range(10):
        world.until_reason(f"bad-{number}", "ClaimNotFound", "Stalled")
    assert world.until_ready("otter")


def test_refused_input_is_quiet(world: World) -> None:
    """A model that cannot work costs one status and one Event, however often it is looked at."""
    world.operator(resync_seconds="10")
    mark = world.mark()

    world.model("otter", claim_spec("weights"))
    world.until_reason("otter", "ClaimNotFound", "Stalled")
    world.settle(11.0)

    written = world.audit.writes(world.account.user, mark)
    assert written == {STATUS: 1, "create events": 1}


def test_what_the_api_server_refuses_is_told(world: World) -> None:
    """A Deployment that an admission rule forbids shows in the status, in the server's words."""
    world.know()
    quota = {"metadata": {"name": "none"}, "spec": {"hard": {"count/deployments.apps": "0"}}}
    world.create("resourcequotas", quota)
    world.until("resourcequotas", "none", lambda body: bool((body.get("status") or {}).get("hard")))
    world.operator()

    world.model("otter", cpu_spec())
    stalled = world.until_reason("otter", "ObjectRefused", "Stalled")

    assert "exceeded quota: none" in documents.condition(stalled, "Stalled")["message"]
    world.delete("resourcequotas", "none")
    world.until_ready("otter", timeout_seconds=90)
