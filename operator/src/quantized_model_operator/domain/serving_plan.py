"""Pure: how a checkpoint is served by this engine on these nodes, or why it cannot be.

checkpoint facts x engine rules x nodes x request -> plan, or refusals that each name the field,
the rule and the nearest legal value.
"""

from collections.abc import Iterable, Sequence

from quantized_model_operator.domain.checkpoint import CheckpointFacts
from quantized_model_operator.domain.cluster_state import ObservedNode
from quantized_model_operator.domain.cpu_plan import plan_cpu
from quantized_model_operator.domain.engine_rules_memory import UTILIZATION_IS_A_SHARE
from quantized_model_operator.domain.engine_version import (
    InvalidEngineVersionError,
    parse_engine_version,
)
from quantized_model_operator.domain.expert_parallel import as_shared
from quantized_model_operator.domain.gpu_plan import plan_gpu
from quantized_model_operator.domain.outcome import Problem
from quantized_model_operator.domain.plan_values import (
    InvalidPlanError,
    ServingPlan,
    ServingRequest,
    plan_from_json,
    plan_to_json,
)
from quantized_model_operator.domain.quantization import quantization_problems

__all__ = [
    "InvalidPlanError",
    "ServingPlan",
    "ServingRequest",
    "plan_from_json",
    "plan_serving",
    "plan_to_json",
]


def plan_serving(
    facts: CheckpointFacts, request: ServingRequest, nodes: Sequence[ObservedNode]
) -> ServingPlan | tuple[Problem, ...]:
    """The plan, or every problem found at the first stage that found one.

    ``nodes`` are those that the pods may run on: node selectors and taints are the caller's.
    """
    try:
        version = parse_engine_version(request.engine_version)
    except InvalidEngineVersionError as error:
        return (Problem(reason="InvalidSpec", field="spec.engine.version", message=str(error)),)
    problems = (
        *quantization_problems(facts, version, request.device),
        *_request_problems(request),
    )
    if problems:
        return problems
    planned = plan_cpu if request.device == "CPU" else plan_gpu
    return planned(as_shared(facts, request), request, version, nodes)


def _request_problems(request: ServingRequest) -> Iterable[Problem]:
    """Settings that vLLM refuses on any device."""
    utilization = request.gpu_memory_utilization
    if utilization is not None and not 0 < utilization <= 1:
        yield UTILIZATION_IS_A_SHARE.problem(
            f"gpuMemoryUtilization {utilization} is not above 0 and at most 1; set 0.92",
            {"engine": {"gpuMemoryUtilization": 0.92}},
        )
