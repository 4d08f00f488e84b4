"""Pure: the ordered list of rules that decide how far a model may go now.

Each rule looks at the whole situation and answers with a verdict, or leaves it to the next one.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from quantized_model_operator.domain.checkpoint import CheckpointFacts
from quantized_model_operator.domain.cluster_state import Observed
from quantized_model_operator.domain.model import ResolvedModel
from quantized_model_operator.domain.outcome import Problem
from quantized_model_operator.plan.jobs import JobState, JobStep
from quantized_model_operator.plan.plan import Recorded, ServingChoice, Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """Everything a rule may look at."""

    model: ResolvedModel
    observed: Observed
    recorded: Recorded
    now: datetime
    inspection: JobStep | None
    facts: CheckpointFacts | None
    serving: ServingChoice | tuple[Problem, ...] | None
    fetch: JobStep | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How far the model may go, and what stands against more."""

    stage: Stage
    problems: tuple[Problem, ...] = ()
    retry_after_seconds: float | None = None


def suspended_before_it_ran(situation: Situation) -> Verdict | None:
    """A suspended model without a Deployment starts nothing, not even an inspection."""
    if situation.model.suspended and situation.recorded.deployment is None:
        return Verdict(stage=Stage.SUSPENDED)
    return None


def checkpoint_is_unknown(situation: Situation) -> Verdict | None:
    """Without facts nothing is planned: inspect, or say what the inspection found."""
    if situation.facts is not None:
        return None
    step = situation.inspection
    return Verdict(
        stage=Stage.INSPECT,
        problems=_problems_of(step, "InspectionFailed"),
        retry_after_seconds=step.retry_after_seconds if step else None,
    )


def no_plan_fits(situation: Situation) -> Verdict | None:
    """A refused plan takes no hardware; what runs for an earlier spec goes on."""
    if isinstance(situation.serving, tuple):
        return Verdict(stage=Stage.PLAN, problems=situation.serving)
    return None


def weights_are_missing(situation: Situation) -> Verdict | None:
    """On a shared volume the weights are fetched before any replica takes hardware."""
    step = situation.fetch
    if step is None or step.state is JobState.SUCCEEDED:
        return None
    return Verdict(
        stage=Stage.FETCH,
        problems=_problems_of(step, "FetchFailed"),
        retry_after_seconds=step.retry_after_seconds,
    )


RULES: tuple[Callable[[Situation], Verdict | None], ...] = (
    suspended_before_it_ran,
    checkpoint_is_unknown,
    no_plan_fits,
    weights_are_missing,
)


def verdict(situation: Situation) -> Verdict:
    """The answer of the first rule that has one; nothing stands against serving otherwise."""
    answers = (rule(situation) for rule in RULES)
    return next((answer for answer in answers if answer), Verdict(stage=Stage.SERVE))


def _problems_of(step: JobStep | None, reason: str) -> tuple[Problem, ...]:
    """What a Job that ended badly said, or that it said nothing."""
    if step is None or step.state is not JobState.FAILED:
        return ()
    if step.report and step.report.problems:
        rest = step.report.problem_count - len(step.report.problems)
        tail = f" ({rest} more problems of this kind)" if rest > 0 else ""
        first, *others = step.report.refusals
        return (replace(first, message=first.message + tail), *others)
    return (
        Problem(
            reason=reason,
            field="spec.model.uri",
            message="the program ended without a verdict; it is tried again",
        ),
    )
