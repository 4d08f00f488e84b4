"""What causes of failures are told about a model."""

from __future__ import annotations

from dataclasses import replace

import pytest

from quantized_model_operator.domain.cluster_state import ObservedNode
from quantized_model_operator.report.situation import situation
from unit.domain.rule_pairs import MOE
from unit.otter import observed, planned


@pytest.mark.parametrize(("expert_parallel", "sizes"), [(False, (1, 2, 4)), (True, (1, 2, 4, 8))])
def test_legal_sizes_are_those_of_the_plan(
    expert_parallel: bool,  # noqa: FBT001 - a case
    sizes: tuple[int, ...],
) -> None:
    """A remedy names no number of GPUs that the plan would refuse, nor leaves out one it takes."""
    node = ObservedNode(
        name="big", labels={}, allocatable={"nvidia.com/gpu": "8"}, schedulable=True
    )
    seen = replace(observed(), nodes=(node,))
    plan = planned(seen)
    request = replace(plan.model.request, expert_parallel=expert_parallel)
    plan = replace(plan, facts=MOE, model=replace(plan.model, request=request))
    assert situation(plan, seen).legal_sizes == sizes
