"""Pure: what vLLM measured at an earlier start of a model enters its next plan (ADR 0013)."""

from dataclasses import replace

from quantized_model_operator.domain.checkpoint import CheckpointFacts
from quantized_model_operator.domain.cluster_state import Observed, ObservedNode
from quantized_model_operator.domain.engine_start import recorded_engine
from quantized_model_operator.domain.gpu_candidates import candidates
from quantized_model_operator.domain.gpu_fit import batch_limits
from quantized_model_operator.domain.measured_memory import measured_from, setup_text
from quantized_model_operator.domain.model import ResolvedModel
from quantized_model_operator.domain.outcome import Problem
from quantized_model_operator.domain.serving_plan import ServingPlan, ServingRequest


def learned_request(model: ResolvedModel, observed: Observed) -> ServingRequest:
    """What is asked of a plan, with what the status says that vLLM measured."""
    return replace(
        model.request,
        flags=model.flags,
        measured=measured_from(recorded_engine(observed.model)),
    )


def setup_on(
    node: ObservedNode, facts: CheckpointFacts, model: ResolvedModel, plan: ServingPlan
) -> tuple[str, str]:
    """The GPU product of the node, and the setup that a start on it measures; empty without.

    A GPU that is shared measures its neighbours as well, so nothing is learned there.
    """
    request = replace(model.request, flags=model.flags, products=plan.products)
    found = candidates(request, [node])
    if plan.device != "GPU" or isinstance(found, Problem):
        return "", ""
    here = next((item for item in found if item.gpus_by_node), None)
    if here is None:
        return "", ""
    product = here.accelerator.product
    if here.accelerator.shared:
        return product, ""
    text = setup_text(
        facts,
        request,
        batch_limits(facts, request, here),
        product=product,
        tensor_parallel_size=plan.tensor_parallel_size,
        dtype=plan.dtype,
    )
    return product, text
