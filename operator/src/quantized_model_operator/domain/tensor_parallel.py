"""Pure: which tensor parallel sizes are legal for these shapes and this group size, and why not.

Each size gets the first rule of ``engine_rules_parallel`` that it breaks.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from quantized_model_operator.domain.checkpoint import CheckpointFacts
from quantized_model_operator.domain.engine_rules import EngineRule
from quantized_model_operator.domain.engine_rules_parallel import (
    A_KERNEL_TAKES_THE_EXPERTS,
    A_NODE_HAS_THE_GPUS,
    DIMENSIONS_ARE_SHARED_EVENLY,
    EXPERTS_COVER_THE_GPUS,
    GROUPS_STAY_WHOLE,
    HEADS_ARE_SHARED_EVENLY,
    KV_HEADS_ARE_SHARED_EVENLY,
)
from quantized_model_operator.domain.expert_kernels import (
    MARLIN_HIDDEN_MULTIPLE,
    expert_shape,
    fallback_group_size,
)
from quantized_model_operator.domain.linear_layers import (
    QKV,
    LinearLayer,
    all_linears,
    linear_layers,
    rank_layer,
)

LARGEST_SIZE = 16
"""GPUs of one node that are considered: the largest node sold has 16. Source: our limit."""

COUNTS_EXPERTS = frozenset(
    {
        "Qwen2MoeForCausalLM",
        "Qwen3MoeForCausalLM",
        "Qwen3NextForCausalLM",
        "Ernie4_5_MoeForCausalLM",
        "ExaoneMoEForCausalLM",
        "Lfm2MoeForCausalLM",
        "MiniMaxM2ForCausalLM",
        "Step3TextForCausalLM",
    }
)
"""Architectures that refuse more ranks than experts; others split each expert however many ranks
there are. Source: vLLM 0.33.0 model_executor/models, 2026-11."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorParallelVerdict:
    """Whether a model may be split over this many GPUs, with the first reason why not."""

    size: int
    rule: str
    """Id of the rule of ``engine_rules_parallel`` that is broken; empty when none is."""
    message: str

    @property
    def legal(self) -> bool:
        """Whether no rule is broken."""
        return not self.rule


def tensor_parallel_verdict(
    facts: CheckpointFacts, size: int, gpus_per_node: int = LARGEST_SIZE
) -> TensorParallelVerdict:
    """The verdict over one size; a size below 1 is one that no node has."""
    if not 1 <= size <= gpus_per_node:
        message = f"a node offers {gpus_per_node} GPUs, not {size}"
        return TensorParallelVerdict(size=size, rule=A_NODE_HAS_THE_GPUS.id, message=message)
    for rule, violation in _VIOLATIONS:
        if message := violation(facts, size):
            return TensorParallelVerdict(size=size, rule=rule.id, message=message)
    return TensorParallelVerdict(size=size, rule="", message="")


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


def _heads(facts: CheckpointFacts, size: int) -> str:
    if facts.heads % size == 0:
        return ""
    return f"the {facts.heads} attention heads cannot be divided by {size}"


def _kv_heads(facts: CheckpointFacts, size: int) -> str:
    """Fewer KV heads than ranks are repeated, evenly."""
    if facts.kv_heads % size == 0 or size % facts.kv_heads == 0:
        return ""
    return f"the {facts.kv_heads} KV heads do not divide {size}, nor does {size} them"


def _dimensions(facts: CheckpointFacts, size: int) -> str:
    """Linears are split along one dimension, quantised or not."""
    for layer in all_linears(facts):
        split = _split_features(layer)
        if not layer.whole and layer.name != QKV and split % size:
            return f"the {split} features of {layer.name} cannot be divided by {size}"
    return ""


def _split_features(layer: LinearLayer) -> int:
    """Of one of the fused linears: gate and up are split apart."""
    if layer.row_parallel:
        return layer.in_features
    return layer.out_features // (2 if layer.name.endswith("gate_up_proj") else 1)


def _groups(facts: CheckpointFacts, size: int) -> str:
    """A rank of a dense row-parallel linear must hold whole groups, and so must a whole linear.

    Scales of a single group per column are repeated on all ranks.
    """
    for layer in linear_layers(facts):
        features = rank_layer(layer, facts, size).in_features
        if layer.kind == "dense" and layer.group_size > 0 and features % layer.group_size:
            groups = features / layer.group_size
            held = f"{layer.name} would hold {features} rows per GPU, {groups:g} groups"
            return f"{held} of {layer.group_size}, which vLLM finds out too late or never"
    return ""


def _experts(facts: CheckpointFacts, size: int) -> str:
    mixture = facts.mixture
    if mixture is None or facts.architecture not in COUNTS_EXPERTS or mixture.experts >= size:
        return ""
    return f"the {mixture.experts} experts of a layer are fewer than {size} GPUs"


def _expert_kernels(facts: CheckpointFacts, size: int) -> str:
    """Marlin's fused kernel, or halved groups of 32 or more; kernels of any version."""
    for layer in linear_layers(facts):
        if layer.kind != "expert":
            continue
        shape = expert_shape(rank_layer(layer, facts, size), facts.hidden_size)
        marlin = shape.hidden_size % MARLIN_HIDDEN_MULTIPLE == 0 and (
            shape.group_size <= 0 or shape.intermediate_size % shape.group_size == 0
        )
        if not marlin and fallback_group_size(shape) is None:
            return (
                f"experts would have {shape.intermediate_size} features per GPU and hidden size "
                f"{shape.hidden_size}, which no kernel takes in groups of {shape.group_size}"
            )
    return ""


_Violation = Callable[[CheckpointFacts, int], str]

_VIOLATIONS: Iterable[tuple[EngineRule, _Violation]] = (
    (HEADS_ARE_SHARED_EVENLY, _heads),
    (KV_HEADS_ARE_SHARED_EVENLY, _kv_heads),
    (DIMENSIONS_ARE_SHARED_EVENLY, _dimensions),
    (GROUPS_STAY_WHOLE, _groups),
    (EXPERTS_COVER_THE_GPUS, _experts),
    (A_KERNEL_TAKES_THE_EXPERTS, _expert_kernels),
)
"""In the order of trial: what vLLM says first comes first."""
