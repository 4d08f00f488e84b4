"""The linears of a decoder layer, whole and per rank, against shapes worked out by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from quantized_model_operator.domain.linear_layers import (
    LinearLayer,
    all_linears,
    linear_layers,
    rank_layers,
)
from quantized_model_operator.domain.tensor_facts import LinearShape, MixtureOfExperts
from unit.domain.model_shapes import QWEN2_7B_INT4, changed

if TYPE_CHECKING:
    from quantized_model_operator.domain.checkpoint import CheckpointFacts


def shapes(layers: tuple[LinearLayer, ...]) -> dict[str, tuple[int, int, bool]]:
    """In-features, out-features and whether it is split along the former, by name."""
    return {
        layer.name: (layer.in_features, layer.out_features, layer.row_parallel) for layer in layers
    }


def test_a_7b_has_four_fused_linears() -> None:
    """q+k+v, o, gate+up and down of a Qwen2 7B have the shapes of its config."""
    assert shapes(linear_layers(QWEN2_7B_INT4)) == {
        "qkv_proj": (3584, 4608, False),
        "o_proj": (3584, 3584, True),
        "gate_up_proj": (3584, 37888, False),
        "down_proj": (18944, 3584, True),
    }


def test_the_weights_of_a_7b_are_as_counted_by_hand() -> None:
    """28 layers of these linears are 6,525,288,448 weights."""
    layers = linear_layers(QWEN2_7B_INT4)
    assert 28 * sum(item.in_features * item.out_features for item in layers) == 6_525_288_448


def test_two_ranks_split_rows_or_columns() -> None:
    """On two ranks o and down lose half of their inputs, the others half of their outputs."""
    assert shapes(rank_layers(QWEN2_7B_INT4, 2)) == {
        "qkv_proj": (3584, 2304, False),
        "o_proj": (1792, 3584, True),
        "gate_up_proj": (3584, 18944, False),
        "down_proj": (9472, 3584, True),
    }


def test_few_kv_heads_are_repeated() -> None:
    """With more ranks than KV heads every rank keeps one KV head."""
    facts = changed(QWEN2_7B_INT4, heads=32)
    assert rank_layers(facts, 4)[0].out_features == (8 + 2) * 128
    assert rank_layers(facts, 8)[0].out_features == (4 + 2) * 128


def test_one_rank_holds_the_whole_layer() -> None:
    """A tensor parallel size of 1 changes nothing."""
    assert rank_layers(QWEN2_7B_INT4, 1) == linear_layers(QWEN2_7B_INT4)


SIZES = st.integers(1, 64).map(lambda blocks: blocks * 128)
MODELS = st.builds(
    lambda layers, sparse, dense, expert, shared, experts: changed(
        QWEN2_7B_INT4,
        layers=layers,
        intermediate_size=dense,
        mixture=MixtureOfExperts(
            experts=experts,
            experts_per_token=1,
            expert_intermediate_size=expert,
            shared_intermediate_size=shared,
            sparse_layers=min(sparse, layers),
        ),
    ),
    layers=st.integers(1, 60),
    sparse=st.integers(1, 60),
    dense=SIZES,
    expert=SIZES,
    shared=st.just(0) | SIZES,
    experts=st.integers(1, 128),
)


@given(MODELS)
def test_a_mixture_holds_all_its_weights(facts: CheckpointFacts) -> None:
    """Attention of all layers, dense ones, shared and routed experts are each counted once."""
    mixture = facts.mixture
    assert mixture is not None
    attention = 3584 * 4608 + 3584 * 3584
    dense = (facts.layers - mixture.sparse_layers) * facts.intermediate_size
    routed = mixture.experts * mixture.expert_intermediate_size
    sparse = mixture.sparse_layers * (mixture.shared_intermediate_size + routed)
    weights = facts.layers * attention + 3 * 3584 * (dense + sparse)
    layers = linear_layers(facts)
    assert sum(item.count * item.in_features * item.out_features for item in layers) == weights
    assert all(item.count > 0 and item.in_features > 0 for item in layers)
    assert {item.kind for item in layers if item.name.startswith("experts.")} == {"expert"}
    assert {item.kind for item in layers if not item.name.startswith("experts.")} == {"dense"}


@given(MODELS, st.sampled_from([1, 2, 4]))
def test_ranks_share_every_linear_evenly(facts: CheckpointFacts, size: int) -> None:
    """Each rank of a legal size holds its part of each linear, and all ranks the whole."""
    for whole, part in zip(linear_layers(facts), rank_layers(facts, size), strict=True):
        assert (whole.name, whole.count, whole.kind) == (part.name, part.count, part.kind)
        weights = whole.in_features * whole.out_features
        assert part.in_features * part.out_features * size == weights
        split = part.in_features if part.row_parallel else part.out_features
        full = whole.in_features if whole.row_parallel else whole.out_features
        assert split * size == full


def test_recorded_linears_win_over_the_numbers() -> None:
    """Linears that the tensors showed are taken as they are, unquantised ones apart."""
    rows = (
        LinearShape("qkv_proj", 3584, 4608, "column", "dense", 28, 8, 64),
        LinearShape("q_a_proj", 3584, 512, "whole", "dense", 28, 4, 128),
        LinearShape("wide", 512, 3584, "row", "dense", 27, 4, 128),
        LinearShape("wide", 512, 3584, "row", "dense", 1, 16, -1),
    )
    facts = changed(QWEN2_7B_INT4, linears=rows)
    assert [(item.name, item.bits, item.group_size) for item in linear_layers(facts)] == [
        ("qkv_proj", 8, 64),
        ("q_a_proj", 4, 128),
        ("wide", 4, 128),
    ]
    assert [(item.in_features, item.out_features) for item in rank_layers(facts, 2)] == [
        (3584, 2304),
        (3584, 512),
        (256, 3584),
    ]
    (left,) = (item for item in all_linears(facts) if not item.quantized)
    assert (left.name, left.quantized, left.count) == ("wide", False, 1)
