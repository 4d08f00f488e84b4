"""Missing tensors found by comparing layers, and no false alarm where layers differ by design."""

from __future__ import annotations

from quantized_model_operator.domain.layer_completeness import missing_layers, missing_names
from quantized_model_operator.domain.tensor_layout import (
    Layer,
    StoredTensor,
    layers_of,
    main_stack,
    modules_of,
)

ATTENTION = ("self_attn.q_proj", "self_attn.o_proj")
DENSE = ("mlp.gate_proj", "mlp.down_proj")
EXPERTS = tuple(f"mlp.experts.{number}.down_proj" for number in range(4))


def layers(*modules: tuple[str, ...], without: tuple[str, ...] = ()) -> dict[int, Layer]:
    """Layers with quantised linears of these names, tensors or modules in ``without`` left out."""
    names = [
        f"model.layers.{number}.{module}.{part}"
        for number, inner in enumerate(modules)
        for module in inner
        for part in ("qweight", "qzeros", "scales", "g_idx")
    ]
    tensors = {
        name: StoredTensor("file", "I32", (1,))
        for name in names
        if not name.startswith(tuple(f"model.layers.{item}" for item in without) or ("-",))
    }
    stacks = layers_of(modules_of(tensors))
    return stacks[main_stack(stacks)]


def missing(*modules: tuple[str, ...], without: tuple[str, ...] = ()) -> list[str]:
    """What is found missing, without the common prefix."""
    found = missing_names(layers(*modules, without=without), lambda _module: False)
    return [name.removeprefix("model.layers.") for name in found]


DENSE_LAYERS = (ATTENTION + DENSE,) * 4
MIXED = (ATTENTION + DENSE, ATTENTION + EXPERTS + ("mlp.gate",)) * 2


def test_equal_layers_are_complete() -> None:
    """Nothing is missing where all layers are alike."""
    assert missing(*DENSE_LAYERS) == []


def test_alternating_kinds_of_layers_are_complete() -> None:
    """Dense layers among layers of experts, and two kinds of attention, are no damage."""
    assert missing(*MIXED) == []
    linear = ("linear_attn.in_proj", "linear_attn.out_proj", *DENSE)
    assert missing(linear, linear, linear, ATTENTION + DENSE) == []


def test_a_layer_with_something_of_its_own_is_complete() -> None:
    """One layer may hold more than the others, as relative attention does."""
    assert missing((*ATTENTION, "self_attn.bias_table"), ATTENTION, ATTENTION) == []


def test_g_idx_is_optional() -> None:
    """VLLM drops g_idx, so it may be absent anywhere."""
    assert missing(*DENSE_LAYERS, without=("1.mlp.down_proj.g_idx",)) == []


def test_a_missing_tensor_is_named() -> None:
    """One tensor of one module of one layer is found and named."""
    found = missing(*DENSE_LAYERS, without=("2.mlp.down_proj.scales",))
    assert found == ["2.mlp.down_proj.scales"]


def test_a_missing_module_is_named() -> None:
    """A whole module of one layer is found."""
    assert missing(*DENSE_LAYERS, without=("0.mlp.down_proj",)) == ["0.mlp.down_proj.*"]


def test_a_missing_block_is_named() -> None:
    """All of the attention of one layer is found."""
    assert missing(*DENSE_LAYERS, without=("3.self_attn",)) == ["3.self_attn.*"]


def test_a_missing_expert_is_named() -> None:
    """One expert of one layer is found among layers of experts and dense ones."""
    assert missing(*MIXED, *MIXED, without=("3.mlp.experts.2",)) == ["3.mlp.experts.2.down_proj.*"]


def test_a_dense_linear_among_quantised_ones_is_missing_its_parts() -> None:
    """A linear that is quantised elsewhere and dense here is named, unless a rule says so."""
    found = layers(*DENSE_LAYERS, without=("1.mlp.down_proj",))
    dense = {"mlp.down_proj": {"weight": StoredTensor("file", "F16", (1,))}}
    found[1] = Layer("model.layers", 1, {**found[1].modules, **dense})
    names = list(missing_names(found, lambda _module: False))
    assert names == [
        f"model.layers.1.mlp.down_proj.{part}" for part in ("qweight", "qzeros", "scales")
    ]
    assert list(missing_names(found, lambda name: name == "model.layers.1.mlp.down_proj")) == []


def test_missing_layers_are_counted_from_zero() -> None:
    """Layers are complete from 0 to one below their number; more of them are no harm."""
    found = layers(*DENSE_LAYERS)
    assert missing_layers(found, 4) == []
    assert missing_layers(found, 6) == [4, 5]
    assert missing_layers(found, 2) == []
