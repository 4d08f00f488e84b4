"""A model called otter in a namespace called zoo, and what a cluster may look like around it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from checkpoints import TINY
from quantized_model_operator.domain.checkpoint import (
    CheckpointFacts,
    CheckpointProblem,
    InspectionReport,
    report_to_json,
)
from quantized_model_operator.domain.child_objects import DesiredObjects, Manifest, key_of
from quantized_model_operator.domain.cluster_state import (
    ContainerEnd,
    ModelKey,
    ObjectKey,
    Observed,
    ObservedClaim,
    ObservedContainer,
    ObservedNode,
    ObservedPod,
)
from quantized_model_operator.domain.decision import record_name
from quantized_model_operator.domain.timestamps import format_time
from quantized_model_operator.plan.decide import plan
from quantized_model_operator.plan.plan import Plan
from quantized_model_operator.render.objects import render
from quantized_model_operator.resolve import resolve
from quantized_model_operator.settings import EngineSettings, Settings

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
COMMIT = "c" * 40
HUB_URI = "hf://holt/otter-gptq"
SETTINGS = Settings(
    operator_image="mirror.example/operator:3",
    gpu_engine=EngineSettings(image="mirror.example/engine:{version}", default_version="0.33.0"),
    cpu_engine=EngineSettings(image="mirror.example/cpu:{version}", default_version="0.32.0"),
)
CPU_SPEC: Mapping[str, Any] = {
    "model": {"uri": "pvc://weights/tiny", "revision": "main"},
    "hardware": {"device": "CPU", "memory": "5Gi"},
}
HUB_SPEC: Mapping[str, Any] = {
    "model": {"uri": HUB_URI, "revision": COMMIT},
    "hardware": {"device": "CPU", "memory": "5Gi"},
}
GPU_SPEC: Mapping[str, Any] = {
    "model": {"uri": HUB_URI, "revision": COMMIT},
    "hardware": {"products": ["NVIDIA-L4"]},
}
DEN = ObservedNode(
    name="den", labels={}, allocatable={"cpu": "8", "memory": "32Gi"}, schedulable=True
)


def facts(uri: str = "pvc://weights/tiny", commit: str = "uid-of-weights") -> CheckpointFacts:
    """Of a tiny Qwen2 quantised to 4 bits."""
    integrity = "Hub" if uri.startswith("hf") else "Unverified"
    return replace(TINY, uri=uri, commit=commit, integrity=integrity)


def claim(name: str = "weights", mode: str = "ReadWriteMany") -> ObservedClaim:
    """A bound claim."""
    return ObservedClaim(name=name, uid=f"uid-of-{name}", phase="Bound", access_modes=(mode,))


def observed(
    spec: Mapping[str, Any] = CPU_SPEC,
    *,
    known: CheckpointFacts | None = None,
    claims: tuple[ObservedClaim, ...] = (claim(),),
    generation: int = 1,
) -> Observed:
    """Otter as the operator sees it first; `known` is a checkpoint that has a record."""
    metadata = {"namespace": "zoo", "name": "otter", "uid": "uid-of-otter"}
    report = report_to_json(InspectionReport(facts=known)) if known else ""
    record = {record_name(known.uri, known.commit): {"data": {"report": report}}} if known else {}
    return Observed(
        key=ModelKey("zoo", "otter"),
        model={"metadata": {**metadata, "generation": generation}, "spec": spec},
        claims={item.name: item for item in claims},
        records=record,
        nodes=(DEN,),
    )


def planned(seen: Observed, now: datetime = NOW, settings: Settings = SETTINGS) -> Plan:
    """The plan for what is seen."""
    return plan(resolve(seen, settings), seen, now, settings)


def desired(
    seen: Observed, now: datetime = NOW, settings: Settings = SETTINGS
) -> tuple[Plan, DesiredObjects]:
    """The plan and what it renders."""
    result = planned(seen, now, settings)
    return result, render(result, seen, settings)


def with_spec(seen: Observed, spec: Mapping[str, Any]) -> Observed:
    """The same after the user changed the spec."""
    metadata = {**seen.model["metadata"], "generation": seen.generation + 1}
    return replace(seen, model={"metadata": metadata, "spec": spec})


def with_applied(seen: Observed, wanted: DesiredObjects) -> Observed:
    """The same after the API server took what was wanted."""
    children = dict(seen.children)
    records = dict(seen.records)
    for manifest in wanted.manifests():
        if manifest["kind"] == "ConfigMap":
            records[manifest["metadata"]["name"]] = manifest
            continue
        children[key_of(manifest)] = _as_live(manifest, children.get(key_of(manifest)))
    for removal in wanted.removals:
        children.pop(removal.key)
    return replace(seen, children=children, records=records)


def _as_live(manifest: Manifest, before: Manifest | None) -> dict[str, Any]:
    generation = before["metadata"]["generation"] if before else 0
    changed = before is None or before["spec"] != manifest["spec"]
    name = manifest["metadata"]["name"]
    metadata = {"uid": f"uid-of-{name}", "generation": generation + changed}
    return {
        **manifest,
        "metadata": {**manifest["metadata"], **metadata},
        "status": before["status"] if before else {},
    }


def with_finished_job(
    seen: Observed,
    name: str,
    report: InspectionReport | None,
    *,
    at: datetime = NOW,
    succeeded: bool = True,
) -> Observed:
    """The same after the pod of a Job left this report and the Job ended."""
    key = ObjectKey("Job", name)
    job = seen.children[key]
    ended = {
        "type": "Complete" if succeeded else "Failed",
        "status": "True",
        "lastTransitionTime": format_time(at),
    }
    children = {**seen.children, key: {**job, "status": {"conditions": [ended]}}}
    end = ContainerEnd(
        exit_code=0 if succeeded else 1,
        reason="Completed" if succeeded else "Error",
        message=report_to_json(report) if report else "",
        finished_at=at,
    )
    pod = job_pod(name, container(end=end, name="inspect"))
    return replace(seen, children=children, pods=(*seen.pods, pod))


def job_pod(job: str, *containers: ObservedContainer, unschedulable: str = "") -> ObservedPod:
    """A pod whose controller is the Job."""
    return ObservedPod(
        name=f"{job}-pod",
        uid=f"uid-of-{job}-pod",
        labels={"app.kubernetes.io/component": "inspect"},
        phase="Running",
        reason="",
        message="",
        node_name="den",
        created_at=NOW,
        deleting=False,
        ready=False,
        unschedulable_message=unschedulable,
        owner_uid=f"uid-of-{job}",
        job_name=job,
        containers=containers,
    )


def serving_pod(
    *containers: ObservedContainer,
    revision: str = "6f",
    unschedulable: str = "",
    age: timedelta = timedelta(),
    reason: str = "",
) -> ObservedPod:
    """A pod of the Deployment."""
    return ObservedPod(
        name=f"otter-{revision}-x",
        uid=f"uid-of-otter-{revision}-x",
        labels={"app.kubernetes.io/component": "serving", "pod-template-hash": revision},
        phase="Running",
        reason=reason,
        message="",
        node_name="" if unschedulable else "den",
        created_at=NOW - age,
        deleting=False,
        ready=False,
        unschedulable_message=unschedulable,
        owner_uid="uid-of-replica-set",
        job_name="",
        containers=containers,
    )


def container(
    *,
    name: str = "vllm",
    end: ContainerEnd | None = None,
    last_end: ContainerEnd | None = None,
    waiting: tuple[str, str] = ("", ""),
    restarts: int = 0,
    started: bool = False,
) -> ObservedContainer:
    """A container, init when it is one by name."""
    return ObservedContainer(
        name=name,
        init=name == "fetch",
        ready=started,
        started=started,
        restart_count=restarts,
        waiting_reason=waiting[0],
        waiting_message=waiting[1],
        end=end,
        last_end=last_end,
    )


def ended(code: int, *, reason: str = "Error", message: str = "") -> ContainerEnd:
    """An end of a container."""
    return ContainerEnd(exit_code=code, reason=reason, message=message, finished_at=NOW)


def refusal(reason: str = "TensorMissing", count: int = 1) -> InspectionReport:
    """A report that refuses the checkpoint."""
    problem = CheckpointProblem(reason=reason, message="layer 1 lacks a tensor; fetch it again")
    return InspectionReport(problems=(problem,), problem_count=count)


def deployment_of(seen: Observed) -> dict[str, Any]:
    """The live Deployment."""
    return dict(seen.children[ObjectKey("Deployment", "otter")])


def with_deployment_status(seen: Observed, **status: int) -> Observed:
    """The same after the Deployment controller wrote this status."""
    key = ObjectKey("Deployment", "otter")
    live = {**seen.children[key], "status": status}
    return replace(seen, children={**seen.children, key: live})


def running(spec: Mapping[str, Any] = CPU_SPEC) -> Observed:
    """Otter after its one replica has answered."""
    known = facts() if str(spec["model"]["uri"]).startswith("pvc") else facts(HUB_URI, COMMIT)
    seen = observed(spec, known=known)
    seen = with_applied(seen, desired(seen)[1])
    return with_deployment_status(
        seen, observedGeneration=1, replicas=1, updatedReplicas=1, readyReplicas=1
    )
