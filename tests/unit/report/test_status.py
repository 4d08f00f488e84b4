"""The status: true for every stage, and readable for tools that follow kstatus."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from quantized_model_operator.api.conditions import REASONS
from quantized_model_operator.domain.checkpoint import report_to_json
from quantized_model_operator.domain.child_objects import AppliedObjects
from quantized_model_operator.domain.cluster_state import LogKey, ObjectKey, Observed
from quantized_model_operator.domain.outcome import Problem
from quantized_model_operator.report.status import Report, report, report_invalid
from unit.otter import (
    COMMIT,
    CPU_SPEC,
    HUB_SPEC,
    HUB_URI,
    SETTINGS,
    claim,
    container,
    desired,
    ended,
    facts,
    observed,
    planned,
    refusal,
    running,
    serving_pod,
    with_applied,
    with_deployment_status,
    with_finished_job,
    with_spec,
)

STARTING = {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1}


def _report(
    seen: Observed,
    conflicts: Mapping[ObjectKey, str] | None = None,
    refusals: Mapping[ObjectKey, str] | None = None,
) -> Report:
    applied = AppliedObjects(
        objects=seen.children, writes=0, conflicts=conflicts or {}, refusals=refusals or {}
    )
    return report(planned(seen), seen, applied, SETTINGS)


def _conditions(result: Report) -> dict[str, Any]:
    return {item["type"]: item for item in result.status["conditions"]}


def _starting(*pods: Any) -> Observed:  # noqa: ANN401 - pods
    return replace(with_deployment_status(running(), **STARTING), pods=pods)


def _kstatus(status: Mapping[str, Any], generation: int) -> str:
    """What kstatus makes of it. Source: kstatus' documented order of checks."""
    conditions = {item["type"]: item["status"] for item in status["conditions"]}
    if status["observedGeneration"] != generation or conditions.get("Reconciling") == "True":
        return "InProgress"
    if conditions.get("Stalled") == "True":
        return "Failed"
    return "Current" if conditions.get("Ready") == "True" else "InProgress"


def _refused() -> Observed:
    seen = observed()
    first, objects = desired(seen)
    assert first.inspection is not None
    name = f"otter-inspect-{first.inspection.inputs[:6]}-1"
    return with_finished_job(with_applied(seen, objects), name, refusal())


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (observed(), "InProgress"),
        (_refused(), "Failed"),
        (with_deployment_status(running(), **STARTING), "InProgress"),
        (running(), "Current"),
        (observed({**CPU_SPEC, "suspended": True}), "Current"),
        (_starting(serving_pod(unschedulable="0/1 nodes")), "Failed"),
    ],
)
def test_kstatus(seen: Observed, expected: str) -> None:
    """GitOps tools see progress, failure and rest as they are."""
    result = _report(seen)
    assert _kstatus(result.status, seen.generation) == expected
    assert not {"Reconciling", "Stalled"} <= set(_conditions(result))


def test_every_condition_is_about_this_generation() -> None:
    """Each condition carries the generation that it is about."""
    seen = running()
    assert {item["observedGeneration"] for item in _report(seen).status["conditions"]} == {1}


def test_ready_needs_the_deployment_to_have_seen_the_revision() -> None:
    """A Deployment whose controller has not looked yet is not Ready, however good its counts."""
    seen = running()
    key = ObjectKey("Deployment", "otter")
    live = seen.children[key]
    ahead = {**live, "metadata": {**live["metadata"], "generation": 2}}
    seen = replace(seen, children={**seen.children, key: ahead})
    ready = _conditions(_report(seen))["Ready"]
    assert (ready["status"], ready["reason"]) == ("False", "RollingOut")


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ({"observedGeneration": 1}, "Starting"),
        ({"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1}, "Starting"),
        (
            {"observedGeneration": 1, "replicas": 2, "updatedReplicas": 1, "readyReplicas": 2},
            "RollingOut",
        ),
        (
            {"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 1},
            "Scaling",
        ),
    ],
)
def test_ready_says_what_is_missing(status: dict[str, int], reason: str) -> None:
    """Each way of not being ready has its own reason."""
    ready = _conditions(_report(with_deployment_status(running(), **status)))["Ready"]
    assert (ready["status"], ready["reason"]) == ("False", reason)


def test_a_deadline_is_told() -> None:
    """A rollout that made no progress in time says so, with the controller's sentence."""
    seen = with_deployment_status(running(), **STARTING)
    key = ObjectKey("Deployment", "otter")
    late = {
        "type": "Progressing",
        "status": "False",
        "reason": "ProgressDeadlineExceeded",
        "message": "has timed out",
    }
    live = {**seen.children[key], "status": {**STARTING, "conditions": [late]}}
    ready = _conditions(_report(replace(seen, children={**seen.children, key: live})))["Ready"]
    assert (ready["reason"], ready["message"]) == ("DeadlineExceeded", "has timed out")


@pytest.mark.parametrize(
    ("pod", "reason", "words"),
    [
        (serving_pod(reason="Evicted"), "Evicted", "evicted"),
        (serving_pod(unschedulable="0/3 nodes: 3 Insufficient cpu."), "Unschedulable", "3 Insuf"),
        (
            serving_pod(unschedulable='persistentvolumeclaim "weights" not found'),
            "ClaimNotFound",
            "weights",
        ),
        (
            serving_pod(container(waiting=("ImagePullBackOff", "no such tag"))),
            "ImagePullFailed",
            "no such tag",
        ),
        (
            serving_pod(container(waiting=("CreateContainerConfigError", 'secret "k" not found'))),
            "ContainerFailed",
            'secret "k" not found',
        ),
        (serving_pod(container(end=ended(137, reason="OOMKilled"))), "OutOfMemory", "memory"),
        (serving_pod(container(end=ended(2), restarts=0)), "EngineFailed", "exit code 2"),
        (serving_pod(container(last_end=ended(0), restarts=1)), "EngineDied", "exit code 0"),
        (
            serving_pod(
                container(
                    last_end=ended(
                        143, message='{"reason": "AnswersDamaged", "message": "HTTP 404"}'
                    ),
                    restarts=1,
                )
            ),
            "AnswersDamaged",
            "HTTP 404",
        ),
        (serving_pod(container(name="fetch", end=ended(1))), "FetchFailed", "exit code 1"),
    ],
)
def test_trouble(pod: Any, reason: str, words: str) -> None:  # noqa: ANN401 - a pod
    """Each way in which a pod can be in trouble stalls the model with its own reason."""
    result = _report(_starting(pod))
    conditions = _conditions(result)
    assert conditions["Ready"]["reason"] == conditions["Stalled"]["reason"] == reason
    assert words in conditions["Ready"]["message"]
    assert result.status["failure"]["reason"] == reason
    assert result.warning == (reason, conditions["Stalled"]["message"])


def test_a_failed_engine_is_quoted() -> None:
    """The cause is vLLM's own line, without prefixes, and not the wrapper that follows it."""
    log = (
        "(EngineCore pid=57) ERROR 06-01 11:58:59 [core.py:1123] ValueError: too small\n"
        "(APIServer pid=1) RuntimeError: Engine core initialization failed. See root cause above.\n"
    )
    pod = serving_pod(container(last_end=ended(1), restarts=1))
    seen = replace(_starting(pod), logs={LogKey(pod.uid, "vllm", 0): log})
    failure = _report(seen).status["failure"]
    assert failure["message"] == "vLLM ended with exit code 1: ValueError: too small"
    assert failure["logExcerpt"].startswith("ValueError: too small\n")
    assert failure["exitCode"] == 1


def test_a_container_that_started_again_is_no_trouble() -> None:
    """What once ended does not count against a container that has passed its startup probe."""
    pod = serving_pod(container(last_end=ended(1), restarts=1, started=True))
    assert "failure" not in _report(_starting(pod)).status


def test_pods_of_the_revision_before_do_not_count() -> None:
    """Mending the spec clears what the pods before died of."""
    old = serving_pod(container(end=ended(1)), revision="1a")
    new = serving_pod(container(), revision="2b")
    new = replace(new, created_at=old.created_at.replace(minute=1))
    assert "failure" not in _report(_starting(old, new)).status


def test_names_of_others_are_left_alone_and_told() -> None:
    """An object of somebody else stalls the model with its name."""
    conflicts = {ObjectKey("Service", "otter"): "conflict with kubectl"}
    ready = _conditions(_report(running(), conflicts))["Ready"]
    assert ready["reason"] == "NameTaken"
    assert "Service otter exists and belongs to somebody else" in ready["message"]


def test_what_the_server_does_not_take_is_told() -> None:
    """An object that validation, quota or admission refuses stalls the model with the answer."""
    refusals = {ObjectKey("Job", "otter-inspect-1"): "exceeded quota: jobs"}
    stalled = _conditions(_report(observed(), refusals=refusals))["Stalled"]
    assert stalled["reason"] == "ObjectRefused"
    assert "Job otter-inspect-1: exceeded quota: jobs" in stalled["message"]


def test_an_invalid_spec_keeps_what_runs_in_sight() -> None:
    """The counts of an earlier spec that still runs stay in the status."""
    seen = with_spec(running(), CPU_SPEC)
    problem = Problem(reason="OwnedArgument", field="spec.engine.args[0]", message="no")
    result = report_invalid((problem,), seen)
    assert result.status["readyReplicas"] == 1
    assert _conditions(result)["Available"]["status"] == "True"
    assert _conditions(result)["Stalled"]["reason"] == "OwnedArgument"


def test_weights_of_a_hub_model_are_ready_once_fetched() -> None:
    """WeightsReady follows the init container that fetches and verifies."""
    seen = running(HUB_SPEC)
    fetching = _conditions(_report(seen))["WeightsReady"]
    assert (fetching["status"], fetching["reason"]) == ("False", "Fetching")
    fetched = serving_pod(container(name="fetch", end=ended(0, reason="Completed")))
    done = _conditions(_report(replace(seen, pods=(fetched,))))["WeightsReady"]
    assert (done["status"], done["reason"]) == ("True", "Fetched")


def test_weights_that_cannot_be_fetched_say_why() -> None:
    """WeightsReady has the reason of the container that fetches, between its attempts too."""
    message = report_to_json(refusal("DigestMismatch"))
    failed = serving_pod(container(name="fetch", end=ended(2, message=message)))
    seen = replace(with_deployment_status(running(HUB_SPEC), **STARTING), pods=(failed,))
    weights = _conditions(_report(seen))["WeightsReady"]
    assert (weights["status"], weights["reason"]) == ("False", "DigestMismatch")
    assert weights["message"] == "layer 1 lacks a tensor; fetch it again"


def test_weights_of_a_claim_are_unverified_without_a_manifest() -> None:
    """Only digests prove weights: without them the condition is Unknown."""
    weights = _conditions(_report(running()))["WeightsReady"]
    assert (weights["status"], weights["reason"]) == ("Unknown", "IntegrityUnverified")
    known = replace(facts(), integrity="Manifest")
    seen = observed(known=known)
    seen = with_applied(seen, desired(seen)[1])
    assert _conditions(_report(seen))["WeightsReady"]["reason"] == "DigestsVerified"


def test_a_shared_cache_says_that_it_fetches() -> None:
    """While a Job fills the cache, the model says so and has no URL yet."""
    spec = {**HUB_SPEC, "cache": {"claimName": "store"}}
    seen = observed(spec, known=facts(HUB_URI, COMMIT), claims=(claim("store"),))
    result = _report(seen)
    assert _conditions(result)["Ready"]["reason"] == "Fetching"
    assert "url" not in result.status


@pytest.mark.parametrize("reason", sorted(REASONS))
def test_reasons_are_words_and_sentences(reason: str) -> None:
    """Each reason is one CamelCase word with a sentence."""
    assert reason.isidentifier()
    assert reason[0].isupper()
    assert REASONS[reason].endswith(".")
