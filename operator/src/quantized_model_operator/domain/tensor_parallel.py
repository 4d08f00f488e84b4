"""Pure: which tensor parallel sizes are legal for these shapes and this group size, and why not.

Rules carry the names T1 to T7 in messages to developers only; users read sentences.
"""

from dataclasses import dataclass

from quantized_model_operator.domain.checkpoint import CheckpointFacts
from quantized_model_operator.domain.linear_layers import linear_layers

LARGEST_SIZE = 16
"""GPUs of one node that are considered: the largest node sold has 16. Source: our limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorParallelVerdict:
    """Whether a model may be split over this many GPUs, with the first reason why not."""

    size: int
    rule: str
    """``T1`` heads, ``T2`` KV heads, ``T3`` dimensions, ``T4`` groups, ``T6`` GPUs; else empty."""
    message: str

    @property
    def legal(self) -> bool:
        """Whether no rule is broken."""
        return not self.rule


def tensor_parallel_verdict(
    facts: CheckpointFacts, size: int, gpus_per_node: int = LARGEST_SIZE
) -> TensorParallelVerdict:
    """The verdict over one size; a size below 1 breaks T6.

    Source: vLLM 0.33.0 config/model.py (T1), models/qwen2.py (T2), distributed/utils.py (T3);
    T4 is our measurement on two H200 (2026-11): vLLM checks it too late or not at all. A group
    size of -1 repeats the scales on all ranks (T7), so T4 does not apply.
    """
    rule, message = _first_violation(facts, size, gpus_per_node)
    return TensorParallelVerdict(size=size, rule=rule, message=message)


def tensor_parallel_verdicts(
    facts: CheckpointFacts, gpus_per_node: int
) -> tuple[TensorParallelVerdict, ...]:
    """The verdicts over every size from one GPU to all GPUs of a node."""
    largest = min(gpus_per_node, LARGEST_SIZE)
    return tuple(
        tensor_parallel_verdict(facts, size, gpus_per_node) for size in range(1, largest + 1)
    )


def legal_sizes(facts: CheckpointFacts, gpus_per_node: int) -> tuple[int, ...]:
    """The legal sizes in rising order."""
    return tuple(
        verdict.size for verdict in tensor_parallel_verdicts(facts, gpus_per_node) if verdict.legal
    )


def nearest_legal_size(facts: CheckpointFacts, size: int, gpus_per_node: int) -> int | None:
    """The legal size closest to the given one, the smaller of two; ``None`` if there is none."""
    sizes = legal_sizes(facts, gpus_per_node)
    return min(sizes, key=lambda legal: (abs(legal - size), legal), default=None)


def _first_violation(facts: CheckpointFacts, size: int, gpus_per_node: int) -> tuple[str, str]:
    if not 1 <= size <= gpus_per_node:
        return "T6", f"a node offers {gpus_per_node} GPUs, not {size}"
    if facts.heads % size:
        return "T1", f"the {facts.heads} attention heads cannot be divided by {size}"
    if facts.kv_heads % size and size % facts.kv_heads:
        return "T2", f"the {facts.kv_heads} KV heads do not divide {size}, nor does {size} them"
    if facts.intermediate_size % size:
        return "T3", f"the intermediate size {facts.intermediate_size} cannot be divided by {size}"
    return _group_violation(facts, size)


def _group_violation(facts: CheckpointFacts, size: int) -> tuple[str, str]:
    """T4: a rank of a row-parallel linear must hold whole groups."""
    if facts.group_size == -1:
        return "", ""
    for layer in linear_layers(facts):
        rank_features = layer.in_features // size if layer.row_parallel else layer.in_features
        if rank_features % facts.group_size:
            groups = rank_features / facts.group_size
            held = f"{layer.name} would hold {rank_features} rows per GPU, {groups:g} groups"
            return "T4", f"{held} of {facts.group_size}, which vLLM finds out too late or never"
    return "", ""
