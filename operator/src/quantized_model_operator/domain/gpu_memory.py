"""Pure: how much KV cache a model has on a GPU, as vLLM sizes it, in two numbers.

``expected`` is what vLLM will log, ``conservative`` is what a verdict may rely on before a first
start. All figures are per rank and in bytes unless a name says otherwise.

    KV = utilisation * total - weights - process - activation peak - CUDA graphs
"""

from dataclasses import dataclass
from math import ceil

from quantized_model_operator.domain.accelerators import GIB
from quantized_model_operator.domain.batch_limits import BatchLimits
from quantized_model_operator.domain.checkpoint import CheckpointFacts
from quantized_model_operator.domain.engine_version import EngineVersion, row_for

DEFAULT_UTILIZATION = 0.92
"""Source: vLLM 0.33.0 config/cache.py, 2026-11 (0.9 in 0.11; a plan always passes it)."""

VOCABULARY_MULTIPLE = 64
"""Source: vLLM 0.33.0 vocab_parallel_embedding.py, 2026-11."""

GRAPH_LAYERS = 28
"""Layers of the model whose graphs were measured; deeper ones are taken to need more in
proportion. Source: our assumption, since each layer adds its kernels to every graph."""

CONSERVATIVE_FRACTION = 0.15
CONSERVATIVE_FLOOR_BYTES = 3 * GIB // 10
"""What the verdict stays below the expectation: the larger of both. Source: our rule; every
measured run of 0.25.1 and 0.33.0 on H200 lies above it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryRow:
    """Constants of the memory model for a range of vLLM versions."""

    since: EngineVersion
    weights_overhead_bytes: int
    """What loading adds to the size on disk."""
    process_bytes: int
    """CUDA context and all that is neither weights nor activations nor graphs."""
    parallel_process_bytes: int
    """Added when ranks talk to each other (NCCL, custom all-reduce)."""
    sampler_bytes_per_logit: int
    mlp_bytes_per_activation: int
    hidden_bytes_per_element: int
    graph_bytes: int
    """Deducted for CUDA graphs of a model with ``GRAPH_LAYERS`` layers or fewer."""
    measured: frozenset[EngineVersion]
    """Minor versions that the constants were measured with."""
    source: str


MEMORY_ROWS = (
    MemoryRow(
        since=EngineVersion(0, 11),
        weights_overhead_bytes=int(0.10 * GIB),
        process_bytes=int(1.30 * GIB),
        parallel_process_bytes=int(0.7 * GIB),
        sampler_bytes_per_logit=0,
        mlp_bytes_per_activation=0,
        hidden_bytes_per_element=0,
        graph_bytes=0,
        measured=frozenset({EngineVersion(0, 25)}),
        source="our measurement, vLLM 0.25.1 on one H200, six runs, 2026-11; several GPUs assumed",
    ),
    MemoryRow(
        since=EngineVersion(0, 26),
        weights_overhead_bytes=int(0.07 * GIB),
        process_bytes=int(0.75 * GIB),
        parallel_process_bytes=int(0.7 * GIB),
        sampler_bytes_per_logit=14,
        mlp_bytes_per_activation=6,
        hidden_bytes_per_element=2,
        graph_bytes=int(0.86 * GIB),
        measured=frozenset({EngineVersion(0, 33)}),
        source="our measurement, vLLM 0.33.0 on one H200, five runs, 2026-11; several GPUs assumed",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MemorySetup:
    """Everything but the checkpoint that decides about memory."""

    total_bytes: int
    """Of one GPU, as torch reports it."""
    utilization: float
    tensor_parallel_size: int
    batch: BatchLimits
    enforce_eager: bool
    engine_version: EngineVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryEstimate:
    """What one GPU holds; KV sizes are 0 when the weights already fill it."""

    weights_bytes: int
    conservative_kv_bytes: int
    expected_kv_bytes: int


def memory_is_measured(version: EngineVersion) -> bool:
    """Whether the constants were measured with this very minor version."""
    return version.release in row_for(MEMORY_ROWS, version).measured


def padded_vocabulary(vocabulary: int) -> int:
    """Vocabulary entries as vLLM pads them."""
    return -(-vocabulary // VOCABULARY_MULTIPLE) * VOCABULARY_MULTIPLE


def rank_weights_bytes(facts: CheckpointFacts, setup: MemorySetup) -> int:
    """Weights on one GPU after loading.

    The size on disk is the best predictor; KV heads fewer than ranks are repeated.
    Source: vLLM 0.33.0 layers/linear.py; measured 5.19 on disk -> 5.29 GiB on H200.
    """
    size = setup.tensor_parallel_size
    overhead = row_for(MEMORY_ROWS, setup.engine_version).weights_overhead_bytes
    return -(-facts.weights_bytes // size) + _repeated_kv_bytes(facts, size) + overhead


def estimate_memory(facts: CheckpointFacts, setup: MemorySetup) -> MemoryEstimate:
    """Weights and both KV figures of one rank."""
    weights_bytes = rank_weights_bytes(facts, setup)
    expected_bytes = _expected_kv_bytes(facts, setup, weights_bytes)
    margin_bytes = max(CONSERVATIVE_FLOOR_BYTES, ceil(expected_bytes * CONSERVATIVE_FRACTION))
    formula_bytes = formula_kv_bytes(facts, setup, weights_bytes)
    return MemoryEstimate(
        weights_bytes=weights_bytes,
        expected_kv_bytes=max(0, expected_bytes),
        conservative_kv_bytes=max(0, min(formula_bytes, expected_bytes - margin_bytes)),
    )


def formula_kv_bytes(facts: CheckpointFacts, setup: MemorySetup, weights_bytes: int) -> int:
    """KV bytes by the general formula that knows no engine version; may be negative.

    Source: vLLM 0.33.0 v1/worker/gpu_worker.py for the terms, our estimate for the constants;
    pessimistic for 0.25.1 and optimistic for 0.33.0, so never used alone.
    """
    context_bytes = int((0.6 if setup.tensor_parallel_size == 1 else 1.3) * GIB)
    graph_bytes = 0 if setup.enforce_eager else GIB // 2
    reserve_bytes = int(0.15 * GIB)
    batch = setup.batch
    rank_heads = facts.heads + 2 * facts.kv_heads
    attention_bytes = (
        batch.max_num_batched_tokens * rank_heads * facts.head_size * 2
    ) // setup.tensor_parallel_size
    mlp_bytes = (
        batch.max_num_batched_tokens * 3 * facts.intermediate_size * 2
    ) // setup.tensor_parallel_size
    logit_bytes = batch.max_num_seqs * padded_vocabulary(facts.vocabulary) * 8
    activation_bytes = batch.max_num_batched_tokens * facts.hidden_size * 2 + max(
        attention_bytes, mlp_bytes, logit_bytes
    )
    return (
        _budget_bytes(setup)
        - weights_bytes
        - context_bytes
        - activation_bytes
        - graph_bytes
        - reserve_bytes
    )


def _budget_bytes(setup: MemorySetup) -> int:
    return ceil(setup.total_bytes * setup.utilization)


def _expected_kv_bytes(facts: CheckpointFacts, setup: MemorySetup, weights_bytes: int) -> int:
    row = row_for(MEMORY_ROWS, setup.engine_version)
    parallel_bytes = row.parallel_process_bytes if setup.tensor_parallel_size > 1 else 0
    depth = max(facts.layers, GRAPH_LAYERS)
    graph_bytes = 0 if setup.enforce_eager else row.graph_bytes * depth // GRAPH_LAYERS
    return (
        _budget_bytes(setup)
        - weights_bytes
        - row.process_bytes
        - parallel_bytes
        - _activation_peak_bytes(facts, setup, row)
        - graph_bytes
    )


def _activation_peak_bytes(facts: CheckpointFacts, setup: MemorySetup, row: MemoryRow) -> int:
    """The peak of the profile run: sampling all sequences, or the widest linear.

    Fitted to runs with 8192 batched tokens and 1024 sequences; its slope is a guess.
    """
    tokens = setup.batch.max_num_batched_tokens
    sequences = min(setup.batch.max_num_seqs, tokens)
    sampler_bytes = row.sampler_bytes_per_logit * sequences * padded_vocabulary(facts.vocabulary)
    mlp_bytes = (
        row.mlp_bytes_per_activation * tokens * facts.intermediate_size
    ) // setup.tensor_parallel_size
    hidden_bytes = row.hidden_bytes_per_element * tokens * facts.hidden_size
    return max(sampler_bytes, mlp_bytes) + hidden_bytes


def _repeated_kv_bytes(facts: CheckpointFacts, size: int) -> int:
    """What a rank holds of k and v projections beyond its even share."""
    if size <= facts.kv_heads:
        return 0
    features = facts.hidden_size * facts.kv_heads * facts.head_size
    groups = 1 if facts.group_size == -1 else -(-facts.hidden_size // facts.group_size)
    scales = groups * facts.kv_heads * facts.head_size
    projections_bytes = 2 * facts.layers * (features * facts.bits // 8 + 2 * scales)
    return projections_bytes // facts.kv_heads - projections_bytes // size
