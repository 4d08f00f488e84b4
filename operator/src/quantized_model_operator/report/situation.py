"""Pure: what the pods of a model were started with, as far as causes of failures care."""

from collections.abc import Mapping
from typing import Any

from quantized_model_operator.domain.cluster_state import ObjectKey, Observed
from quantized_model_operator.domain.expert_parallel import as_shared
from quantized_model_operator.domain.failure_cause import Situation
from quantized_model_operator.domain.tensor_parallel import LARGEST_SIZE, legal_sizes
from quantized_model_operator.domain.well_known import SERVING_CONTAINER
from quantized_model_operator.plan.plan import Plan


def situation(plan: Plan, observed: Observed) -> Situation:
    """From the plan and the live Deployment; what is not known is left empty."""
    container = _serving_container(observed)
    serving = plan.serving.plan if plan.serving else None
    limits = (container.get("resources") or {}).get("limits") or {}
    probe = container.get("startupProbe") or {}
    return Situation(
        spec=observed.model.get("spec") or {},
        device=serving.device if serving else plan.model.request.device,
        resource_name=plan.model.resource_name,
        tensor_parallel_size=serving.tensor_parallel_size if serving else 1,
        legal_sizes=_legal_sizes(plan, observed),
        memory=str(limits.get("memory", "")),
        startup_seconds=int(probe.get("failureThreshold", 0)) * int(probe.get("periodSeconds", 0)),
    )


def _serving_container(observed: Observed) -> Mapping[str, Any]:
    live = observed.children.get(ObjectKey("Deployment", observed.key.name)) or {}
    pod = ((live.get("spec") or {}).get("template") or {}).get("spec") or {}
    found: Mapping[str, Any] = next(
        (item for item in pod.get("containers") or () if item.get("name") == SERVING_CONTAINER), {}
    )
    return found


def _legal_sizes(plan: Plan, observed: Observed) -> tuple[int, ...]:
    """Up to the most GPUs that a node in sight has."""
    if plan.facts is None:
        return ()
    name = plan.model.resource_name
    amounts = (str(node.allocatable.get(name, "0")) for node in observed.nodes)
    most = max((int(text) for text in amounts if text.isdecimal()), default=0)
    facts = as_shared(plan.facts, plan.model.request)
    return legal_sizes(facts, min(max(most, 1), LARGEST_SIZE))
