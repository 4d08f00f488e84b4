"""What follows from a situation: inspect, wait, refuse, fetch, serve; and what sticks."""

from dataclasses import replace
from datetime import timedelta

import pytest

from quantized_model_operator.domain.checkpoint import InspectionReport
from quantized_model_operator.domain.cluster_state import ObjectKey, ObservedNode
from quantized_model_operator.domain.decision import decision_from_json
from quantized_model_operator.plan.jobs import JobState
from quantized_model_operator.plan.plan import Stage
from unit.otter import (
    COMMIT,
    CPU_SPEC,
    GPU_SPEC,
    HUB_SPEC,
    HUB_URI,
    NOW,
    claim,
    deployment_of,
    desired,
    facts,
    observed,
    planned,
    refusal,
    running,
    serving_pod,
    with_applied,
    with_finished_job,
    with_spec,
)

SHARED = {**HUB_SPEC, "cache": {"claimName": "store"}}


def _gpu_node(product: str, memory_mib: int, capability: str) -> ObservedNode:
    major, minor = capability.split(".")
    return ObservedNode(
        name="bank",
        labels={
            "nvidia.com/gpu.product": product,
            "nvidia.com/gpu.memory": str(memory_mib),
            "nvidia.com/gpu.compute.major": major,
            "nvidia.com/gpu.compute.minor": minor,
        },
        allocatable={"cpu": "8", "memory": "32Gi", "nvidia.com/gpu": "1"},
        schedulable=True,
    )


def _job_name(kind: str, seen_inputs: str, attempt: int) -> str:
    return f"otter-{kind}-{seen_inputs[:6]}-{attempt}"


def test_unknown_checkpoints_are_inspected_first() -> None:
    """Without facts there is a Job, and neither Deployment nor Service."""
    plan, objects = desired(observed())
    assert plan.stage is Stage.INSPECT
    assert [item["kind"] for item in objects.manifests()] == ["Job"]


def test_an_inspection_is_not_created_twice() -> None:
    """While the Job runs nothing is rendered."""
    seen = observed()
    seen = with_applied(seen, desired(seen)[1])
    plan, objects = desired(seen)
    assert plan.inspection is not None
    assert plan.inspection.state is JobState.RUNNING
    assert not list(objects.manifests())
    assert not objects.removals


def test_findings_are_recorded_and_served_and_the_job_goes() -> None:
    """A good report: record, Deployment, Service; the Job goes once the Deployment remembers."""
    seen = observed()
    plan, objects = desired(seen)
    assert plan.inspection is not None
    seen = with_applied(seen, objects)
    name = _job_name("inspect", plan.inspection.inputs, 1)
    seen = with_finished_job(seen, name, InspectionReport(facts=facts()))
    plan, objects = desired(seen)
    assert plan.stage is Stage.SERVE
    assert [item["kind"] for item in objects.manifests()] == ["ConfigMap", "Deployment", "Service"]
    assert not objects.removals
    seen = with_applied(seen, objects)
    plan, objects = desired(seen)
    assert [removal.key for removal in objects.removals] == [ObjectKey("Job", name)]
    assert objects.inspection_record is None


def test_refusals_are_told_and_tried_again_later() -> None:
    """A refusal stalls the model; the next attempt has a name of its own and a longer delay."""
    seen = observed()
    first, objects = desired(seen)
    assert first.inspection is not None
    inputs = first.inspection.inputs
    seen = with_applied(seen, objects)
    seen = with_finished_job(seen, _job_name("inspect", inputs, 1), refusal(count=3))
    plan, objects = desired(seen)
    assert plan.stage is Stage.INSPECT
    assert plan.problems[0].reason == "TensorMissing"
    assert "2 more problems" in plan.problems[0].message
    assert plan.retry_after_seconds == pytest.approx(30)
    assert not list(objects.manifests())
    later = NOW + timedelta(seconds=31)
    plan, objects = desired(seen, later)
    assert objects.inspection_job is not None
    assert objects.inspection_job["metadata"]["name"] == _job_name("inspect", inputs, 2)
    assert not objects.removals, "the old Job holds the count until the new one exists"
    seen = with_applied(seen, objects)
    plan, objects = desired(seen, later)
    assert [r.key.name for r in objects.removals] == [_job_name("inspect", inputs, 1)]
    seen = with_applied(seen, objects)
    seen = with_finished_job(seen, _job_name("inspect", inputs, 2), refusal(), at=later)
    assert planned(seen, later).retry_after_seconds == pytest.approx(60)


def test_an_inspection_without_a_word_is_tried_again() -> None:
    """A Job that ended without a report is no verdict."""
    seen = observed()
    first, objects = desired(seen)
    assert first.inspection is not None
    name = _job_name("inspect", first.inspection.inputs, 1)
    seen = with_finished_job(with_applied(seen, objects), name, None, succeeded=False)
    plan = planned(seen)
    assert plan.problems[0].reason == "InspectionFailed"
    assert planned(seen, NOW + timedelta(minutes=1)).problems == ()


def test_only_the_pod_of_our_job_is_believed() -> None:
    """A report from a pod that another Job controls does not count."""
    seen = observed()
    first, objects = desired(seen)
    assert first.inspection is not None
    name = _job_name("inspect", first.inspection.inputs, 1)
    seen = with_finished_job(with_applied(seen, objects), name, InspectionReport(facts=facts()))
    forged = replace(seen.pods[0], owner_uid="uid-of-somebody-else")
    assert planned(replace(seen, pods=(forged,))).facts is None


def test_a_known_pinned_commit_needs_no_job() -> None:
    """The record of a namespace serves every model that pins this commit."""
    plan = planned(observed(HUB_SPEC, known=facts(HUB_URI, COMMIT)))
    assert plan.stage is Stage.SERVE
    assert plan.inspection is None


def test_a_new_model_resolves_a_branch_afresh() -> None:
    """A record does not answer what a branch points at now."""
    spec = {**HUB_SPEC, "model": {"uri": HUB_URI, "revision": "main"}}
    assert planned(observed(spec, known=facts(HUB_URI, COMMIT))).stage is Stage.INSPECT


def test_the_commit_stays_when_something_else_changes() -> None:
    """After a change of arguments the same commit is served, without a look at the hub."""
    spec = {**HUB_SPEC, "model": {"uri": HUB_URI, "revision": "main"}}
    seen = observed(spec)
    first, objects = desired(seen)
    assert first.inspection is not None
    name = _job_name("inspect", first.inspection.inputs, 1)
    report = InspectionReport(facts=facts(HUB_URI, COMMIT))
    seen = with_finished_job(with_applied(seen, objects), name, report)
    seen = with_applied(seen, desired(seen)[1])
    changed = with_spec(seen, {**spec, "engine": {"args": ["--max-log-len", "5"]}})
    plan = planned(changed)
    assert plan.stage is Stage.SERVE
    assert plan.inspection is None
    assert plan.facts is not None
    assert plan.facts.commit == COMMIT


def test_another_revision_is_inspected_while_the_old_one_runs() -> None:
    """After a change of revision the running Deployment is left alone until facts exist."""
    seen = running(HUB_SPEC)
    spec = {**HUB_SPEC, "model": {"uri": HUB_URI, "revision": "d" * 40}}
    plan, objects = desired(with_spec(seen, spec))
    assert plan.stage is Stage.INSPECT
    assert [item["kind"] for item in objects.manifests()] == ["Job"]
    assert not objects.removals


def test_a_decision_sticks_when_nodes_go() -> None:
    """Without any node in sight a running model keeps plan and template."""
    seen = running()
    before = deployment_of(seen)["spec"]
    _, objects = desired(replace(seen, nodes=()))
    assert objects.deployment is not None
    assert objects.deployment["spec"] == before


def test_replanning_waits_for_ten_minutes_without_a_place() -> None:
    """An unplaced model is planned anew only after ten minutes, and only for hardware in sight."""
    spec = {"model": GPU_SPEC["model"]}
    seen = replace(
        observed(spec, known=facts(HUB_URI, COMMIT)), nodes=(_gpu_node("NVIDIA-L4", 23034, "8.9"),)
    )
    seen = with_applied(seen, desired(seen)[1])
    turing = _gpu_node("Tesla-T4", 15360, "7.5")
    waiting = serving_pod(unschedulable="0/1 nodes", age=timedelta(minutes=9))
    seen = replace(seen, nodes=(turing,), pods=(waiting,))
    early = planned(seen).serving
    assert early is not None
    assert early.plan.products == ("NVIDIA-L4",)
    waited = serving_pod(unschedulable="0/1 nodes", age=timedelta(minutes=11))
    late = planned(replace(seen, pods=(waited,))).serving
    assert late is not None
    assert not late.is_recorded
    assert late.plan.products == ("Tesla-T4",)


def test_a_shared_cache_is_filled_before_the_deployment() -> None:
    """With a shared claim a Job fetches first, and its failure is told with its own words."""
    seen = observed(SHARED, known=facts(HUB_URI, COMMIT), claims=(claim("store"),))
    plan, objects = desired(seen)
    assert plan.stage is Stage.FETCH
    assert [item["kind"] for item in objects.manifests()] == ["Job"]
    assert plan.fetch is not None
    name = _job_name("fetch", plan.fetch.inputs, 1)
    seen = with_applied(seen, objects)
    failed = with_finished_job(seen, name, refusal("DigestMismatch"), succeeded=False)
    assert planned(failed).problems[0].reason == "DigestMismatch"
    done = with_finished_job(seen, name, None)
    plan, objects = desired(done)
    assert plan.stage is Stage.SERVE
    done = with_applied(done, objects)
    assert [removal.key.name for removal in desired(done)[1].removals] == [name]


def test_suspended_from_the_start_does_nothing() -> None:
    """A suspended new model creates nothing, a suspended running one keeps its objects."""
    plan, objects = desired(observed({**CPU_SPEC, "suspended": True}))
    assert plan.stage is Stage.SUSPENDED
    assert not list(objects.manifests())
    _, objects = desired(with_spec(running(), {**CPU_SPEC, "suspended": True}))
    assert objects.deployment is not None
    assert objects.deployment["spec"]["replicas"] == 0


def test_the_decision_survives_its_annotation() -> None:
    """What is recorded on the Deployment reads back as what was decided."""
    annotations = deployment_of(running())["metadata"]["annotations"]
    decision = decision_from_json(annotations["serving.quantizedmodel.dev/plan"])
    assert decision is not None
    assert decision.facts == facts()
    assert decision.image == "mirror.example/cpu:0.32.0"


@pytest.mark.parametrize("damage", ["", "{}", "[]", "null", '{"version": 2}', "no json"])
def test_a_damaged_decision_counts_as_missing(damage: str) -> None:
    """Whatever somebody writes into the annotation, it is ignored, not obeyed."""
    assert decision_from_json(damage) is None


def test_an_edited_decision_counts_as_missing() -> None:
    """An edit by hand breaks the hash of the annotation."""
    annotations = deployment_of(running())["metadata"]["annotations"]
    text = annotations["serving.quantizedmodel.dev/plan"]
    assert decision_from_json(text.replace("mirror.example", "elsewhere.example")) is None


def test_the_pipeline_comes_to_rest() -> None:
    """Applied again and again, a plan stops changing anything after its first application."""
    seen = observed(known=facts())
    for _ in range(5):
        _, objects = desired(seen)
        after = with_applied(seen, objects)
        if after == seen:
            return
        seen = after
    pytest.fail("the pipeline does not come to rest")
