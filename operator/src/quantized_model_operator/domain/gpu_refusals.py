"""Pure: why no GPU will do, in sentences that end with the nearest thing that would."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from quantized_model_operator.domain.accelerators import GIB
from quantized_model_operator.domain.checkpoint import CheckpointFacts
from quantized_model_operator.domain.gpu_candidates import Candidate
from quantized_model_operator.domain.gpu_fit import Fit
from quantized_model_operator.domain.model_length import TIMES
from quantized_model_operator.domain.outcome import Problem
from quantized_model_operator.domain.plan_values import ServingRequest
from quantized_model_operator.domain.tensor_parallel import (
    LARGEST_SIZE,
    legal_sizes,
    nearest_legal_size,
    tensor_parallel_verdict,
)


def illegal_size(facts: CheckpointFacts, size: int) -> Iterable[Problem]:
    """The refusal of a size that the shapes forbid on any node."""
    verdict = tensor_parallel_verdict(facts, size)
    if verdict.legal:
        return
    nearest = nearest_legal_size(facts, size, LARGEST_SIZE)
    remedy = (
        f"set gpusPerReplica to {nearest}"
        if nearest is not None
        else "quantise it again with another group size"
    )
    yield Problem(
        reason="IllegalTensorParallelSize",
        field="spec.hardware.gpusPerReplica",
        message=f"This model cannot be split over {size} GPUs: {verdict.message}; {remedy}",
    )


def gpu_refusal(
    facts: CheckpointFacts,
    request: ServingRequest,
    usable: Sequence[Candidate],
    fits: Sequence[Fit],
) -> Problem:
    """Why none of the usable candidates takes the model as requested."""
    asked = request.gpus_per_replica
    allowed = [fit for fit in fits if asked in {None, fit.tensor_parallel_size}]
    if not allowed:
        return _no_size(facts, request, usable)
    best = max(allowed, key=lambda fit: fit.conservative_tokens)
    if request.max_model_length is not None and best.conservative_tokens > 0:
        return _length_refusal(request, best, fits)
    return _memory_refusal(max(allowed, key=lambda fit: fit.memory.expected_kv_bytes))


def with_suggestions(problem: Problem, fits: Sequence[Fit]) -> Problem:
    """The problem with the names of known GPUs that would do, for the products field."""
    if not fits:
        return problem
    names = ", ".join(_described(fit) for fit in fits)
    return replace(problem, message=f"{problem.message}. Would fit: {names}")


def _described(fit: Fit) -> str:
    return f"{fit.tensor_parallel_size} {TIMES} {fit.candidate.accelerator.product}"


def _no_size(
    facts: CheckpointFacts, request: ServingRequest, usable: Sequence[Candidate]
) -> Problem:
    """No legal number of GPUs, or more GPUs asked for than any node has."""
    largest = max(candidate.largest_size for candidate in usable)
    asked = request.gpus_per_replica
    sizes = legal_sizes(facts, largest)
    if asked is None or not sizes:
        verdict = tensor_parallel_verdict(facts, 1)
        return Problem(
            reason="UnsupportedGroupSize",
            field="spec.model.uri",
            message=f"The checkpoint cannot be served: {verdict.message or 'no kernel takes it'}",
        )
    return Problem(
        reason="NotEnoughGpus",
        field="spec.hardware.gpusPerReplica",
        message=(
            f"A replica of {asked} GPUs needs them in one node, and the largest node in sight can "
            f"give {largest}: set gpusPerReplica to {sizes[-1]}, or name the product of a larger "
            "node in spec.hardware.products"
        ),
    )


def _length_refusal(request: ServingRequest, best: Fit, fits: Sequence[Fit]) -> Problem:
    """The nearest length, and the number of GPUs that would take the requested one."""
    more = next((fit for fit in fits if fit.length is not None), None)
    other = f", or gpusPerReplica to {more.tensor_parallel_size}" if more else ""
    return Problem(
        reason="ModelLengthTooLong",
        field="spec.engine.maxModelLen",
        message=(
            f"A request of {request.max_model_length} tokens does not fit on {_described(best)}: "
            f"{best.conservative_tokens} tokens of KV cache are sure ({best.expected_tokens} "
            f"expected); set maxModelLen to {best.conservative_tokens} or less{other}"
        ),
    )


def _memory_refusal(best: Fit) -> Problem:
    total_gib = best.candidate.accelerator.memory_bytes / GIB
    weights_gib = best.memory.weights_bytes / GIB
    return Problem(
        reason="InsufficientGpuMemory",
        field="spec.hardware.products",
        message=(
            f"On {_described(best)} the weights take {weights_gib:.1f} of {total_gib:.1f} GiB per "
            "GPU, which leaves no room for a KV cache: use more or larger GPUs"
        ),
    )
