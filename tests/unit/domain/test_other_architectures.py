"""Architectures beside the usual ones: latent attention, states, layers of many sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from checkpoint_headers import Shapes, as_evidence, header_set, linear, plain
from quantized_model_operator.domain.checkpoint_inspection import inspect_checkpoint
from quantized_model_operator.domain.decoder_linears import MOST_LINEARS, split_of
from quantized_model_operator.domain.linear_layers import linear_layers, rank_layers
from quantized_model_operator.domain.tensor_facts import MixtureOfExperts
from quantized_model_operator.domain.tensor_layout import StoredTensor, derive

if TYPE_CHECKING:
    from quantized_model_operator.domain.checkpoint import CheckpointFacts

HIDDEN, VOCABULARY, LAYERS, EXPERTS = 2048, 102_400, 3, 4
DEEPSEEK: dict[str, Any] = {
    "architectures": ["DeepseekV2ForCausalLM"],
    "model_type": "deepseek_v2",
    "hidden_size": HIDDEN,
    "intermediate_size": 10_944,
    "moe_intermediate_size": 1408,
    "n_routed_experts": EXPERTS,
    "n_shared_experts": 2,
    "num_experts_per_tok": 2,
    "first_k_dense_replace": 1,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 16,
    "num_key_value_heads": 16,
    "kv_lora_rank": 512,
    "qk_rope_head_dim": 64,
    "vocab_size": VOCABULARY,
    "max_position_embeddings": 163_840,
    "rope_scaling": {"type": "yarn", "factor": 40, "original_max_position_embeddings": 4096},
    "tie_word_embeddings": False,
}
"""DeepSeek-V2-Lite, with fewer layers and experts."""


def feed_forward(name: str, inner: int) -> Shapes:
    """A gated feed-forward."""
    made = linear(f"{name}.gate_proj", HIDDEN, inner) | linear(f"{name}.up_proj", HIDDEN, inner)
    return made | linear(f"{name}.down_proj", inner, HIDDEN)


def ends() -> Shapes:
    """Embedding, norm and head."""
    made = plain("model.embed_tokens.weight", VOCABULARY, HIDDEN)
    made |= plain("model.norm.weight", HIDDEN)
    return made | plain("lm_head.weight", VOCABULARY, HIDDEN)


def deepseek() -> Shapes:
    """Its tensors: latent attention, a dense layer, then experts and shared experts."""
    made = ends()
    for number in range(LAYERS):
        layer = f"model.layers.{number}"
        attention = f"{layer}.self_attn"
        made |= linear(f"{attention}.q_proj", HIDDEN, 16 * 192)
        made |= linear(f"{attention}.kv_a_proj_with_mqa", HIDDEN, 576)
        made |= plain(f"{attention}.kv_a_layernorm.weight", 512)
        made |= linear(f"{attention}.kv_b_proj", 512, 16 * 256)
        made |= linear(f"{attention}.o_proj", 16 * 128, HIDDEN)
        if number == 0:
            made |= feed_forward(f"{layer}.mlp", 10_944)
        else:
            made |= plain(f"{layer}.mlp.gate.weight", EXPERTS, HIDDEN)
            made |= feed_forward(f"{layer}.mlp.shared_experts", 2816)
            for expert in range(EXPERTS):
                made |= feed_forward(f"{layer}.mlp.experts.{expert}", 1408)
    return made


def facts(config: dict[str, Any], tensors: Shapes) -> CheckpointFacts:
    """The facts of a sound checkpoint."""
    report = inspect_checkpoint(as_evidence(header_set(config, tensors)))
    assert report.facts is not None, report.problems
    return report.facts


def test_latent_attention_is_planned_from_its_tensors() -> None:
    """Linears that no formula makes are recorded, those that every rank holds whole among them."""
    found = facts(DEEPSEEK, deepseek())
    assert found.max_model_length == 163_840
    assert found.mixture == MixtureOfExperts(
        experts=EXPERTS,
        experts_per_token=2,
        expert_intermediate_size=1408,
        shared_intermediate_size=2816,
        sparse_layers=2,
    )
    rows = {item.name: item for item in linear_layers(found)}
    assert rows["kv_a_proj_with_mqa"].whole
    assert (rows["down_proj"].in_features, rows["down_proj"].count) == (10_944, 1)
    assert rows["experts.gate_up_proj"].count == 2 * EXPERTS
    assert rows["shared_expert.down_proj"].in_features == 2816
    ranks = {item.name: item for item in rank_layers(found, 2)}
    assert ranks["kv_a_proj_with_mqa"].out_features == 576
    assert ranks["kv_b_proj"].out_features == 8 * 256
    assert any("kept compressed" in text for text in found.warnings)
    assert any("DeepseekV2ForCausalLM" in text for text in found.warnings)


@pytest.mark.parametrize(
    ("name", "shape", "split"),
    [
        ("mlp.w2", (5504, HIDDEN), "row"),
        ("mlp.w2", (HIDDEN, 5504), "column"),
        ("mlp.c_proj", (5504, HIDDEN), "row"),
        ("attn.c_attn", (HIDDEN, HIDDEN), "column"),
        ("self_attn.q_proj", (HIDDEN, HIDDEN), "column"),
        ("self_attn.o_proj", (HIDDEN, HIDDEN), "row"),
        ("mixer.other", (HIDDEN, HIDDEN), "row"),
        ("mixer.other", (HIDDEN, 100), "column"),
        ("mixer.read_out", (300, 100), "row"),
        ("mlp.gate", (HIDDEN, 8), "whole"),
    ],
)
def test_names_and_shapes_tell_how_ranks_split(
    name: str, shape: tuple[int, int], split: str
) -> None:
    """The same name may lead away from the hidden size in one family and back in another."""
    assert split_of(f"model.layers.0.{name}", shape, HIDDEN) == split


def test_experts_per_token_are_one_where_the_config_is_silent() -> None:
    """Nothing is made up, and no more experts are used than there are."""
    silent = {**DEEPSEEK, "num_experts_per_tok": None}
    many = {**DEEPSEEK, "num_experts_per_tok": 100}
    for config, per_token in ((silent, 1), (many, EXPERTS)):
        mixture = facts(config, deepseek()).mixture
        assert mixture is not None
        assert mixture.experts_per_token == per_token


def test_layers_that_keep_a_state_are_warned_of() -> None:
    """Where some layers keep no keys and values the plan says that it counts them all the same."""
    config = {
        **DEEPSEEK,
        "kv_lora_rank": None,
        "layer_types": ["linear_attention", "linear_attention", "full_attention"],
    }
    assert any("keep a state" in text for text in facts(config, deepseek()).warnings)


def test_many_kinds_of_linears_are_cut_to_the_heaviest() -> None:
    """A model whose layers all differ is planned from its largest linears, and says so."""
    count = MOST_LINEARS + 5
    config = {**DEEPSEEK, "num_hidden_layers": count, "kv_lora_rank": None}
    made = ends()
    for number in range(count):
        made |= linear(f"model.layers.{number}.mlp.widen", HIDDEN, 1024 * (number + 1))
    found = facts(config, made)
    assert len(found.linears) == MOST_LINEARS
    assert min(item.outputs for item in found.linears) == 1024 * (count - MOST_LINEARS + 1)
    assert any("many kinds of linears" in text for text in found.warnings)


@pytest.mark.parametrize(
    ("weights", "zeros", "scales", "index"),
    [
        ((16, 64, 1), (1, 8), (1, 64), None),
        ((0, 64), (1, 8), (1, 64), None),
        ((16, 64), (2, 8), (1, 64), None),
        ((16, 64), (1, 8), (1, 63), None),
        ((16, 64), (1, 7), (1, 64), None),
        ((16, 96), (1, 9), (1, 96), None),
        ((16, 64), (1, 8), (1, 64), (127,)),
        ((16, 64), (1, 8), (1, 64), (128, 1)),
    ],
)
def test_shapes_that_contradict_each_other_make_no_linear(
    weights: tuple[int, ...],
    zeros: tuple[int, ...],
    scales: tuple[int, ...],
    index: tuple[int, ...] | None,
) -> None:
    """Dimensions, groups, widths and rows must all belong to one linear."""

    def derived(*shapes: tuple[int, ...] | None) -> object:
        parts = zip(("qweight", "qzeros", "scales", "g_idx"), shapes, strict=True)
        return derive({part: StoredTensor("m", "I32", shape) for part, shape in parts if shape})

    assert derived((16, 64), (1, 8), (1, 64), (128,)) is not None
    assert derived(weights, zeros, scales, index) is None
