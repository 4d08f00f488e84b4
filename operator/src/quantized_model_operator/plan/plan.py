"""Pure: the plan as a value: what is to exist, what is waited for, and why."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from quantized_model_operator.domain.checkpoint import CheckpointFacts
from quantized_model_operator.domain.child_objects import Removal
from quantized_model_operator.domain.decision import Decision
from quantized_model_operator.domain.model import ResolvedModel
from quantized_model_operator.domain.outcome import Problem
from quantized_model_operator.domain.serving_plan import ServingPlan
from quantized_model_operator.plan.jobs import JobStep


class Stage(StrEnum):
    """How far a model has come; what the stage needs is decided, what lies behind is not."""

    SUSPENDED = "Suspended"
    INSPECT = "Inspect"
    PLAN = "Plan"
    FETCH = "Fetch"
    SERVE = "Serve"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What the live Deployment says about itself."""

    deployment: Mapping[str, Any] | None
    decision: Decision | None
    """``None`` when there is no Deployment, or its annotation is missing or damaged."""
    inputs: str
    """Of the second, plain annotation; empty when missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingChoice:
    """A plan that fits, and the image that carries it out."""

    plan: ServingPlan
    image: str
    is_recorded: bool
    """True when it is the recorded decision, which sticks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What must happen now for one model."""

    model: ResolvedModel
    stage: Stage
    recorded: Recorded
    source: str
    """``source_hash`` of what the user points at now."""
    inspection: JobStep | None
    """``None`` when the facts were known without it."""
    fetch: JobStep | None
    """``None`` when no Job has to fetch before the Deployment exists."""
    facts: CheckpointFacts | None
    facts_are_new: bool
    """True when they come from an inspection and are not recorded for the namespace yet."""
    serving: ServingChoice | None
    problems: tuple[Problem, ...]
    removals: tuple[Removal, ...]
    retry_after_seconds: float | None
    unprepared: tuple[str, ...] = ()
    """Names of pods whose volumes or network are not there after a long time."""
