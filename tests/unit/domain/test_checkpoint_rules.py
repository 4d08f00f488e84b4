"""Parameters that differ by module, held to the names under which vLLM looks them up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from unit.domain.inspections import changed, evidence, facts, only
from unit.tiny_checkpoint import Recipe, Tensors, linear, plain, tensors

if TYPE_CHECKING:
    from quantized_model_operator.domain.checkpoint_inspection import Evidence

LAYER = r"model\.layers\.0"
ATTENTION = ("q_proj", "k_proj", "v_proj")


def wider(names: tuple[str, ...], dynamic: dict[str, Any]) -> Evidence:
    """Layer 0 with these linears in 8 bits, and rules."""
    eight = tensors(Recipe(bits=8))

    def widen(made: Tensors) -> None:
        for name in names:
            for part in ("qweight", "qzeros", "scales", "g_idx"):
                made[f"model.layers.0.{name}.{part}"] = eight[f"model.layers.0.{name}.{part}"]

    return changed(widen, Recipe(quantization={"dynamic": dynamic}))


def dense(names: tuple[str, ...], **quantization: Any) -> Evidence:  # noqa: ANN401
    """All layers with these linears unquantised."""
    shapes = {"q_proj": (256, 256), "k_proj": (128, 256), "v_proj": (128, 256)}
    shapes |= {"gate_proj": (512, 256), "up_proj": (512, 256), "down_proj": (256, 512)}

    def drop(made: Tensors) -> None:
        for layer in range(4):
            for name in names:
                full = f"model.layers.{layer}.{name}"
                for part in ("qweight", "qzeros", "scales", "g_idx"):
                    del made[f"{full}.{part}"]
                made[f"{full}.weight"] = plain(*shapes[name.rpartition(".")[2]])

    return changed(drop, Recipe(quantization=quantization))


QKV = tuple(f"self_attn.{name}" for name in ATTENTION)


@pytest.mark.parametrize(
    "pattern",
    [rf"{LAYER}\.self_attn\.(q|k|v)", r".*\.0\.self_attn\.(qkv|q|k|v)_proj", rf"+:{LAYER}\.self"],
)
def test_a_rule_that_reaches_the_fused_name_is_served(pattern: str) -> None:
    """A rule that matches ``...qkv_proj`` from its start gives q, k and v 8 bits in vLLM."""
    rules = {pattern: {"bits": 8}}
    names = QKV if "(" in pattern else (*QKV, "self_attn.o_proj")
    assert facts(wider(names, rules)).bits == 4


@pytest.mark.parametrize(
    "rules",
    [
        {rf"{LAYER}\.self_attn\.{name}": {"bits": 8} for name in ATTENTION},
        {r".*\.0\.self_attn\.(q_proj|k_proj|v_proj)": {"bits": 8}},
    ],
    ids=["one rule each", "one rule"],
)
def test_a_rule_that_misses_the_fused_name_is_refused(rules: dict[str, Any]) -> None:
    """Rules that name q_proj, k_proj and v_proj in full are not found by vLLM: it would die."""
    reason, message = only(wider(QKV, rules))
    assert reason == "ShapesDisagree"
    assert (
        "looks for the module qkv_proj; write the rule so that it matches qkv_proj too" in message
    )


def test_a_rule_for_the_fused_name_alone_is_served() -> None:
    """A rule that names only what vLLM looks for is enough for vLLM."""
    assert facts(wider(QKV, {r".*\.0\.self_attn\.qkv_proj": {"bits": 8}})).bits == 4


def test_parts_in_other_bits_are_refused_once() -> None:
    """Where only v has 8 bits, the parts are named and not the rule."""
    reason, message = only(wider((QKV[2],), {rf"{LAYER}\.self_attn\.v_proj": {"bits": 8}}))
    assert reason == "ShapesDisagree"
    assert message.startswith(
        "model.layers.0.self_attn.q_proj/k_proj/v_proj is not quantised alike"
    )


def test_a_rule_without_effect_on_tensors_is_refused() -> None:
    """A rule that promises 8 bits where the weights have 4 is told by its own value."""
    reason, message = only(wider((), {rf"{LAYER}\.mlp\.down_proj": {"bits": 8}}))
    assert reason == "ShapesDisagree"
    assert "down_proj holds 4-bit weights, but config.json says bits: 8" in message


@pytest.mark.parametrize("name", ["mlp.down_proj", "self_attn.k_proj"])
def test_a_rule_against_quantising_is_held_to_the_tensors(name: str) -> None:
    """``-:`` for a linear that is quantised all the same is named."""
    pattern = rf"-:.*\.{name.replace('k_proj', 'qkv_proj')}"
    reason, message = only(wider((), {pattern: {}}))
    assert reason == "ShapesDisagree"
    assert "is quantised, but a dynamic rule in config.json says it is not" in message


def test_linears_left_out_in_all_layers_need_no_rule() -> None:
    """Tensors alone tell vLLM that a whole fused linear is not quantised."""
    assert facts(dense(QKV)).bits == 4
    assert facts(dense(("mlp.gate_proj", "mlp.up_proj"))).bits == 4


@pytest.mark.parametrize(
    ("names", "named"),
    [
        (QKV[:1], "self_attn.q_proj/k_proj/v_proj (and 3 more)"),
        (("mlp.up_proj",), "mlp.gate_proj/up_proj (and 3 more)"),
    ],
)
def test_a_fused_linear_left_out_in_part_is_refused(names: tuple[str, ...], named: str) -> None:
    """One unquantised part of a fused linear ends vLLM."""
    reason, message = only(dense(names))
    assert reason == "ShapesDisagree"
    assert named in message
    assert "is not quantised alike" in message


LISTED = [["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"], ["self_attn.o_proj"]]
MLP = [["mlp.gate_proj", "mlp.up_proj"], ["mlp.down_proj"]]


def test_a_list_of_modules_agrees_with_the_tensors() -> None:
    """A list that names what is quantised, and only that, is served."""
    assert facts(dense((), modules_in_block_to_quantize=[*LISTED, *MLP])).bits == 4
    left_out = dense(("mlp.down_proj",), modules_in_block_to_quantize=[*LISTED, MLP[0]])
    assert facts(left_out).bits == 4


def test_a_list_that_forgets_a_linear_is_refused() -> None:
    """A quantised linear that the list lacks would be loaded as an unquantised one."""
    reason, message = only(dense((), modules_in_block_to_quantize=[*LISTED, MLP[0]]))
    assert reason == "ShapesDisagree"
    assert "down_proj (and 3 more) is quantised, but modules_in_block_to_quantize" in message


def test_a_list_that_promises_too_much_is_refused() -> None:
    """A linear that the list names and the files hold unquantised is named."""
    reason, message = only(dense(("mlp.down_proj",), modules_in_block_to_quantize=[*LISTED, *MLP]))
    assert reason == "ShapesDisagree"
    assert "down_proj (and 3 more) is not quantised, but modules_in_block_to_quantize" in message


def head(made: Tensors) -> None:
    """A quantised head instead of the plain one."""
    del made["lm_head.weight"]
    made |= {f"lm_head.{part}": tensor for part, tensor in linear(256, 512).items()}


def test_a_quantised_head_is_served_where_it_is_declared() -> None:
    """With lm_head: true the head's tensors are read, and the fact is told."""
    found = facts(changed(head, Recipe(quantization={"lm_head": True})))
    assert found.quantized_lm_head
    assert found.tensor_bytes is not None
    assert found.tensor_bytes.head_bytes == 256 * 512 // 2 + 2 * 512 * 2 + 2 * 512 // 2 + 256 * 4


def test_a_quantised_head_must_be_declared() -> None:
    """Without lm_head: true vLLM finds no weights for the head."""
    reason, message = only(changed(head))
    assert reason == "ShapesDisagree"
    assert "set lm_head to true" in message


def test_a_tied_head_needs_no_declaration() -> None:
    """Where the head is the embedding, lm_head: true asks for nothing."""
    assert facts(evidence(Recipe(tied=True, quantization={"lm_head": True}))).tied_embeddings


def test_parameters_in_the_legacy_file_are_facts() -> None:
    """A repository with quantize_config.json alone is served with an argument."""
    legacy = b'{"bits": 4, "group_size": 128, "desc_act": false, "sym": true}'
    seen = evidence(
        Recipe(config={"quantization_config": None}), files={"quantize_config.json": legacy}
    )
    assert facts(seen).quantization_argument
    assert not facts(evidence()).quantization_argument


@pytest.mark.parametrize(
    ("content", "warned"),
    [
        (b'{"do_sample": false}', False),
        (b'{"do_sample": true, "temperature": 0.7, "top_p": 0.8}', False),
        (b'{"do_sample": true, "eos_token_id": 2}', True),
        (b"broken", False),
        (b"[]", False),
    ],
)
def test_sampling_without_saying_how_is_noted(content: bytes, warned: bool) -> None:  # noqa: FBT001
    """do_sample: true alone is what quantising tools leave behind; with values it was meant."""
    found = facts(evidence(files={"generation_config.json": content}))
    assert any("do_sample: true" in text for text in found.warnings) is warned
