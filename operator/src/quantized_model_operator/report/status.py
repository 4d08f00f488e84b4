"""Pure: everything learned in one reconcile, as the status that users and tools read.

Conditions follow kstatus: ``Stalled`` when somebody has to act, ``Reconciling`` while work goes
on, ``Ready`` only when vLLM answered for this generation on every wanted replica.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from quantized_model_operator.api.conditions import REASONS, ConditionType
from quantized_model_operator.domain.child_objects import AppliedObjects
from quantized_model_operator.domain.cluster_state import ObjectKey, Observed
from quantized_model_operator.domain.engine_start import recorded_engine
from quantized_model_operator.domain.outcome import Problem
from quantized_model_operator.domain.well_known import selector_text
from quantized_model_operator.plan.plan import Plan, Stage
from quantized_model_operator.report.details import (
    checkpoint_details,
    failure_details,
    plan_details,
    sentences,
    url,
    weights_condition,
)
from quantized_model_operator.report.engine_details import EngineTold, engine_told
from quantized_model_operator.report.readiness import Readiness, readiness
from quantized_model_operator.report.scene import Scene, Trouble
from quantized_model_operator.report.situation import situation
from quantized_model_operator.report.trouble import pod_trouble, serving_trouble
from quantized_model_operator.settings import Settings

_MOST_CHARACTERS = 4000
_WORKING = {
    Stage.SUSPENDED: ("True", "Suspended", ""),
    Stage.INSPECT: ("Unknown", "Inspecting", ""),
    Stage.PLAN: ("Unknown", "Planned", ""),
    Stage.FETCH: ("Unknown", "Fetching", ""),
}
"""Ready before there is a Deployment, when nothing is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One condition before it gets its generation and time."""

    type: ConditionType
    status: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The status to publish, and what deserves an Event when it is new."""

    status: Mapping[str, Any]
    warning: tuple[str, str] | None
    """(reason, message) of what stalls the model."""
    surprise: tuple[str, str] | None = None
    """(reason, message) of what vLLM just reported and the plan did not expect."""

    @property
    def events(self) -> Iterator[tuple[str, str]]:
        """What deserves an Event when this status is written."""
        return (item for item in (self.warning, self.surprise) if item)


def report(plan: Plan, observed: Observed, applied: AppliedObjects, settings: Settings) -> Report:
    """The status of a model that could be resolved; cannot fail."""
    state = readiness(plan, observed, applied)
    trouble = _trouble(plan, observed, state)
    problems = (*_not_applied(applied), *plan.problems)
    told = engine_told(plan, observed, state)
    findings = [
        _with_engine(_ready(plan, state, trouble, problems), told),
        *_stages(plan, observed, trouble, problems),
        _available(plan, state, trouble, problems),
        *_kstatus(plan, state, trouble, problems),
    ]
    status = {
        "observedGeneration": observed.generation,
        "conditions": [_condition(item, observed.generation) for item in findings],
        "replicas": state.counted,
        "readyReplicas": state.ready,
        "selector": selector_text(observed.key.name),
        "url": url(plan.model, settings) if plan.stage is Stage.SERVE else None,
        "model": checkpoint_details(plan.facts),
        "plan": plan_details(plan.serving.plan) if plan.serving else None,
        "engine": told.details,
        "failure": failure_details(problems, trouble),
    }
    stalled = next((item for item in findings if item.type is ConditionType.STALLED), None)
    return Report(
        status={key: value for key, value in status.items() if value is not None},
        warning=(stalled.reason, stalled.message) if stalled else None,
        surprise=("EngineDiffersFromPlan", told.surprise) if told.surprise else None,
    )


def _with_engine(ready: Finding, told: EngineTold) -> Finding:
    """A model that answers is Ready, with what is unlike its plan in the message."""
    if ready.reason != "Answering" or not told.warnings:
        return ready
    return replace(ready, message=f"{ready.message} {told.warnings}.")


def report_invalid(problems: Sequence[Problem], observed: Observed) -> Report:
    """The status of a model whose spec cannot work; what runs for an earlier spec goes on."""
    engine = recorded_engine(observed.model)
    live = observed.children.get(ObjectKey("Deployment", observed.key.name)) or {}
    live_status = live.get("status") or {}
    ready = int(live_status.get("readyReplicas") or 0)
    reason, message = problems[0].reason, sentences(problems)
    findings = [
        Finding(type=ConditionType.READY, status="False", reason=reason, message=message),
        _available_for(ready, observed),
        Finding(type=ConditionType.STALLED, status="True", reason=reason, message=message),
    ]
    status = {
        "observedGeneration": observed.generation,
        "conditions": [_condition(item, observed.generation) for item in findings],
        "replicas": int(live_status.get("replicas") or 0),
        "readyReplicas": ready,
        "failure": failure_details(problems),
        "selector": selector_text(observed.key.name),
        **({"engine": engine} if engine else {}),
    }
    return Report(status=status, warning=(reason, message))


def _condition(finding: Finding, generation: int) -> dict[str, Any]:
    return {
        "type": finding.type.value,
        "status": finding.status,
        "reason": finding.reason,
        "message": finding.message[:_MOST_CHARACTERS],
        "observedGeneration": generation,
    }


def _not_applied(applied: AppliedObjects) -> Iterator[Problem]:
    for key, answer in applied.conflicts.items():
        yield Problem(
            reason="NameTaken",
            field="metadata.name",
            message=f"metadata.name: {key.kind} {key.name} exists and belongs to somebody else, "
            f"so it was left alone; rename this model or remove that object ({answer})",
        )
    for key, answer in applied.refusals.items():
        yield Problem(
            reason="ObjectRefused",
            field="",
            message=f"the API server does not take {key.kind} {key.name}: {answer}",
        )


def _trouble(plan: Plan, observed: Observed, state: Readiness) -> Trouble | None:
    """What is wrong with the pods of the current stage."""
    if plan.stage is Stage.SERVE:
        settled = state.is_complete or not state.is_current
        return None if settled else serving_trouble(_scene(plan, observed))
    step = plan.inspection if plan.stage is Stage.INSPECT else plan.fetch
    if step is None or step.pod is None or step.report is not None:
        return None
    return pod_trouble(step.pod, _scene(plan, observed))


def _scene(plan: Plan, observed: Observed) -> Scene:
    return Scene(observed=observed, situation=situation(plan, observed), unprepared=plan.unprepared)


def _ready(
    plan: Plan, state: Readiness, trouble: Trouble | None, problems: Sequence[Problem]
) -> Finding:
    if problems:
        status, reason, message = "False", problems[0].reason, sentences(problems)
    elif plan.model.suspended and state.existing == 0:
        status, reason, message = "True", "Suspended", ""
    elif trouble:
        status, reason, message = "False", trouble.reason, trouble.message
    elif plan.stage is Stage.SERVE:
        status, reason, message = state.verdict
    else:
        status, reason, message = _WORKING[plan.stage]
    return Finding(
        type=ConditionType.READY,
        status=status,
        reason=reason,
        message=message or REASONS[reason],
    )


def _stages(
    plan: Plan, observed: Observed, trouble: Trouble | None, problems: Sequence[Problem]
) -> Iterator[Finding]:
    stage_of = {Stage.INSPECT: ConditionType.INSPECTED, Stage.PLAN: ConditionType.PLANNED}
    if plan.stage is Stage.SUSPENDED and plan.facts is None:
        return
    inspected = plan.facts is not None
    if inspected:
        yield _true(ConditionType.INSPECTED, "Inspected")
    if plan.serving is not None:
        yield _true(ConditionType.PLANNED, "Planned")
    failed = stage_of.get(plan.stage)
    if failed and problems:
        yield Finding(
            type=failed,
            status="False",
            reason=problems[0].reason,
            message=sentences(problems),
        )
    elif not inspected:
        yield Finding(
            type=ConditionType.INSPECTED,
            status="Unknown",
            reason="Inspecting",
            message=REASONS["Inspecting"],
        )
    weights = weights_condition(plan, observed, trouble)
    if weights:
        yield Finding(
            type=ConditionType.WEIGHTS_READY,
            status=weights[0],
            reason=weights[1],
            message=weights[2] or REASONS[weights[1]],
        )


def _true(type_: ConditionType, reason: str) -> Finding:
    return Finding(type=type_, status="True", reason=reason, message=REASONS[reason])


def _available(
    plan: Plan, state: Readiness, trouble: Trouble | None, problems: Sequence[Problem]
) -> Finding:
    if state.available:
        return _true(ConditionType.AVAILABLE, "Answering")
    if problems:
        reason, message = problems[0].reason, problems[0].sentence
    elif trouble:
        reason, message = trouble.reason, trouble.message
    elif state.wanted == 0:
        reason, message = "ScaledToZero", ""
    else:
        _, reason, message = _WORKING.get(plan.stage, ("", "Starting", ""))
    return Finding(
        type=ConditionType.AVAILABLE,
        status="False",
        reason=reason,
        message=message or REASONS[reason],
    )


def _available_for(ready: int, observed: Observed) -> Finding:
    if ready:
        message = f"{ready} replicas of an earlier spec of {observed.key.name} answer"
        return Finding(
            type=ConditionType.AVAILABLE, status="True", reason="Answering", message=message
        )
    return Finding(
        type=ConditionType.AVAILABLE,
        status="False",
        reason="InvalidSpec",
        message="no replica runs, and none is started before the spec is mended",
    )


def _kstatus(
    plan: Plan, state: Readiness, trouble: Trouble | None, problems: Sequence[Problem]
) -> Iterator[Finding]:
    """At most one of Stalled and Reconciling."""
    if problems or trouble:
        ready = _ready(plan, state, trouble, problems)
        yield Finding(
            type=ConditionType.STALLED, status="True", reason=ready.reason, message=ready.message
        )
    elif not (plan.stage is Stage.SUSPENDED or state.is_complete):
        ready = _ready(plan, state, trouble, problems)
        yield Finding(
            type=ConditionType.RECONCILING,
            status="True",
            reason=ready.reason,
            message=ready.message,
        )
