"""Legal tensor parallel sizes: the computed verdicts, pairs per rule, and properties."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantized_model_operator.domain.linear_layers import linear_layers, rank_layers
from quantized_model_operator.domain.tensor_parallel import (
    LARGEST_SIZE,
    legal_sizes,
    nearest_legal_size,
    tensor_parallel_verdict,
    tensor_parallel_verdicts,
)
from unit.domain.model_shapes import (
    QWEN2_05B_INT4,
    QWEN2_7B_INT4,
    QWEN2_72B_INT4,
    QWEN25_14B_INT4,
    TINY_INT4,
    changed,
)

if TYPE_CHECKING:
    from quantized_model_operator.domain.checkpoint import CheckpointFacts

UNPADDED_72B = changed(QWEN2_72B_INT4, intermediate_size=29568)


@pytest.mark.parametrize(
    ("facts", "size", "rule"),
    [
        (QWEN2_7B_INT4, 1, ""),
        (QWEN2_7B_INT4, 2, ""),
        (QWEN2_7B_INT4, 4, ""),
        (QWEN2_7B_INT4, 7, "kv-heads-are-shared-evenly"),
        (QWEN2_7B_INT4, 8, "heads-are-shared-evenly"),
        (QWEN2_05B_INT4, 1, ""),
        (QWEN2_05B_INT4, 2, "groups-stay-whole"),
        (QWEN25_14B_INT4, 4, ""),
        (QWEN25_14B_INT4, 8, "groups-stay-whole"),
        (QWEN2_72B_INT4, 8, ""),
        (UNPADDED_72B, 1, ""),
        (UNPADDED_72B, 2, "groups-stay-whole"),
        (TINY_INT4, 2, ""),
        (TINY_INT4, 4, "groups-stay-whole"),
    ],
)
def test_known_models_have_the_computed_verdicts(
    facts: CheckpointFacts, size: int, rule: str
) -> None:
    """Qwen2 7B, 0.5B, 14B, 72B (padded or not) and the tiny model split as computed by hand."""
    assert tensor_parallel_verdict(facts, size).rule == rule


@pytest.mark.parametrize(
    ("changes", "size", "rule"),
    [
        ({"heads": 12, "kv_heads": 12, "head_size": 128}, 3, ""),
        ({"heads": 13, "kv_heads": 12, "head_size": 128}, 3, "heads-are-shared-evenly"),
        ({"heads": 12, "kv_heads": 4, "head_size": 128}, 4, ""),
        ({"heads": 12, "kv_heads": 4, "head_size": 128}, 3, "kv-heads-are-shared-evenly"),
        ({"heads": 16, "kv_heads": 2, "head_size": 128}, 8, ""),
        ({"heads": 12, "kv_heads": 3, "head_size": 128, "intermediate_size": 6 * 128}, 6, ""),
        (
            {"heads": 12, "kv_heads": 3, "head_size": 128, "intermediate_size": 6 * 128 + 2},
            6,
            "dimensions-are-shared-evenly",
        ),
        (
            {"heads": 16, "kv_heads": 8, "head_size": 128, "intermediate_size": 8 * 192},
            8,
            "groups-stay-whole",
        ),
        ({"heads": 16, "kv_heads": 8, "head_size": 128, "intermediate_size": 8 * 256}, 8, ""),
    ],
)
def test_each_rule_has_its_edge(changes: dict[str, int], size: int, rule: str) -> None:
    """For each rule a shape just inside is legal and one just outside names that rule."""
    facts = changed(QWEN2_7B_INT4, **{"intermediate_size": 24 * 128, **changes})
    assert tensor_parallel_verdict(facts, size).rule == rule


def test_the_trap_is_explained_in_groups() -> None:
    """The refusal of a straddled group says the layer, the rows and the fraction of groups."""
    message = tensor_parallel_verdict(QWEN2_05B_INT4, 2).message
    assert "o_proj" in message
    assert "448" in message
    assert "3.5 groups of 128" in message


def test_a_silent_shape_is_refused_too() -> None:
    """192 rows with groups of 128 pass every check of vLLM and answer wrongly: refused here."""
    facts = changed(
        QWEN2_7B_INT4, heads=6, kv_heads=2, head_size=64, hidden_size=384, intermediate_size=1024
    )
    assert tensor_parallel_verdict(facts, 2).rule == "groups-stay-whole"


def test_one_group_per_column_splits_freely() -> None:
    """A group size of -1 is legal wherever heads and dimensions are."""
    assert legal_sizes(changed(QWEN2_05B_INT4, group_size=-1), 8) == (1, 2)


def test_smaller_groups_are_a_way_out() -> None:
    """What straddles groups of 128 is legal with groups of 64."""
    assert legal_sizes(changed(QWEN2_05B_INT4, group_size=64), 8) == (1, 2)


def test_a_node_bounds_the_size() -> None:
    """No more GPUs than a node has are legal, and at least one is."""
    assert legal_sizes(QWEN2_7B_INT4, 3) == (1, 2)
    assert tensor_parallel_verdict(QWEN2_7B_INT4, 4, 3).rule == "a-node-has-the-gpus"
    assert tensor_parallel_verdict(QWEN2_7B_INT4, 0).rule == "a-node-has-the-gpus"


def test_a_checkpoint_may_be_legal_nowhere() -> None:
    """When not even one GPU holds whole groups, there is no legal and no nearest size."""
    facts = changed(QWEN2_7B_INT4, intermediate_size=18945)
    assert legal_sizes(facts, 8) == ()
    assert nearest_legal_size(facts, 2, 8) is None


@pytest.mark.parametrize(("size", "nearest"), [(3, 2), (7, 4), (8, 4), (1, 1), (16, 4)])
def test_the_nearest_legal_size_is_named(size: int, nearest: int) -> None:
    """The nearest legal size of a 7B is named; of two equally near the smaller."""
    assert nearest_legal_size(QWEN2_7B_INT4, size, LARGEST_SIZE) == nearest


SHAPES = st.builds(
    lambda kv_heads, per_kv, head_size, inter, group: changed(
        QWEN2_7B_INT4,
        kv_heads=kv_heads,
        heads=kv_heads * per_kv,
        head_size=head_size,
        hidden_size=kv_heads * per_kv * head_size,
        intermediate_size=inter,
        group_size=group,
    ),
    kv_heads=st.integers(1, 16),
    per_kv=st.integers(1, 8),
    head_size=st.sampled_from([32, 64, 80, 128, 256]),
    inter=st.integers(1, 400).map(lambda blocks: blocks * 64),
    group=st.sampled_from([-1, 32, 64, 128]),
)


@given(SHAPES, st.integers(1, LARGEST_SIZE))
def test_a_legal_split_holds_whole_heads_and_groups(facts: CheckpointFacts, size: int) -> None:
    """On every rank of a legal split heads, dimensions and groups are whole."""
    if not tensor_parallel_verdict(facts, size).legal:
        return
    assert facts.heads % size == 0
    assert facts.intermediate_size % size == 0
    for layer in rank_layers(facts, size):
        assert facts.group_size == -1 or layer.in_features % facts.group_size == 0


@given(SHAPES, st.integers(1, LARGEST_SIZE))
def test_an_illegal_split_breaks_a_rule(facts: CheckpointFacts, size: int) -> None:
    """A refused size really breaks one of the arithmetic conditions."""
    if tensor_parallel_verdict(facts, size).legal:
        return
    whole_groups = facts.group_size == -1 or all(
        (layer.in_features / (size if layer.row_parallel else 1)) % facts.group_size == 0
        for layer in linear_layers(facts)
    )
    whole_heads = facts.heads % size == 0
    kv_heads_fit = facts.kv_heads % size == 0 or size % facts.kv_heads == 0
    assert not (
        whole_heads and kv_heads_fit and facts.intermediate_size % size == 0 and whole_groups
    )


@given(SHAPES, st.integers(1, LARGEST_SIZE))
def test_ranks_together_hold_the_whole_layer(facts: CheckpointFacts, size: int) -> None:
    """The ranks of a legal split hold every weight, more than once only for repeated KV heads."""
    if not tensor_parallel_verdict(facts, size).legal:
        return
    for whole, part in zip(linear_layers(facts), rank_layers(facts, size), strict=True):
        held = part.in_features * part.out_features * size
        needed = whole.in_features * whole.out_features
        assert held == needed or (whole.name == "qkv_proj" and size > facts.kv_heads)
        assert held >= needed


@given(SHAPES, st.integers(1, LARGEST_SIZE))
def test_verdicts_agree_with_legal_sizes(facts: CheckpointFacts, gpus: int) -> None:
    """Legal sizes are exactly those whose verdict is legal, and illegal ones say why."""
    verdicts = tensor_parallel_verdicts(facts, gpus)
    assert legal_sizes(facts, gpus) == tuple(item.size for item in verdicts if item.legal)
    assert all(item.legal or item.message for item in verdicts)
