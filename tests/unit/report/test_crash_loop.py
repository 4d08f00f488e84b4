"""A loop of crashes, one reconcile after the other: what is published, and how often."""

from dataclasses import replace
from typing import Any

from quantized_model_operator.cluster.status_content import status_hash
from quantized_model_operator.domain.child_objects import AppliedObjects
from quantized_model_operator.domain.cluster_state import LogKey
from quantized_model_operator.report.status import report
from unit.domain.engine_logs import engine_failed
from unit.otter import (
    SETTINGS,
    container,
    ended,
    planned,
    running,
    serving_pod,
    with_deployment_status,
)

ENDS = (
    "ValueError: No available memory for the cache blocks. Try increasing",
    "OSError: [Errno 98] Address already in use",
    "RuntimeError: the moon is full",
)


class Den:
    """Where otter crashes again and again; the status is written as the gateway does it."""

    def __init__(self) -> None:
        self.seen = with_deployment_status(
            running(), observedGeneration=1, replicas=1, updatedReplicas=1
        )
        self.writes = 0
        self.warnings: set[tuple[str, str]] = set()
        self.look()

    def look(self) -> None:
        """Reconcile once, and write the status when it says something new."""
        applied = AppliedObjects(objects=self.seen.children, writes=0, conflicts={})
        result = report(planned(self.seen), self.seen, applied, SETTINGS)
        before = self.seen.model.get("status") or {}
        if status_hash(result.status) == status_hash(before):
            return
        self.writes += 1
        self.warnings |= set(result.events)
        self.seen = replace(self.seen, model={**self.seen.model, "status": result.status})

    def ends(self, number: int) -> None:
        """The pod's vLLM ends for this time, and is started again."""
        log = engine_failed(ENDS[number % len(ENDS)])
        end = ended(1)
        for state in (
            container(end=end, restarts=number),
            container(last_end=end, waiting=("CrashLoopBackOff", "back-off"), restarts=number + 1),
            container(last_end=end, restarts=number + 1),
        ):
            pod = serving_pod(state)
            logs = {LogKey(pod.uid, "vllm", number): log}
            self.seen = replace(self.seen, pods=(pod,), logs=logs)
            self.look()

    @property
    def failure(self) -> dict[str, Any]:
        """As it is published."""
        return dict(self.seen.model["status"].get("failure") or {})


def test_a_loop_of_crashes_is_written_once() -> None:
    """Ends with other causes, and the runs between them, change nothing until restarts count."""
    den = Den()
    before = den.writes
    for number in range(2):
        den.ends(number)
        assert den.failure["reason"] == "InsufficientGpuMemory"
    assert den.writes == before + 1
    assert len(den.warnings) == 1
    for number in range(2, 10):
        den.ends(number)
    assert (den.failure["reason"], den.failure["restarts"]) == ("InsufficientGpuMemory", 10)
    assert den.writes == before + 3
    assert len(den.warnings) == 1


def test_a_model_that_got_well_forgets_its_cause() -> None:
    """After it was Ready, the next end has a cause of its own."""
    den = Den()
    den.ends(0)
    starting = den.seen
    well = with_deployment_status(
        starting, observedGeneration=1, replicas=1, updatedReplicas=1, readyReplicas=1
    )
    den.seen = replace(well, pods=(serving_pod(container(restarts=1, started=True)),))
    den.look()
    assert den.failure == {}
    den.seen = replace(starting, model=den.seen.model)
    den.ends(1)
    assert den.failure["reason"] == "InvalidArgument"
