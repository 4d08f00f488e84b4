"""Pure: the plan of a model that vLLM serves on CPU, for development clusters and tests."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from functools import lru_cache

from quantized_model_operator.domain.accelerators import MIB
from quantized_model_operator.domain.activation_dtype import cache_dtype_problem, served_dtype
from quantized_model_operator.domain.batch_limits import (
    CPU_BATCH_LIMITS,
    BatchLimits,
    batch_problem,
    chosen_batch_limits,
    step_problem,
)
from quantized_model_operator.domain.checkpoint import CheckpointFacts
from quantized_model_operator.domain.cluster_state import ObservedNode
from quantized_model_operator.domain.engine_rules_checkpoint import KV_CACHE_DTYPE_IS_PLANNED
from quantized_model_operator.domain.engine_rules_memory import (
    A_REQUEST_FITS,
    CPU_MEMORY_LEAVES_ROOM,
)
from quantized_model_operator.domain.engine_rules_parallel import ONE_PROCESS_ON_CPU
from quantized_model_operator.domain.engine_version import EngineVersion, version_warnings
from quantized_model_operator.domain.gpu_refusals import unservable
from quantized_model_operator.domain.kernels import CPU_KERNEL
from quantized_model_operator.domain.kv_cache import (
    CPU_BLOCK_TOKENS,
    kv_bytes_per_token,
    kv_cache_tokens,
    needed_kv_bytes,
)
from quantized_model_operator.domain.model_length import (
    length_problem,
    longest_length,
    one_decimal,
    unlimited_length,
)
from quantized_model_operator.domain.outcome import Problem
from quantized_model_operator.domain.plan_values import ServingPlan, ServingRequest
from quantized_model_operator.domain.quantity import GIB, parse_quantity
from quantized_model_operator.domain.tensor_parallel import tensor_parallel_verdict

CPU_PROCESS_BYTES = 32 * GIB // 10
"""What the four processes of vLLM take besides weights and KV cache: at most 3.15 GB with half a
GiB of KV cache among it. Source: our measurement, vLLM 0.32.0, tiny Qwen2, 2026-11."""

DEFAULT_CPU_MEMORY_BYTES = 5 * GIB
"""Limit of a pod that serves a small model. Source: our measurement, see above, rounded up."""

DEFAULT_CPU_LENGTH_TOKENS = 32768
"""The longest context that memory is set aside for without being asked. Source: our rule."""

CPU_MEMORY_STEP_BYTES = 256 * MIB
"""Limits of larger models are rounded up to this."""

CPU_UTILIZATION = 0.1
"""vLLM compares this share of the host's memory with what is free before it starts, and its
default of 0.92 fails on a busy host; the KV cache is given in bytes. Source: as above."""

CPU_REQUEST = "1"
"""Two shared cores serve a tiny model and start it within a minute. Source: as above."""

MEASURED_CPU_RELEASES = frozenset({EngineVersion(0, 32), EngineVersion(0, 33)})
"""Minor versions whose CPU rules were run (0.32) or read (0.33), 2026-11."""

_CPU_FEATURE_PREFIX = "feature.node.kubernetes.io/cpu-cpuid."
_CPU_FEATURE = f"{_CPU_FEATURE_PREFIX}AVX512F"
_CPU_ARCHITECTURES = frozenset({"", "amd64", "s390x", "ppc64le", "riscv64"})
"""Where the kernel exists; an unlabelled node may be any. Source: vLLM 0.33.0, cpu_gemm_wna16."""


def plan_cpu(
    facts: CheckpointFacts,
    request: ServingRequest,
    version: EngineVersion,
    nodes: Sequence[ObservedNode],
) -> ServingPlan | tuple[Problem, ...]:
    """The plan on CPU; the checkpoint itself is known to be servable there."""
    dtype = served_dtype(facts, request.dtype, None)
    problems = [*_setting_problems(facts, request)]
    if isinstance(dtype, Problem):
        problems.append(dtype)
    elif problem := cache_dtype_problem(request.kv_cache_dtype or "auto", dtype):
        problems.append(problem)
    if problems or isinstance(dtype, Problem):
        return tuple(problems)
    bytes_per_token = kv_bytes_per_token(facts, 1, "auto")
    limit_bytes = request.memory_limit_bytes or _default_limit_bytes(
        facts, request, bytes_per_token
    )
    room_bytes = max(0, limit_bytes - facts.weights_bytes - CPU_PROCESS_BYTES)
    room_tokens = kv_cache_tokens(room_bytes, bytes_per_token, CPU_BLOCK_TOKENS)
    length = longest_length(facts, request.max_model_length, room_tokens)
    if length is None:
        return (_memory_problem(facts, request, bytes_per_token, limit_bytes, room_tokens),)
    sequences = _batch_limits(request).max_num_seqs
    kv_bytes = _useful_kv_bytes(room_bytes, length, bytes_per_token, sequences)
    tokens = kv_cache_tokens(kv_bytes, bytes_per_token, CPU_BLOCK_TOKENS)
    fitting = sum(1 for node in nodes if _takes(node, limit_bytes))
    return ServingPlan(
        engine_version=request.engine_version,
        device="CPU",
        products=(),
        tensor_parallel_size=1,
        kernel=CPU_KERNEL,
        dtype=dtype,
        kv_cache_dtype="auto",
        weights_bytes_per_gpu=facts.weights_bytes,
        kv_cache_bytes_per_gpu=kv_bytes,
        kv_cache_tokens=tokens,
        expected_kv_cache_tokens=tokens,
        max_model_length=length,
        max_concurrency=one_decimal(tokens, length),
        gpu_memory_bytes=0,
        gpu_memory_utilization=CPU_UTILIZATION,
        kv_cache_memory_bytes=kv_bytes,
        memory_request_bytes=limit_bytes,
        cpu_request=CPU_REQUEST,
        nodes_that_fit=fitting,
        warnings=(
            *version_warnings(version),
            *request.warnings,
            *_warnings(facts, version, dtype, length, fitting),
        ),
    )


def _setting_problems(facts: CheckpointFacts, request: ServingRequest) -> Iterable[Problem]:
    if request.gpus_per_replica not in {None, 1}:
        yield ONE_PROCESS_ON_CPU.problem(
            "A model on CPU is served by one process; leave gpusPerReplica out",
            {"hardware": {"gpusPerReplica": None}},
        )
    if request.kv_cache_dtype not in {None, "auto", "float16", "bfloat16"}:
        yield KV_CACHE_DTYPE_IS_PLANNED.problem(
            f"{request.kv_cache_dtype} is planned on GPUs only; leave kvCacheDtype out",
            {"engine": {"kvCacheDtype": None}},
        )
    whole = tensor_parallel_verdict(facts, 1)
    if not whole.legal:
        yield unservable(whole)
    length = request.max_model_length
    if problem := length_problem(facts, length, may_exceed=request.length_may_exceed):
        yield problem
    if problem := batch_problem(_batch_limits(request)):
        yield problem
    if problem := step_problem(
        request.max_num_batched_tokens, length or 0, chunked_prefill=request.chunked_prefill
    ):
        yield problem


def _batch_limits(request: ServingRequest) -> BatchLimits:
    return chosen_batch_limits(
        CPU_BATCH_LIMITS, request.max_num_batched_tokens, request.max_num_seqs
    )


def _default_limit_bytes(
    facts: CheckpointFacts, request: ServingRequest, bytes_per_token: int
) -> int:
    """5 GiB, or what the weights and one request of the full length need, within reason."""
    length = request.max_model_length or min(unlimited_length(facts), DEFAULT_CPU_LENGTH_TOKENS)
    needed_bytes = (
        facts.weights_bytes + CPU_PROCESS_BYTES + _single_request_bytes(length, bytes_per_token)
    )
    steps = -(-needed_bytes // CPU_MEMORY_STEP_BYTES)
    return max(DEFAULT_CPU_MEMORY_BYTES, steps * CPU_MEMORY_STEP_BYTES)


def _single_request_bytes(length: int, bytes_per_token: int) -> int:
    """KV bytes of one request of this length and of the block that vLLM reserves."""
    reserved_bytes = CPU_BLOCK_TOKENS * bytes_per_token
    return needed_kv_bytes(length, bytes_per_token, CPU_BLOCK_TOKENS) + reserved_bytes


def _useful_kv_bytes(room_bytes: int, length: int, bytes_per_token: int, sequences: int) -> int:
    """The room in whole blocks, but no more than all sequences of a batch can ever fill."""
    block_bytes = CPU_BLOCK_TOKENS * bytes_per_token
    full_bytes = needed_kv_bytes(length, bytes_per_token, CPU_BLOCK_TOKENS)
    most_bytes = sequences * full_bytes + block_bytes
    return min(room_bytes, most_bytes) // block_bytes * block_bytes


def _memory_problem(
    facts: CheckpointFacts,
    request: ServingRequest,
    bytes_per_token: int,
    limit_bytes: int,
    room_tokens: int,
) -> Problem:
    """Why the requested length, or any length at all, does not fit into the limit."""
    length = request.max_model_length or CPU_BLOCK_TOKENS
    needed_bytes = (
        facts.weights_bytes + CPU_PROCESS_BYTES + _single_request_bytes(length, bytes_per_token)
    )
    needed = f"{-(-needed_bytes // MIB)}Mi"
    if room_tokens > 0:
        return A_REQUEST_FITS.problem(
            f"A request of {length} tokens does not fit into {limit_bytes // MIB}Mi of memory; "
            f"set maxModelLen to {room_tokens} or less, or spec.hardware.memory to {needed}",
            {"engine": {"maxModelLen": room_tokens}},
        )
    return CPU_MEMORY_LEAVES_ROOM.problem(
        f"{limit_bytes // MIB}Mi of memory leave no room for a KV cache beside weights of "
        f"{facts.weights_bytes // MIB}Mi and {CPU_PROCESS_BYTES // MIB}Mi for vLLM itself; set "
        f"spec.hardware.memory to at least {needed}",
        {"hardware": {"memory": needed}},
    )


def _warnings(
    facts: CheckpointFacts, version: EngineVersion, dtype: str, length: int, fitting: int
) -> Iterable[str]:
    if version.release not in MEASURED_CPU_RELEASES and not version_warnings(version):
        yield f"GPTQ on CPU was not tried with vLLM {version}"
    if dtype == "bfloat16":
        yield "bfloat16 crashes on hosts that list AMX but do not allow it; float16 is portable"
    if length < facts.max_model_length:
        yield f"{length} of the model's {facts.max_model_length} tokens fit"
    if not fitting:
        yield "no schedulable node in sight has the memory, the core and the instruction set"


def _takes(node: ObservedNode, memory_bytes: int) -> bool:
    """Whether an empty node of this size could hold the pod."""
    if not node.schedulable:
        return False
    labels = node.labels
    lists_features = any(label.startswith(_CPU_FEATURE_PREFIX) for label in labels)
    if _CPU_FEATURE not in labels and lists_features:
        return False
    return (
        labels.get("kubernetes.io/arch", "") in _CPU_ARCHITECTURES
        and _amount(node.allocatable.get("memory", "0")) >= memory_bytes
        and _amount(node.allocatable.get("cpu", "0")) >= Decimal(CPU_REQUEST)
    )


@lru_cache(maxsize=1024)
def _amount(text: str) -> Decimal:
    """The quantity, or nothing for a text that is none; nodes of a pool have the same texts."""
    try:
        return parse_quantity(text)
    except ValueError:
        return Decimal(0)
