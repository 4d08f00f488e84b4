"""Pure: a chosen fit written down as a plan, with what a user should know beside it."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from quantized_model_operator.domain.checkpoint import CheckpointFacts
from quantized_model_operator.domain.engine_version import EngineVersion, version_warnings
from quantized_model_operator.domain.gpu_fit import Fit
from quantized_model_operator.domain.gpu_memory import DEFAULT_UTILIZATION
from quantized_model_operator.domain.kernels import HOPPER, kernel_in_pod
from quantized_model_operator.domain.memory_rows import memory_is_measured
from quantized_model_operator.domain.model_length import TIMES, one_decimal, short_count
from quantized_model_operator.domain.plan_values import ServingPlan, ServingRequest
from quantized_model_operator.domain.quantity import GIB

PROCESS_MEMORY_BYTES = 6 * GIB
"""Main memory of the server and the engine with its one worker. Source: vLLM 0.33 Kubernetes docs
(requests 6G), 2026-11; our measurement under this very limit on an H100: 4.0 GiB of process and
shared memory at most, while kernels were compiled at the first start of a 7B, and 2.4 GiB later."""

FURTHER_WORKER_MEMORY_BYTES = 3 * GIB
"""Main memory of each further worker. Source: our estimate."""

SHARED_MEMORY_BYTES = 2 * GIB
"""Shared memory of several workers, part of the pod's. Source: as above (2Gi on NVIDIA)."""

SERVER_CORES = 2
"""Cores beside one per worker. Source: vLLM 0.33 docs, 2026-11 (2 + number of GPUs)."""

GRAPH_RESERVE_BYTES = GIB
"""What must stay outside of the utilisation: graphs are captured after the KV cache is sized.
Source: our measurement, 0.92 GiB on H200 with vLLM 0.25.1."""

ALTERNATIVES = 4


def gpu_serving_plan(
    facts: CheckpointFacts,
    request: ServingRequest,
    version: EngineVersion,
    chosen: Fit,
    fits: Sequence[Fit],
) -> ServingPlan:
    """The plan for the chosen fit and for every other GPU that the same pod may land on."""
    length = chosen.length or 0
    same_pod = [fit for fit in fits if _takes_the_same_pod(fit, chosen, length)]
    weakest = min(same_pod, key=lambda fit: fit.conservative_tokens)
    plan = ServingPlan(
        engine_version=request.engine_version,
        device="GPU",
        products=tuple(fit.candidate.accelerator.product for fit in same_pod),
        tensor_parallel_size=chosen.tensor_parallel_size,
        kernel=chosen.kernel,
        dtype=chosen.dtype,
        kv_cache_dtype=request.kv_cache_dtype or "auto",
        weights_bytes_per_gpu=chosen.memory.weights_bytes,
        kv_cache_bytes_per_gpu=weakest.memory.conservative_kv_bytes,
        kv_cache_tokens=weakest.conservative_tokens,
        expected_kv_cache_tokens=weakest.expected_tokens,
        max_model_length=length,
        max_concurrency=one_decimal(weakest.conservative_tokens, weakest.length or 1),
        gpu_memory_bytes=weakest.candidate.accelerator.memory_bytes,
        gpu_memory_utilization=request.gpu_memory_utilization or DEFAULT_UTILIZATION,
        kv_cache_memory_bytes=None,
        memory_request_bytes=request.memory_limit_bytes or _memory_bytes(chosen),
        cpu_request=str(SERVER_CORES + chosen.tensor_parallel_size),
        nodes_that_fit=sum(fit.candidate.nodes_with(fit.tensor_parallel_size) for fit in same_pod),
        alternatives=tuple(_alternatives(chosen, same_pod, fits))[:ALTERNATIVES],
    )
    return replace(plan, warnings=tuple(_warnings(facts, request, version, plan, same_pod)))


def _takes_the_same_pod(fit: Fit, chosen: Fit, length: int) -> bool:
    """Whether the chosen arguments work on this GPU too."""
    return (
        fit.tensor_parallel_size == chosen.tensor_parallel_size
        and fit.dtype == chosen.dtype
        and fit.length is not None
        and fit.length >= length
    )


def _memory_bytes(fit: Fit) -> int:
    further = fit.tensor_parallel_size - 1
    shared_bytes = SHARED_MEMORY_BYTES if further else 0
    return PROCESS_MEMORY_BYTES + further * FURTHER_WORKER_MEMORY_BYTES + shared_bytes


def _alternatives(chosen: Fit, same_pod: Sequence[Fit], fits: Sequence[Fit]) -> Iterable[str]:
    """More GPUs of the chosen kind, then the first size on each other kind."""
    product = chosen.candidate.accelerator.product
    named = {fit.candidate.accelerator.product for fit in same_pod}
    for fit in fits:
        other = fit.candidate.accelerator.product
        larger = other == product and fit.tensor_parallel_size != chosen.tensor_parallel_size
        if fit.length is None or not (larger or other not in named):
            continue
        named.add(other)
        yield _alternative(fit, chosen)


def _alternative(fit: Fit, chosen: Fit) -> str:
    size = fit.tensor_parallel_size
    text = (
        f"{size} {TIMES} {fit.candidate.accelerator.product}: TP{size}, "
        f"{short_count(fit.conservative_tokens)} KV tokens"
    )
    longer = fit.length is not None and chosen.length is not None and fit.length > chosen.length
    return f"{text}, length {fit.length}" if longer else text


def _warnings(
    facts: CheckpointFacts,
    request: ServingRequest,
    version: EngineVersion,
    plan: ServingPlan,
    same_pod: Sequence[Fit],
) -> Iterable[str]:
    yield from version_warnings(version)
    yield from request.warnings
    yield from _estimate_warnings(version, plan, same_pod)
    yield from _placement_warnings(plan, same_pod)
    if plan.max_model_length < facts.max_model_length and request.max_model_length is None:
        yield f"{plan.max_model_length} of the model's {facts.max_model_length} tokens fit"
    if facts.dtype == "bfloat16" and plan.dtype == "float16" and request.dtype in {None, "auto"}:
        yield "the checkpoint is bfloat16; this GPU serves it in float16"
    yield from _memory_warnings(plan, same_pod)


def _estimate_warnings(
    version: EngineVersion, plan: ServingPlan, same_pod: Sequence[Fit]
) -> Iterable[str]:
    """Where the figures of memory come from, unless it is the rule."""
    learned = [fit.candidate.accelerator.product for fit in same_pod if fit.memory.measured]
    if learned:
        yield f"memory on {', '.join(learned)} is what vLLM measured at an earlier start"
    if len(learned) == len(same_pod):
        return
    if not memory_is_measured(version) and not version_warnings(version):
        yield f"memory of vLLM {version} was not measured: the nearest measured version is used"
    if plan.tensor_parallel_size > 1:
        yield "memory of several GPUs per replica is estimated, not measured"


def _placement_warnings(plan: ServingPlan, same_pod: Sequence[Fit]) -> Iterable[str]:
    size = plan.tensor_parallel_size
    if not plan.nodes_that_fit:
        yield f"no node in sight has {size} {TIMES} {' or '.join(plan.products)}: pods wait for one"
    kernels = {
        fit.candidate.accelerator.product: kernel_in_pod(fit.kernel, plan.kernel)
        for fit in same_pod
    }
    others = [f"{name} on {product}" for product, name in kernels.items() if name != plan.kernel]
    if others:
        named = ", ".join(others)
        yield f"the kernel differs between GPUs of this plan: {named}"
    if any(fit.candidate.accelerator.shared for fit in same_pod):
        yield "the GPU is shared by time slicing: other pods take memory that is planned here"


def _memory_warnings(plan: ServingPlan, same_pod: Sequence[Fit]) -> Iterable[str]:
    left_bytes = plan.gpu_memory_bytes * (1 - plan.gpu_memory_utilization)
    if left_bytes < GRAPH_RESERVE_BYTES:
        yield f"only {left_bytes / GIB:.1f} GiB per GPU stay free for CUDA graphs"
    fp8 = plan.kv_cache_dtype.startswith("fp8")
    if fp8 and any(fit.candidate.accelerator.compute_capability != HOPPER for fit in same_pod):
        yield "an fp8 KV cache was tried on compute capability 9.0 only"
    if any(fit.fits_by_windows for fit in same_pod):
        yield "the length fits only because attention is windowed in some layers or all"
