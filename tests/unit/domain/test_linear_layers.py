"""The linears of a decoder layer, whole and per rank, against shapes worked out by hand."""

from __future__ import annotations

from quantized_model_operator.domain.linear_layers import LinearLayer, linear_layers, rank_layers
from unit.domain.model_shapes import QWEN2_7B_INT4, changed


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
