"""Pure: gather the situation, apply the rules, and say what follows as a ``Plan``.

A decision sticks: it is read back from the Deployment and made anew only when its inputs change,
or while none of its pods could be placed for ten minutes and another plan fits now.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from quantized_model_operator.domain.checkpoint import (
    CheckpointFacts,
    InvalidReportError,
    report_from_json,
)
from quantized_model_operator.domain.child_objects import Removal
from quantized_model_operator.domain.cluster_state import ObjectKey, Observed
from quantized_model_operator.domain.decision import (
    Decision,
    decision_from_json,
    record_name,
    source_hash,
)
from quantized_model_operator.domain.model import CacheKind, ResolvedModel, Scheme, content_hash
from quantized_model_operator.domain.outcome import Problem
from quantized_model_operator.domain.serving_plan import ServingPlan, plan_serving
from quantized_model_operator.domain.well_known import (
    INPUTS_ANNOTATION,
    PLAN_ANNOTATION,
    RECORD_DATA_KEY,
    Component,
)
from quantized_model_operator.plan.jobs import JobState, JobStep, job_step, obsolete_jobs
from quantized_model_operator.plan.learning import learned_request
from quantized_model_operator.plan.nodes import eligible_nodes
from quantized_model_operator.plan.plan import Plan, Recorded, ServingChoice
from quantized_model_operator.plan.rules import Situation, verdict
from quantized_model_operator.plan.unprepared import unprepared
from quantized_model_operator.settings import Settings

UNPLACED_BEFORE_REPLANNING = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Checkpoint:
    facts: CheckpointFacts | None
    inspection: JobStep | None
    facts_are_new: bool


def plan(model: ResolvedModel, observed: Observed, now: datetime, settings: Settings) -> Plan:
    """What must happen now; cannot fail."""
    recorded = recorded_on(observed)
    source = current_source(model, observed)
    checkpoint = _checkpoint(model, observed, recorded, source, now)
    serving = _serving(model, observed, recorded, checkpoint.facts, now=now, settings=settings)
    fetch = _fetch(model, observed, recorded, checkpoint.facts, now)
    situation = Situation(
        model=model,
        observed=observed,
        recorded=recorded,
        now=now,
        inspection=checkpoint.inspection,
        facts=checkpoint.facts,
        serving=serving,
        fetch=fetch,
    )
    answer = verdict(situation)
    late = unprepared(observed, now)
    return Plan(
        model=model,
        stage=answer.stage,
        recorded=recorded,
        source=source,
        inspection=checkpoint.inspection,
        fetch=fetch,
        facts=checkpoint.facts,
        facts_are_new=checkpoint.facts_are_new,
        serving=None if isinstance(serving, tuple) else serving,
        problems=answer.problems,
        removals=_removals(observed, checkpoint.inspection, fetch, recorded, source),
        retry_after_seconds=_earlier(answer.retry_after_seconds, late.retry_after_seconds),
        unprepared=late.pods,
    )


def _earlier(one: float | None, other: float | None) -> float | None:
    return min((item for item in (one, other) if item is not None), default=None)


def recorded_on(observed: Observed) -> Recorded:
    """What the live Deployment of this model says about itself."""
    deployment = observed.children.get(ObjectKey("Deployment", observed.key.name))
    annotations = (deployment["metadata"].get("annotations") or {}) if deployment else {}
    text = annotations.get(PLAN_ANNOTATION)
    return Recorded(
        deployment=deployment,
        decision=decision_from_json(text) if text else None,
        inputs=str(annotations.get(INPUTS_ANNOTATION, "")),
    )


def current_source(model: ResolvedModel, observed: Observed) -> str:
    """``source_hash`` of what the model points at now."""
    claim = observed.claims.get(model.source.claim_name)
    return source_hash(model.source.uri, model.source.revision, claim.uid if claim else "")


def known_commit(model: ResolvedModel, observed: Observed) -> str:
    """The commit that needs no resolving: pinned by the user, or the uid of the claim."""
    if model.source.scheme is Scheme.CLAIM:
        claim = observed.claims.get(model.source.claim_name)
        return claim.uid if claim else ""
    return model.source.revision if model.commit_is_pinned else ""


def inspection_inputs(model: ResolvedModel, source: str) -> str:
    """Hash of everything that an inspection Job depends on."""
    pod = model.pod
    return content_hash(
        {
            "source": source,
            "token": [model.token.name, model.token.key] if model.token else [],
            "identity": [pod.user_id, pod.group_id, pod.volume_group_id],
            "nodes": [dict(pod.node_selector), [dict(item) for item in pod.tolerations]],
        }
    )


def _checkpoint(
    model: ResolvedModel, observed: Observed, recorded: Recorded, source: str, now: datetime
) -> _Checkpoint:
    """Facts from the decision, else from the namespace's records, else from an inspection."""
    if recorded.decision and recorded.decision.source == source:
        return _Checkpoint(facts=recorded.decision.facts, inspection=None, facts_are_new=False)
    commit = known_commit(model, observed)
    record = observed.records.get(record_name(model.source.uri, commit)) if commit else None
    facts = _facts_in(record)
    if facts:
        return _Checkpoint(facts=facts, inspection=None, facts_are_new=False)
    step = job_step(observed, Component.INSPECT, inspection_inputs(model, source), now)
    found = step.report.facts if step.report and step.state is JobState.SUCCEEDED else None
    return _Checkpoint(facts=found, inspection=step, facts_are_new=found is not None)


def _facts_in(record: Mapping[str, Any] | None) -> CheckpointFacts | None:
    text = ((record or {}).get("data") or {}).get(RECORD_DATA_KEY)
    if not text:
        return None
    try:
        return report_from_json(text).facts
    except InvalidReportError:
        return None


def _serving(
    model: ResolvedModel,
    observed: Observed,
    recorded: Recorded,
    facts: CheckpointFacts | None,
    *,
    now: datetime,
    settings: Settings,
) -> ServingChoice | tuple[Problem, ...] | None:
    if facts is None:
        return None
    decision = recorded.decision
    if decision and decision.inputs == model.inputs and decision.facts == facts:
        return _sticky(model, observed, decision, now, settings)
    request = learned_request(model, observed)
    return _choice(plan_serving(facts, request, eligible_nodes(model, observed)), model, settings)


def _sticky(
    model: ResolvedModel,
    observed: Observed,
    decision: Decision,
    now: datetime,
    settings: Settings,
) -> ServingChoice:
    kept = ServingChoice(plan=decision.plan, image=decision.image, is_recorded=True)
    if not _is_unplaced(observed, now):
        return kept
    request = learned_request(model, observed)
    fresh = plan_serving(decision.facts, request, eligible_nodes(model, observed))
    if isinstance(fresh, tuple) or fresh.nodes_that_fit == 0 or _same(fresh, decision.plan):
        return kept
    choice = _choice(fresh, model, settings)
    return kept if isinstance(choice, tuple) else choice


def _is_unplaced(observed: Observed, now: datetime) -> bool:
    """No serving pod was placed, and the oldest has been waiting for long enough."""
    pods = [pod for pod in observed.pods if not pod.job_name and not pod.deleting]
    return (
        bool(pods)
        and all(pod.unschedulable_message for pod in pods)
        and now - min(pod.created_at for pod in pods) >= UNPLACED_BEFORE_REPLANNING
    )


def _same(fresh: ServingPlan, kept: ServingPlan) -> bool:
    """Whether pods would be placed alike: figures of a plan may differ with the nodes."""
    return (fresh.products, fresh.tensor_parallel_size, fresh.max_model_length) == (
        kept.products,
        kept.tensor_parallel_size,
        kept.max_model_length,
    )


def _choice(
    planned: ServingPlan | tuple[Problem, ...], model: ResolvedModel, settings: Settings
) -> ServingChoice | tuple[Problem, ...]:
    if isinstance(planned, tuple):
        return planned
    engine = settings.cpu_engine if model.request.device == "CPU" else settings.gpu_engine
    image = model.image or engine.image.format(version=planned.engine_version)
    return ServingChoice(plan=planned, image=image, is_recorded=False)


def _fetch(
    model: ResolvedModel,
    observed: Observed,
    recorded: Recorded,
    facts: CheckpointFacts | None,
    now: datetime,
) -> JobStep | None:
    """A Job fills a claim before the first Deployment of a commit; pods check again themselves."""
    if facts is None or model.cache.kind is not CacheKind.CLAIM:
        return None
    if recorded.decision and recorded.decision.facts.commit == facts.commit:
        return None
    inputs = content_hash(
        {
            "uri": facts.uri,
            "commit": facts.commit,
            "claim": observed.claims[model.cache.claim_name].uid,
            "token": [model.token.name, model.token.key] if model.token else [],
        }
    )
    return job_step(observed, Component.FETCH, inputs, now)


def _removals(
    observed: Observed,
    inspection: JobStep | None,
    fetch: JobStep | None,
    recorded: Recorded,
    source: str,
) -> tuple[Removal, ...]:
    """Jobs go once the Deployment remembers what they found, and older attempts at once."""
    remembered = recorded.decision is not None and recorded.decision.source == source
    inspect_kept = None if remembered else inspection
    removals: list[Removal] = []
    if remembered or inspection is not None:
        removals += obsolete_jobs(observed, Component.INSPECT, inspect_kept)
    removals += obsolete_jobs(observed, Component.FETCH, fetch)
    return tuple(removals)
