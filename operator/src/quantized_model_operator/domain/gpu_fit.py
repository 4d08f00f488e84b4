"""Pure: how a checkpoint sits on so many GPUs of one kind."""

from dataclasses import dataclass, replace

from quantized_model_operator.domain.accelerators import NO_COMPUTE_CAPABILITY
from quantized_model_operator.domain.activation_dtype import cache_dtype_problem, served_dtype
from quantized_model_operator.domain.batch_limits import (
    BatchLimits,
    batch_problem,
    chosen_batch_limits,
    default_batch_limits,
)
from quantized_model_operator.domain.checkpoint import CheckpointFacts
from quantized_model_operator.domain.engine_rules_checkpoint import (
    ACCELERATOR_IS_NVIDIA,
    FP8_CACHE_NEEDS_BFLOAT16,
)
from quantized_model_operator.domain.engine_version import EngineVersion
from quantized_model_operator.domain.gpu_candidates import Candidate
from quantized_model_operator.domain.gpu_memory import (
    DEFAULT_UTILIZATION,
    MemoryEstimate,
    estimate_memory,
)
from quantized_model_operator.domain.kernels import HOPPER, gpu_kernels
from quantized_model_operator.domain.kv_layout import KvLayout, kv_layout
from quantized_model_operator.domain.measured_memory import setup_text, with_measured
from quantized_model_operator.domain.memory_setup import MemorySetup
from quantized_model_operator.domain.model_length import unlimited_length
from quantized_model_operator.domain.outcome import Problem
from quantized_model_operator.domain.plan_values import ServingRequest
from quantized_model_operator.domain.quantization import (
    ComputeCapability,
    compute_capability_problem,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """A checkpoint on ``tensor_parallel_size`` GPUs of one kind; nothing is decided here."""

    candidate: Candidate
    tensor_parallel_size: int
    dtype: str
    kernel: str
    """The kernel that does most of the work; empty when the length does not fit."""
    memory: MemoryEstimate
    conservative_tokens: int
    expected_tokens: int
    """KV tokens as vLLM states them: of requests of the planned length."""
    sure_length: int
    expected_length: int
    """The longest request by either figure, up to the requested length or the model's own."""
    length: int | None
    """The requested or the longest length; ``None`` when it does not fit."""
    fits_by_windows: bool
    """Whether the length fits only because some layers forget what is far behind."""

    @property
    def in_sight(self) -> bool:
        """Whether a schedulable node has so many of these GPUs now."""
        return self.candidate.nodes_with(self.tensor_parallel_size) > 0


def candidate_dtype(
    facts: CheckpointFacts, request: ServingRequest, version: EngineVersion, candidate: Candidate
) -> str | Problem:
    """The dtype on this GPU, or the rule by which GPU, dtype and KV dtype do not go together."""
    accelerator = candidate.accelerator
    capability = accelerator.compute_capability
    too_old = compute_capability_problem(version, capability, accelerator.product)
    if accelerator.unsupported and capability == NO_COMPUTE_CAPABILITY:
        return ACCELERATOR_IS_NVIDIA.problem(
            f"{accelerator.unsupported}, so {accelerator.product} is not planned; use NVIDIA GPUs"
        )
    if too_old is not None:
        return too_old
    dtype = served_dtype(facts, request.dtype, capability)
    if isinstance(dtype, Problem):
        return dtype
    return (
        _kv_cache_problem(request, dtype, capability)
        or batch_problem(batch_limits(facts, request, candidate))
        or dtype
    )


def evaluate(
    facts: CheckpointFacts,
    request: ServingRequest,
    version: EngineVersion,
    candidate: Candidate,
    *,
    size: int,
    dtype: str,
) -> Fit:
    """The fit for one legal tensor parallel size."""
    accelerator = candidate.accelerator
    batch = batch_limits(facts, request, candidate)
    setup = MemorySetup(
        total_bytes=accelerator.memory_bytes,
        compute_capability=accelerator.compute_capability,
        utilization=request.gpu_memory_utilization or DEFAULT_UTILIZATION,
        tensor_parallel_size=size,
        batch=batch,
        enforce_eager=request.enforce_eager,
        engine_version=version,
    )
    measurable = setup_text(
        facts,
        request,
        batch,
        product=accelerator.product,
        tensor_parallel_size=size,
        dtype=dtype,
    )
    memory = with_measured(
        estimate_memory(facts, setup), request.measured, measurable, setup.utilization
    )
    layout = kv_layout(facts, size, request.kv_cache_dtype or "auto", batch)
    wanted = request.max_model_length or unlimited_length(facts)
    sure_bytes, expected_bytes = memory.conservative_kv_bytes, memory.expected_kv_bytes
    sure_length = layout.longest_length(sure_bytes, wanted)
    length = sure_length if request.max_model_length in {None, sure_length} else None
    capability = accelerator.compute_capability
    backend = request.linear_backend
    kernels = (
        gpu_kernels(facts, size, dtype, capability, version, linear_backend=backend)
        if length
        else None
    )
    return Fit(
        candidate=candidate,
        tensor_parallel_size=size,
        dtype=dtype,
        kernel=kernels.main if kernels else "",
        memory=memory,
        conservative_tokens=layout.tokens(sure_bytes, length or wanted),
        expected_tokens=layout.tokens(expected_bytes, length or wanted),
        sure_length=sure_length,
        expected_length=layout.longest_length(expected_bytes, wanted),
        length=length if kernels else None,
        fits_by_windows=bool(length) and not _fits_whole(layout, sure_bytes, length or 0),
    )


def batch_limits(
    facts: CheckpointFacts, request: ServingRequest, candidate: Candidate
) -> BatchLimits:
    """The user's batch limits, and vLLM's own where the user set none."""
    accelerator = candidate.accelerator
    own = default_batch_limits(accelerator.product, accelerator.memory_bytes)
    return chosen_batch_limits(
        own.doubled() if request.double_batches else own,
        request.max_num_batched_tokens,
        request.max_num_seqs,
        request.max_model_length or unlimited_length(facts),
        chunked_prefill=request.chunked_prefill,
    )


def _kv_cache_problem(
    request: ServingRequest, dtype: str, capability: ComputeCapability
) -> Problem | None:
    """FlashAttention 3 writes bfloat16 from an fp8 cache and dies in float16, after loading."""
    asked = request.kv_cache_dtype or "auto"
    if problem := cache_dtype_problem(asked, dtype):
        return problem
    flash = request.attention_backend in {"", "AUTO", "FLASH_ATTN"}
    if not asked.startswith("fp8") or not flash or capability != HOPPER or dtype != "float16":
        return None
    return FP8_CACHE_NEEDS_BFLOAT16.problem(
        f"On compute capability 9.0 a KV cache of {request.kv_cache_dtype} needs dtype "
        "bfloat16, and this plan would use float16; set spec.engine.dtype to bfloat16, or "
        "leave kvCacheDtype out",
        {"engine": {"dtype": "bfloat16"}},
    )


def _fits_whole(layout: KvLayout, kv_bytes: int, length: int) -> bool:
    """Whether the length would fit if every layer kept all tokens."""
    full = replace(layout, full_groups=layout.full_groups + layout.window_groups, window_groups=0)
    return full.longest_length(kv_bytes, length) == length
