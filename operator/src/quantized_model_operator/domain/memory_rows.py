"""Pure: the constants of the memory model, by versions of vLLM.

What follows from shapes is in ``activation_memory``, ``graph_memory`` and ``weight_memory``; here
is what differs between versions, and what can only be measured.
"""

from dataclasses import dataclass

from quantized_model_operator.domain.engine_version import EngineVersion, row_for
from quantized_model_operator.domain.quantity import GIB


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryRow:
    """Constants of the memory model for a range of vLLM versions."""

    since: EngineVersion
    process_bytes: int
    """Taken between vLLM's first look at the GPU and the end of the profile run and neither
    weights, activations nor graphs: loaded kernels, input buffers, gaps of the allocator."""
    parallel_process_bytes: int
    """Added when ranks talk to each other: channels that NCCL opens at first use."""
    sampler_bytes_per_logit: int
    """At the peak of the profiled sampling, for each sequence and vocabulary entry."""
    penalty_bits_per_logit: int
    """Kept for penalties all the time, for each sequence and vocabulary entry."""
    deducts_graphs: bool
    """Whether the estimate of CUDA graphs comes off the KV cache."""
    pins_compilation: bool
    """Whether what a first start holds while it compiles counts as consumed ever after, since a
    small allocation within it keeps it from being given back."""
    measured: bool
    """Whether the constants were measured with the first minor version of the row."""
    source: str


MEMORY_ROWS = (
    MemoryRow(
        since=EngineVersion(0, 11),
        process_bytes=int(0.60 * GIB),
        parallel_process_bytes=int(0.70 * GIB),
        sampler_bytes_per_logit=22,
        penalty_bits_per_logit=0,
        deducts_graphs=True,
        pins_compilation=False,
        measured=False,
        source="assumed from vLLM 0.20 sources, on the side of less KV cache, 2026-11",
    ),
    MemoryRow(
        since=EngineVersion(0, 25),
        process_bytes=int(0.25 * GIB),
        parallel_process_bytes=int(0.05 * GIB),
        sampler_bytes_per_logit=2,
        penalty_bits_per_logit=0,
        deducts_graphs=False,
        pins_compilation=False,
        measured=True,
        source="vLLM 0.25.1 v1/worker/gpu/model_runner.py; the process by our measurement of six "
        "starts on one H200, 2026-11: 0.25 GiB in all of them; several GPUs assumed",
    ),
    MemoryRow(
        since=EngineVersion(0, 26),
        process_bytes=int(0.25 * GIB),
        parallel_process_bytes=int(0.05 * GIB),
        sampler_bytes_per_logit=14,
        penalty_bits_per_logit=33,
        deducts_graphs=True,
        pins_compilation=True,
        measured=False,
        source="assumed: what 0.25.1 and 0.33.0 take, whichever is more; in public logs a 32B on "
        "an RTX 5090 consumed 18.62 GiB with caches warm and 20.04 without, 2026-11",
    ),
    MemoryRow(
        since=EngineVersion(0, 31),
        process_bytes=int(0.15 * GIB),
        parallel_process_bytes=int(0.05 * GIB),
        sampler_bytes_per_logit=14,
        penalty_bits_per_logit=33,
        deducts_graphs=True,
        pins_compilation=False,
        measured=False,
        source="as 0.33.0; in a public log a first start of an 8B on an A100 with 0.31 consumed "
        "0.26 GiB beside its weights, as these constants give, 2026-11",
    ),
    MemoryRow(
        since=EngineVersion(0, 33),
        process_bytes=int(0.15 * GIB),
        parallel_process_bytes=int(0.05 * GIB),
        sampler_bytes_per_logit=14,
        penalty_bits_per_logit=33,
        deducts_graphs=True,
        pins_compilation=False,
        measured=True,
        source="vLLM 0.33.0 v1/worker/gpu/sample/{penalties,sampler}.py and FlashInfer 0.7.2 "
        "sampling.py (logits, their float32 copy, the masked copy, probabilities: 2 + 4 + 4 + 4 "
        "bytes; counts and mask of penalties: 32 + 1 bits); the process by our measurement of "
        "eight starts on H200 and H100, 2026-11: 0.12 to 0.19 GiB; ranks by a public measurement "
        "of a 32B on two RTX 4090 (vLLM pull request 54479)",
    ),
)


def memory_row(version: EngineVersion) -> MemoryRow:
    """The row that holds for this version."""
    return row_for(MEMORY_ROWS, version)


def memory_is_measured(version: EngineVersion) -> bool:
    """Whether the constants were measured with this very minor version."""
    row = memory_row(version)
    return row.measured and row.since == version.release
