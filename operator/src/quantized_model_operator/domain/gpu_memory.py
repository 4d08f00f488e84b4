"""Pure: how much KV cache a model has on a GPU, as vLLM sizes it, in two numbers.

``expected`` is what vLLM will log at a first start, ``conservative`` is what a verdict may rely
on before it. All figures are per rank and in bytes unless a name says otherwise.

    KV = utilisation * total - weights - process - penalties - activation peak - CUDA graphs
"""

from dataclasses import dataclass
from math import ceil

from quantized_model_operator.domain.activation_memory import (
    activation_peak_bytes,
    compile_peak_bytes,
)
from quantized_model_operator.domain.checkpoint import CheckpointFacts
from quantized_model_operator.domain.graph_memory import graph_estimate_bytes
from quantized_model_operator.domain.memory_rows import MemoryRow, memory_row
from quantized_model_operator.domain.memory_setup import MemorySetup, padded_vocabulary
from quantized_model_operator.domain.quantity import GIB
from quantized_model_operator.domain.rank_exchange_memory import exchange_bytes
from quantized_model_operator.domain.weight_memory import rank_weights_bytes

DEFAULT_UTILIZATION = 0.92
"""Source: vLLM 0.33.0 config/cache.py, 2026-11 (0.9 in 0.11; a plan always passes it)."""

MARGIN_PERCENT = 15
MARGIN_FLOOR_BYTES = 3 * GIB // 10
PARALLEL_MARGIN_FLOOR_BYTES = 6 * GIB // 10
MARGIN_CEILING_BYTES = 3 * GIB // 2
"""What the verdict stays below the expectation: a part of it, within bounds, since what the
expectation is wrong by does not grow with the KV cache. Source: our rule; every measured run of
0.25.1 and 0.33.0 lies above it by at least 0.2 GiB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryEstimate:
    """What one GPU holds; KV sizes are 0 when the rest already fills it."""

    weights_bytes: int
    process_bytes: int
    """Of the process, of penalties, and of exchange between ranks."""
    activation_bytes: int
    graph_bytes: int
    conservative_kv_bytes: int
    expected_kv_bytes: int
    measured: bool = False
    """Whether all terms are those of an earlier start (``measured_memory``)."""

    @property
    def taken_bytes(self) -> int:
        """Everything but the KV cache."""
        return self.weights_bytes + self.process_bytes + self.activation_bytes + self.graph_bytes


def estimate_memory(facts: CheckpointFacts, setup: MemorySetup) -> MemoryEstimate:
    """All terms of one rank and both KV figures."""
    row = memory_row(setup.engine_version)
    weights_bytes = rank_weights_bytes(facts, setup)
    process_bytes = _process_bytes(facts, setup, row)
    activation_bytes = activation_peak_bytes(facts, setup, row)
    graph_bytes = graph_estimate_bytes(facts, setup) if row.deducts_graphs else 0
    taken_bytes = weights_bytes + process_bytes + activation_bytes + graph_bytes
    expected_bytes = max(0, budget_bytes(setup) - taken_bytes)
    return MemoryEstimate(
        weights_bytes=weights_bytes,
        process_bytes=process_bytes,
        activation_bytes=activation_bytes,
        graph_bytes=graph_bytes,
        expected_kv_bytes=expected_bytes,
        conservative_kv_bytes=max(0, expected_bytes - _margin_bytes(expected_bytes, setup, row)),
    )


def budget_bytes(setup: MemorySetup) -> int:
    """What vLLM takes of the card. Source: vLLM 0.33.0 v1/worker/utils.py, 2026-11."""
    return ceil(setup.total_bytes * setup.utilization)


def _process_bytes(facts: CheckpointFacts, setup: MemorySetup, row: MemoryRow) -> int:
    logits = setup.batch.max_num_seqs * padded_vocabulary(facts.vocabulary)
    taken_bytes = row.process_bytes + row.penalty_bits_per_logit * logits // 8
    if row.pins_compilation:
        taken_bytes += compile_peak_bytes(facts, setup)
    if setup.tensor_parallel_size > 1:
        taken_bytes += row.parallel_process_bytes + exchange_bytes(facts, setup)
    return taken_bytes


def _margin_bytes(expected_bytes: int, setup: MemorySetup, row: MemoryRow) -> int:
    """What the verdict leaves; without a ceiling where the version was not measured."""
    parallel = setup.tensor_parallel_size > 1
    floor_bytes = PARALLEL_MARGIN_FLOOR_BYTES if parallel else MARGIN_FLOOR_BYTES
    part_bytes = -(-expected_bytes * MARGIN_PERCENT // 100)
    measured = row.measured and row.since == setup.engine_version.release
    return max(floor_bytes, min(part_bytes, MARGIN_CEILING_BYTES) if measured else part_bytes)
