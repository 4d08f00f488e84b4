"""Pure: what vLLM measured at an earlier start, for the next plan of the same setup.

vLLM sizes the KV cache as utilisation * card - consumed - peak and prints the last two, so that a
plan of the same setup need not estimate them. Only profiled starts print them: one with a
persisted startup plan, or with a given size of the KV cache, measures nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import ceil
from typing import TYPE_CHECKING, Any

from quantized_model_operator.domain.batch_limits import BatchLimits
from quantized_model_operator.domain.checkpoint import CheckpointFacts
from quantized_model_operator.domain.gpu_memory import MemoryEstimate
from quantized_model_operator.domain.quantity import GIB

if TYPE_CHECKING:
    from quantized_model_operator.domain.plan_values import ServingRequest

MEASURED_MARGIN_BYTES = 3 * GIB // 20
"""What the verdict stays below a measurement. Source: our measurement, 2026-11: the same start,
cold and warm, differs by 0.09 GiB with 0.25.1 and by nothing with 0.33.0; figures are rounded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredMemory:
    """Of one GPU, by a profiled start of a setup."""

    setup: str
    gpu_memory_bytes: int
    weights_bytes: int
    consumed_bytes: int
    """Weights and everything that is not torch's."""
    activation_bytes: int
    """The peak, the estimate of CUDA graphs included."""


def setup_text(
    facts: CheckpointFacts,
    request: "ServingRequest",
    batch: BatchLimits,
    *,
    product: str,
    tensor_parallel_size: int,
    dtype: str,
) -> str:
    """What must be the same for a measurement to hold; the length and the utilisation need not."""
    weights = facts.digest.removeprefix("sha256:")[:12] or f"{facts.commit}:{facts.weights_bytes}"
    steps = "one-step-prefill" if not request.chunked_prefill else ""
    parts = (
        request.engine_version,
        f"{tensor_parallel_size}x{product}",
        dtype,
        f"kv={request.kv_cache_dtype or 'auto'}",
        f"seqs={batch.max_num_seqs}",
        f"tokens={batch.max_num_batched_tokens}",
        "eager" if request.enforce_eager else "graphs",
        steps,
        f"weights={weights}",
        f"flags={request.flags}",
    )
    return " ".join(part for part in parts if part)


def measured_from(engine: Mapping[str, Any]) -> MeasuredMemory | None:
    """What ``status.engine`` says of a profiled start; ``None`` when it was none."""
    names = ("gpuMemoryBytes", "weightsBytesPerGpu", "consumedBytesPerGpu", "activationBytesPerGpu")
    sizes = [engine.get(name) for name in names]
    setup = engine.get("setup")
    card, weights, consumed, activation = (size if type(size) is int else 0 for size in sizes)
    if not isinstance(setup, str) or min(card, weights, consumed, activation) <= 0:
        return None
    return MeasuredMemory(
        setup=setup,
        gpu_memory_bytes=card,
        weights_bytes=weights,
        consumed_bytes=consumed,
        activation_bytes=activation,
    )


def with_measured(
    estimate: MemoryEstimate, measured: MeasuredMemory | None, setup: str, utilization: float
) -> MemoryEstimate:
    """The estimate, or what was measured when it is of this very setup."""
    if measured is None or measured.setup != setup:
        return estimate
    taken_bytes = measured.consumed_bytes + measured.activation_bytes
    kv_bytes = max(0, ceil(measured.gpu_memory_bytes * utilization) - taken_bytes)
    return replace(
        estimate,
        weights_bytes=measured.weights_bytes,
        process_bytes=max(0, measured.consumed_bytes - measured.weights_bytes),
        activation_bytes=measured.activation_bytes,
        graph_bytes=0,
        expected_kv_bytes=kv_bytes,
        conservative_kv_bytes=max(0, kv_bytes - MEASURED_MARGIN_BYTES),
        measured=True,
    )
