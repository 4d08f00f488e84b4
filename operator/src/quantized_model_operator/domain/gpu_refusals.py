"""Pure: why no GPU will do, in sentences that end with the nearest thing that would."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from quantized_model_operator.domain.checkpoint import CheckpointFacts
from quantized_model_operator.domain.engine_rule_table import RULES
from quantized_model_operator.domain.engine_rules_checkpoint import A_KERNEL_TAKES_EACH_LINEAR
from quantized_model_operator.domain.engine_rules_memory import (
    A_REQUEST_FITS,
    WEIGHTS_LEAVE_ROOM,
)
from quantized_model_operator.domain.engine_rules_parallel import (
    A_KERNEL_TAKES_THE_EXPERTS,
    A_NODE_HAS_THE_GPUS,
)
from quantized_model_operator.domain.engine_version import NEWEST_KNOWN_VERSION, EngineVersion
from quantized_model_operator.domain.gpu_candidates import Candidate
from quantized_model_operator.domain.gpu_fit import Fit
from quantized_model_operator.domain.gpu_memory import DEFAULT_UTILIZATION
from quantized_model_operator.domain.kernels import (
    MARLIN_PADS_SINCE,
    NAMED_BACKENDS,
    gpu_kernels,
)
from quantized_model_operator.domain.model_length import TIMES
from quantized_model_operator.domain.outcome import Problem
from quantized_model_operator.domain.plan_values import ServingRequest
from quantized_model_operator.domain.quantity import GIB
from quantized_model_operator.domain.tensor_parallel import (
    LARGEST_SIZE,
    TensorParallelVerdict,
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
    if verdict.rule == A_KERNEL_TAKES_THE_EXPERTS.id:
        remedy += ", or add --enable-expert-parallel to spec.engine.args"
    yield replace(
        RULES[verdict.rule].problem(
            f"This model cannot be split over {size} GPUs: {verdict.message}; {remedy}",
            None if nearest is None else _gpus(nearest),
        ),
        reason="IllegalTensorParallelSize",
    )


def gpu_refusal(
    facts: CheckpointFacts,
    request: ServingRequest,
    version: EngineVersion,
    usable: Sequence[Candidate],
    fits: Sequence[Fit],
) -> Problem:
    """Why none of the usable candidates takes the model as requested."""
    asked = request.gpus_per_replica
    allowed = [fit for fit in fits if asked in {None, fit.tensor_parallel_size}]
    if not allowed:
        return _no_size(facts, request, usable)
    kernels = [fit for fit in allowed if _has_kernels(facts, request, version, fit)]
    if not kernels:
        return _no_kernel(request, version, allowed[0])
    allowed = kernels
    best = max(allowed, key=lambda fit: fit.sure_length)
    if request.max_model_length is not None and best.sure_length > 0:
        return _length_refusal(request, best, fits)
    return _memory_refusal(
        request, max(allowed, key=lambda fit: fit.memory.expected_kv_bytes), fits
    )


def share_refusal(request: ServingRequest) -> Problem:
    """The refusal of a share of the memory with which nothing fits, where vLLM's own would do."""
    return WEIGHTS_LEAVE_ROOM.problem(
        f"With {request.gpu_memory_utilization} of the memory of a GPU there is no room for "
        f"weights and KV cache, and with vLLM's own {DEFAULT_UTILIZATION} there is; leave "
        "gpuMemoryUtilization out",
        {"engine": {"gpuMemoryUtilization": None}},
        "spec.engine.gpuMemoryUtilization",
    )


def with_suggestions(problem: Problem, fits: Sequence[Fit]) -> Problem:
    """The problem with the names of known GPUs that would do, for the products field."""
    if not fits:
        return problem
    names = ", ".join(_described(fit) for fit in fits)
    first = fits[0]
    hardware = {
        "products": [first.candidate.accelerator.product],
        "gpusPerReplica": first.tensor_parallel_size,
    }
    return replace(
        problem,
        message=f"{problem.message}. Would fit: {names}",
        suggestion={"hardware": hardware},
    )


def _gpus(size: int) -> Mapping[str, Any]:
    return {"hardware": {"gpusPerReplica": size}}


def _described(fit: Fit) -> str:
    return f"{fit.tensor_parallel_size} {TIMES} {fit.candidate.accelerator.product}"


def _has_kernels(
    facts: CheckpointFacts, request: ServingRequest, version: EngineVersion, fit: Fit
) -> bool:
    capability = fit.candidate.accelerator.compute_capability
    size = fit.tensor_parallel_size
    backend = request.linear_backend
    found = gpu_kernels(facts, size, fit.dtype, capability, version, linear_backend=backend)
    return found is not None


def _no_kernel(request: ServingRequest, version: EngineVersion, fit: Fit) -> Problem:
    """Marlin pads odd shapes in newer versions only; a named kernel is the only one."""
    if request.linear_backend in NAMED_BACKENDS:
        return A_KERNEL_TAKES_EACH_LINEAR.problem(
            f"On {_described(fit)} {request.linear_backend}, which --linear-backend names, does "
            "not take every linear of this model; remove --linear-backend",
            field="spec.engine.args",
        )
    newer = version.release < MARLIN_PADS_SINCE
    remedy = (
        f"set spec.engine.version to {MARLIN_PADS_SINCE} or newer, or choose another number of GPUs"
        if newer
        else "choose another number of GPUs"
    )
    return A_KERNEL_TAKES_EACH_LINEAR.problem(
        f"On {_described(fit)} no kernel of vLLM {version} takes every linear of this model; "
        f"Exllama would, but it answers wrongly: {remedy}",
        {"engine": {"version": f"{NEWEST_KNOWN_VERSION}"}} if newer else None,
        "spec.engine.version" if newer else "",
    )


def _no_size(
    facts: CheckpointFacts, request: ServingRequest, usable: Sequence[Candidate]
) -> Problem:
    """No legal number of GPUs, or more GPUs asked for than any node has."""
    largest = max(candidate.largest_size for candidate in usable)
    asked = request.gpus_per_replica
    sizes = legal_sizes(facts, largest)
    if asked is None or not sizes:
        verdict = tensor_parallel_verdict(facts, 1)
        return unservable(verdict)
    return A_NODE_HAS_THE_GPUS.problem(
        f"A replica of {asked} GPUs needs them in one node, and the largest node in sight can "
        f"give {largest}; set gpusPerReplica to {sizes[-1]}, or name the product of a larger "
        "node in spec.hardware.products",
        _gpus(sizes[-1]),
    )


def unservable(verdict: TensorParallelVerdict) -> Problem:
    """The refusal of a checkpoint that not even one GPU or process can serve."""
    return replace(
        RULES[verdict.rule or A_KERNEL_TAKES_EACH_LINEAR.id].problem(
            f"The checkpoint cannot be served: {verdict.message or 'no kernel takes it'}",
            field="spec.model.uri",
        ),
        reason="UnsupportedGroupSize",
    )


def _length_refusal(request: ServingRequest, best: Fit, fits: Sequence[Fit]) -> Problem:
    """The nearest length, and the number of GPUs that would take the requested one."""
    more = next((fit for fit in fits if fit.length is not None), None)
    other = f", or gpusPerReplica to {more.tensor_parallel_size}" if more else ""
    return A_REQUEST_FITS.problem(
        f"A request of {request.max_model_length} tokens does not fit on {_described(best)}: "
        f"{best.sure_length} tokens of KV cache are sure ({best.expected_length} expected); set "
        f"maxModelLen to {best.sure_length} or less{other}",
        {"engine": {"maxModelLen": best.sure_length}},
    )


def _memory_refusal(request: ServingRequest, best: Fit, fits: Sequence[Fit]) -> Problem:
    """More GPUs of these nodes when they would do; else others have to be found."""
    total_bytes = best.candidate.accelerator.memory_bytes
    share = request.gpu_memory_utilization
    usable_gib = total_bytes * (share or 1) / GIB
    limit = "GPU" if share is None else f"GPU that gpuMemoryUtilization {share:g} allows"
    taken = (
        f"On {_described(best)} the weights take {best.memory.weights_bytes / GIB:.1f} of "
        f"{usable_gib:.1f} GiB per {limit}, which leaves no room for a KV cache"
    )
    more = next((fit for fit in fits if fit.length is not None), None)
    if more is None:
        return WEIGHTS_LEAVE_ROOM.problem(f"{taken}; use more or larger GPUs")
    size = more.tensor_parallel_size
    return WEIGHTS_LEAVE_ROOM.problem(
        f"{taken}; set gpusPerReplica to {size}, which fits as {_described(more)}",
        _gpus(size),
        "spec.hardware.gpusPerReplica",
    )
