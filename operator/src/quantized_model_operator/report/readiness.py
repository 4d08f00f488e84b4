"""Pure: how far the Deployment has carried out the planned revision."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from quantized_model_operator.domain.child_objects import AppliedObjects
from quantized_model_operator.domain.cluster_state import ObjectKey, Observed
from quantized_model_operator.plan.plan import Plan, Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """Counts of replicas, and whether they are those of the revision that is wanted now."""

    wanted: int
    existing: int
    updated: int
    ready: int
    is_current: bool
    """The Deployment controller has seen the applied revision, and it is the planned one."""
    is_applied: bool
    """The Deployment exists and asks for the wanted replicas."""
    deadline_message: str
    """Of the Deployment, when its rollout made no progress in time or no pod may be created."""

    @property
    def available(self) -> bool:
        """At least one replica answers, whatever its revision."""
        return self.ready > 0

    @property
    def counted(self) -> int:
        """For ``status.replicas``: with those that the Deployment controller is about to make.

        It makes what is missing within milliseconds, or says that it cannot; telling each count
        in between would be a write for nothing.
        """
        if self.is_applied and not self.deadline_message:
            return max(self.existing, self.wanted)
        return self.existing

    @property
    def only_current_answers(self) -> bool:
        """At least one replica answers, and none but those of the planned revision exist."""
        return self.is_current and self.ready > 0 and self.updated == self.existing

    @property
    def is_complete(self) -> bool:
        """All wanted replicas answer, and no other exists."""
        return self.is_current and self.wanted == self.existing == self.updated and self._all_ready

    @property
    def _all_ready(self) -> bool:
        return self.ready == self.wanted

    @property
    def verdict(self) -> tuple[str, str, str]:
        """Status, reason and message of the condition Ready; an empty message: the reason's own."""
        if self.is_complete:
            return "True", "ScaledToZero" if self.wanted == 0 else "Answering", ""
        if self.deadline_message:
            return "False", "DeadlineExceeded", self.deadline_message
        progress = f"{self.ready} answering, {self.wanted} wanted"
        if self.is_current and self.updated == self.existing and self.ready:
            return "False", "Scaling", f"replicas: {progress}"
        if self.ready:
            new = self.updated if self.is_current else 0
            return "False", "RollingOut", f"replicas: {progress}, {new} of this spec started"
        return "False", "Starting", f"replicas: {progress}; vLLM has not answered yet"


def readiness(plan: Plan, observed: Observed, applied: AppliedObjects) -> Readiness:
    """From the Deployment as it is after this reconcile."""
    key = ObjectKey("Deployment", observed.key.name)
    live = applied.objects.get(key) or observed.children.get(key) or {}
    status: Mapping[str, Any] = live.get("status") or {}
    is_applied = plan.stage is Stage.SERVE and bool(live)
    seen = int(status.get("observedGeneration") or 0)
    generation = int((live.get("metadata") or {}).get("generation") or 0)
    return Readiness(
        wanted=plan.model.replicas,
        existing=int(status.get("replicas") or 0),
        updated=int(status.get("updatedReplicas") or 0),
        ready=int(status.get("readyReplicas") or 0),
        is_current=is_applied and seen >= generation > 0,
        is_applied=is_applied,
        deadline_message=_deadline_message(status),
    )


def _deadline_message(status: Mapping[str, Any]) -> str:
    for condition in status.get("conditions") or ():
        failed = condition["type"] == "ReplicaFailure" and condition["status"] == "True"
        late = condition.get("reason") == "ProgressDeadlineExceeded"
        if failed or late:
            return str(condition.get("message", ""))
    return ""
