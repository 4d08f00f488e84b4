"""Pure: the plan of a model on GPUs: the smallest legal number of them that is enough."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from difflib import get_close_matches

from quantized_model_operator.domain.batch_limits import step_problem
from quantized_model_operator.domain.checkpoint import CheckpointFacts
from quantized_model_operator.domain.cluster_state import ObservedNode
from quantized_model_operator.domain.engine_rules_checkpoint import KV_CACHE_DTYPE_IS_PLANNED
from quantized_model_operator.domain.engine_version import EngineVersion
from quantized_model_operator.domain.gpu_candidates import (
    GPUS_OF_AN_UNSEEN_NODE,
    Candidate,
    candidates,
    suggestions,
)
from quantized_model_operator.domain.gpu_fit import Fit, candidate_dtype, evaluate
from quantized_model_operator.domain.gpu_memory import DEFAULT_UTILIZATION
from quantized_model_operator.domain.gpu_refusals import (
    gpu_refusal,
    illegal_size,
    share_refusal,
    with_suggestions,
)
from quantized_model_operator.domain.gpu_report import gpu_serving_plan
from quantized_model_operator.domain.kv_cache import KV_CACHE_DTYPE_BYTES
from quantized_model_operator.domain.model_length import length_problem, unlimited_length
from quantized_model_operator.domain.outcome import Problem
from quantized_model_operator.domain.plan_values import ServingPlan, ServingRequest
from quantized_model_operator.domain.tensor_parallel import LARGEST_SIZE, legal_sizes

USEFUL_LENGTH_TOKENS = 8192
"""Without a requested length, more GPUs are taken only while fewer tokens than this fit (or than
the model's own limit). Source: our rule; longer contexts are asked for by maxModelLen."""

SUGGESTIONS = 3
"""Known GPUs that a refusal names."""


def plan_gpu(
    facts: CheckpointFacts,
    request: ServingRequest,
    version: EngineVersion,
    nodes: Sequence[ObservedNode],
) -> ServingPlan | tuple[Problem, ...]:
    """The plan on GPUs; the checkpoint itself is known to be servable by this vLLM."""
    problems = tuple(_setting_problems(facts, request))
    if problems:
        return problems
    found = candidates(request, nodes)
    if isinstance(found, Problem):
        return (_with_others(found, facts, request, version, _others(request, nodes, ())),)
    usable, refusals = _usable(facts, request, version, found)
    if not usable:
        others = _others(request, nodes, found)
        return tuple(_with_others(problem, facts, request, version, others) for problem in refusals)
    fits = _fits(facts, request, version, usable)
    chosen = _choose(facts, request, fits)
    if chosen is None:
        problem = gpu_refusal(facts, request, version, [item for item, _ in usable], fits)
        if problem.suggestion is None and _own_share_is_enough(facts, request, version, usable):
            return (share_refusal(request),)
        others = _others(request, nodes, found)
        return (_with_others(problem, facts, request, version, others),)
    return gpu_serving_plan(facts, request, version, chosen, fits)


def _setting_problems(facts: CheckpointFacts, request: ServingRequest) -> Iterable[Problem]:
    """What no GPU can mend."""
    length = request.max_model_length
    if problem := length_problem(facts, length, may_exceed=request.length_may_exceed):
        yield problem
    if problem := step_problem(
        request.max_num_batched_tokens,
        length or unlimited_length(facts),
        chunked_prefill=request.chunked_prefill,
    ):
        yield problem
    if request.gpus_per_replica is not None:
        yield from illegal_size(facts, request.gpus_per_replica)
    kv_cache_dtype = request.kv_cache_dtype or "auto"
    if kv_cache_dtype not in KV_CACHE_DTYPE_BYTES:
        nearest = get_close_matches(kv_cache_dtype, KV_CACHE_DTYPE_BYTES, n=1, cutoff=0)[0]
        yield KV_CACHE_DTYPE_IS_PLANNED.problem(
            f"A KV cache of {kv_cache_dtype} is not planned; set kvCacheDtype to one of "
            f"{', '.join(KV_CACHE_DTYPE_BYTES)}",
            {"engine": {"kvCacheDtype": nearest}},
        )


def _usable(
    facts: CheckpointFacts,
    request: ServingRequest,
    version: EngineVersion,
    found: Iterable[Candidate],
) -> tuple[list[tuple[Candidate, str]], tuple[Problem, ...]]:
    """The candidates with the dtype on each, and why the others are none."""
    usable: list[tuple[Candidate, str]] = []
    refusals: list[Problem] = []
    for candidate in found:
        dtype = candidate_dtype(facts, request, version, candidate)
        if isinstance(dtype, Problem):
            refusals.append(dtype)
        else:
            usable.append((candidate, dtype))
    return usable, tuple(dict.fromkeys(refusals))


def _fits(
    facts: CheckpointFacts,
    request: ServingRequest,
    version: EngineVersion,
    usable: Iterable[tuple[Candidate, str]],
) -> list[Fit]:
    """Every legal size on every usable candidate, the most wanted first."""
    sizes = legal_sizes(facts, LARGEST_SIZE)
    fits = [
        evaluate(facts, request, version, candidate, size=size, dtype=dtype)
        for candidate, dtype in usable
        for size in sizes
        if size <= candidate.largest_size
    ]
    return sorted(fits, key=_preference)


def _preference(fit: Fit) -> tuple[bool, int, int, str]:
    """Nodes in sight first, then fewer GPUs, then smaller ones."""
    accelerator = fit.candidate.accelerator
    return (
        not fit.in_sight,
        fit.tensor_parallel_size,
        accelerator.memory_bytes,
        accelerator.product,
    )


def _choose(facts: CheckpointFacts, request: ServingRequest, fits: Sequence[Fit]) -> Fit | None:
    """The first fit that is enough; else, without a requested length, the longest one."""
    asked = request.gpus_per_replica
    allowed = [
        fit for fit in fits if fit.length is not None and asked in {None, fit.tensor_parallel_size}
    ]
    if request.max_model_length is not None or not allowed:
        return allowed[0] if allowed else None
    enough = (fit for fit in allowed if _is_enough(facts, request, fit))
    return next(enough, None) or max(allowed, key=lambda fit: fit.length or 0)


def _is_enough(facts: CheckpointFacts, request: ServingRequest, fit: Fit) -> bool:
    """Whether the fit takes the requested length, or a useful one."""
    useful = min(USEFUL_LENGTH_TOKENS, unlimited_length(facts))
    return (fit.length or 0) >= (request.max_model_length or useful)


def _own_share_is_enough(
    facts: CheckpointFacts,
    request: ServingRequest,
    version: EngineVersion,
    usable: Iterable[tuple[Candidate, str]],
) -> bool:
    """Whether only the user's share of the memory is too small; a shared GPU has no other."""
    if (request.gpu_memory_utilization or DEFAULT_UTILIZATION) >= DEFAULT_UTILIZATION:
        return False
    whole = [item for item in usable if not item[0].accelerator.shared]
    own = replace(request, gpu_memory_utilization=None)
    return _choose(facts, own, _fits(facts, own, version, whole)) is not None


def _with_others(
    problem: Problem,
    facts: CheckpointFacts,
    request: ServingRequest,
    version: EngineVersion,
    others: Sequence[Candidate],
) -> Problem:
    """The problem; if other products mend it, with those that would, such in sight first."""
    if problem.field != "spec.hardware.products":
        return problem
    return with_suggestions(problem, _suggested(facts, request, version, others))


def _others(
    request: ServingRequest, nodes: Sequence[ObservedNode], refused: Iterable[Candidate]
) -> tuple[Candidate, ...]:
    """What else there is: GPUs in sight that were not asked for, larger nodes, and known GPUs."""
    judged = {item.accelerator.product for item in refused}
    found = candidates(replace(request, products=()), nodes)
    in_sight = () if isinstance(found, Problem) else found
    seen = {item.accelerator.product for item in in_sight} | judged
    return (
        *(_in_larger_nodes(item, judged) for item in in_sight),
        *(item for item in suggestions(request) if item.accelerator.product not in seen),
    )


def _in_larger_nodes(candidate: Candidate, judged: Collection[str]) -> Candidate:
    """A refused GPU as a larger node would have it; one that was not refused as it is."""
    if candidate.accelerator.product not in judged:
        return candidate
    return replace(candidate, gpus_per_node=max(candidate.gpus_per_node, GPUS_OF_AN_UNSEEN_NODE))


def _suggested(
    facts: CheckpointFacts,
    request: ServingRequest,
    version: EngineVersion,
    others: Sequence[Candidate],
) -> tuple[Fit, ...]:
    """The smallest of these GPUs on which this request would be planned, three at most."""
    usable, _ = _usable(facts, request, version, others)
    asked = request.gpus_per_replica
    sizes = [size for size in legal_sizes(facts, LARGEST_SIZE) if asked in {None, size}]
    found: list[Fit] = []
    for candidate, dtype in usable:
        fits = (
            evaluate(facts, request, version, candidate, size=size, dtype=dtype)
            for size in sizes
            if size <= candidate.largest_size
        )
        first = next((fit for fit in fits if _is_enough(facts, request, fit)), None)
        found += [first] if first else []
    return tuple(sorted(found, key=_preference)[:SUGGESTIONS])
