"""Pods that the kubelet cannot prepare are told of, with a clock and no watch of Events."""

from dataclasses import replace
from datetime import timedelta

import pytest

from quantized_model_operator.domain.child_objects import AppliedObjects
from quantized_model_operator.domain.cluster_state import ObservedPod
from quantized_model_operator.plan.unprepared import PREPARED_WITHIN, Unprepared, unprepared
from quantized_model_operator.report.status import report
from unit.otter import (
    NOW,
    SETTINGS,
    container,
    observed,
    planned,
    running,
    serving_pod,
    with_deployment_status,
)

PREPARING = replace(serving_pod(container()), phase="Pending", prepared=False, scheduled_at=NOW)


@pytest.mark.parametrize(
    ("waited", "expected"),
    [
        (timedelta(), Unprepared((), 120.0)),
        (PREPARED_WITHIN - timedelta(seconds=1), Unprepared((), 1.0)),
        (PREPARED_WITHIN, Unprepared((PREPARING.name,), None)),
    ],
)
def test_a_pod_has_two_minutes(waited: timedelta, expected: Unprepared) -> None:
    """A pod is late two minutes after it got its node, and looked at again just then."""
    assert unprepared(replace(observed(), pods=(PREPARING,)), NOW + waited) == expected


@pytest.mark.parametrize(
    "pod",
    [
        replace(PREPARING, prepared=True),
        replace(PREPARING, phase="Running"),
        replace(PREPARING, deleting=True),
        replace(PREPARING, scheduled_at=None),
    ],
)
def test_others_are_not_late(pod: ObservedPod) -> None:
    """A pod that is prepared, runs, ends or has no node is none of this."""
    seen = replace(observed(), pods=(pod,))
    assert unprepared(seen, NOW + 2 * PREPARED_WITHIN) == Unprepared()


def test_a_late_pod_stalls_its_model() -> None:
    """The status names pod and node, and says where the cause stands; before, it is Starting."""
    seen = with_deployment_status(running(), observedGeneration=1, replicas=1, updatedReplicas=1)
    seen = replace(seen, pods=(PREPARING,))
    applied = AppliedObjects(objects=seen.children, writes=0, conflicts={})
    early = planned(seen, NOW)
    assert early.retry_after_seconds == PREPARED_WITHIN.total_seconds()
    assert "failure" not in report(early, seen, applied, SETTINGS).status
    late = planned(seen, NOW + PREPARED_WITHIN)
    failure = report(late, seen, applied, SETTINGS).status["failure"]
    assert failure["reason"] == "PodNotPrepared"
    assert f"pod {PREPARING.name} " in failure["message"]
    assert " node den " in failure["message"]
