"""Layouts of model families: sound ones pass without a table of architectures, gaps are found."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from quantized_model_operator.domain.checkpoint_inspection import Evidence, inspect_checkpoint
from unit.tiny_checkpoint import Recipe, Tensors, config, linear, plain, safetensors

if TYPE_CHECKING:
    from quantized_model_operator.domain.checkpoint import InspectionReport

SIZE, LAYERS, EXPERTS = 128, 4, 3
ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")


def quantized(*names: str, outputs: int = SIZE) -> Tensors:
    """Linears of these names."""
    return {
        f"{name}.{part}": tensor for name in names for part, tensor in linear(SIZE, outputs).items()
    }


def dense(*names: str) -> Tensors:
    """Unquantised weights of these names."""
    return {f"{name}.weight": plain(SIZE) for name in names}


def ends(prefix: str = "model.", *, head: bool = True) -> Tensors:
    """Embedding, final norm and head."""
    made = {f"{prefix}embed_tokens.weight": plain(SIZE, SIZE), f"{prefix}norm.weight": plain(SIZE)}
    return made | ({"lm_head.weight": plain(SIZE, SIZE)} if head else {})


def attention(layer: str) -> Tensors:
    """Attention and norms of a layer in the names of Llama."""
    linears = quantized(*(f"{layer}.self_attn.{name}" for name in ATTENTION))
    return linears | dense(f"{layer}.input_layernorm", f"{layer}.post_attention_layernorm")


def multilayer(layer: str) -> Tensors:
    """A dense feed-forward block in the names of Llama."""
    return quantized(*(f"{layer}.mlp.{name}_proj" for name in ("gate", "up", "down")))


def mixtral() -> Tensors:
    """Experts named w1, w2 and w3 behind an unquantised gate."""
    made = ends()
    for number in range(LAYERS):
        layer = f"model.layers.{number}"
        moe = f"{layer}.block_sparse_moe"
        made |= attention(layer) | dense(f"{moe}.gate")
        for expert in range(EXPERTS):
            made |= quantized(*(f"{moe}.experts.{expert}.{name}" for name in ("w1", "w2", "w3")))
    return made


def qwen_moe() -> Tensors:
    """A dense first layer, then experts and a shared expert; q, k and v have biases."""
    made = ends() | attention("model.layers.0") | multilayer("model.layers.0")
    for number in range(LAYERS):
        biased = f"model.layers.{number}.self_attn"
        made |= {f"{biased}.{name}.bias": plain(SIZE) for name in ATTENTION[:3]}
    for number in range(1, LAYERS):
        layer = f"model.layers.{number}"
        names = [f"experts.{expert}" for expert in range(EXPERTS)] + ["shared_expert"]
        made |= attention(layer) | dense(f"{layer}.mlp.gate", f"{layer}.mlp.shared_expert_gate")
        for name in names:
            parts = (f"{layer}.mlp.{name}.{part}_proj" for part in ("gate", "up", "down"))
            made |= quantized(*parts)
    return made


def gemma() -> Tensors:
    """Four norms in each layer and no head."""
    made = ends(head=False)
    for number in range(LAYERS):
        layer = f"model.layers.{number}"
        made |= attention(layer) | multilayer(layer)
        made |= dense(f"{layer}.pre_feedforward_layernorm", f"{layer}.post_feedforward_layernorm")
        made |= dense(f"{layer}.self_attn.q_norm", f"{layer}.self_attn.k_norm")
    return made


def phi3() -> Tensors:
    """Linears that are fused in the file already."""
    made = ends()
    for number in range(LAYERS):
        layer = f"model.layers.{number}"
        made |= quantized(f"{layer}.self_attn.qkv_proj", outputs=3 * SIZE)
        made |= quantized(f"{layer}.mlp.gate_up_proj", outputs=2 * SIZE)
        made |= quantized(f"{layer}.self_attn.o_proj", f"{layer}.mlp.down_proj")
        made |= dense(f"{layer}.input_layernorm", f"{layer}.post_attention_layernorm")
    return made


def hybrid() -> Tensors:
    """Linear attention in three of four layers."""
    made = ends()
    for number in range(2 * LAYERS):
        layer = f"model.layers.{number}"
        made |= multilayer(layer) | dense(f"{layer}.input_layernorm")
        if number % 4 == 3:
            made |= quantized(*(f"{layer}.self_attn.{name}" for name in ATTENTION))
        else:
            made |= quantized(f"{layer}.linear_attn.in_proj", f"{layer}.linear_attn.out_proj")
            made |= dense(f"{layer}.linear_attn.conv1d")
    return made


def multimodal() -> Tensors:
    """A dense vision tower with more layers than the quantised language model."""
    made = ends("language_model.model.")
    for number in range(LAYERS):
        layer = f"language_model.model.layers.{number}"
        made |= attention(layer) | multilayer(layer)
    for number in range(3 * LAYERS):
        made |= dense(f"vision_tower.blocks.{number}.attn.qkv", f"vision_tower.blocks.{number}.n")
    return made


FAMILIES: dict[str, tuple[Tensors, dict[str, Any]]] = {
    "MixtralForCausalLM": (mixtral(), {"model_type": "mixtral", "num_local_experts": EXPERTS}),
    "Qwen2MoeForCausalLM": (
        qwen_moe(),
        {"model_type": "qwen2_moe", "num_experts": EXPERTS, "mlp_only_layers": [0]},
    ),
    "Gemma3ForCausalLM": (gemma(), {"model_type": "gemma3_text", "tie_word_embeddings": None}),
    "Phi3ForCausalLM": (phi3(), {"model_type": "phi3"}),
    "Qwen3NextForCausalLM": (
        hybrid(),
        {"model_type": "qwen3_next", "num_hidden_layers": 2 * LAYERS},
    ),
    "LlavaForConditionalGeneration": (multimodal(), {"model_type": "llava"}),
}


def verdict(family: str, contents: Tensors) -> InspectionReport:
    """The report on a checkpoint of a family with these tensors."""
    numbers = {"hidden_size": SIZE, "intermediate_size": SIZE, "vocab_size": SIZE}
    numbers |= {"head_dim": SIZE // 4, "num_key_value_heads": 4}
    changes = {"architectures": [family], "num_hidden_layers": LAYERS, **numbers}
    document = config(Recipe(config=changes | FAMILIES[family][1]))
    weights = safetensors(contents)
    return inspect_checkpoint(
        Evidence(
            uri="hf://zoo/otter",
            commit="0" * 40,
            sizes={"config.json": 1, "tokenizer.json": 1, "m.safetensors": len(weights)},
            documents={"config.json": json.dumps(document).encode()},
            first_bytes={"m.safetensors": weights},
        )
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_a_sound_checkpoint_of_each_family_passes(family: str) -> None:
    """No family's regular shape is taken for damage."""
    report = verdict(family, FAMILIES[family][0])
    assert report.problems == ()
    assert report.facts is not None
    assert report.facts.architecture == family


@pytest.mark.parametrize("family", FAMILIES)
def test_every_single_missing_tensor_is_found(family: str) -> None:
    """Whichever tensor of the language model is lost, but for g_idx, the checkpoint is refused."""
    contents = FAMILIES[family][0]
    for name in contents:
        if name.endswith("g_idx") or name.startswith("vision_tower"):
            continue
        left = {other: tensor for other, tensor in contents.items() if other != name}
        reasons = {problem.reason for problem in verdict(family, left).problems}
        assert reasons == {"TensorMissing"}, name


@pytest.mark.parametrize("family", FAMILIES)
def test_a_missing_linear_is_found_where_others_have_it(family: str) -> None:
    """Losing all tensors of one linear of the last layer is found too."""
    contents = FAMILIES[family][0]
    linears = sorted({name.rpartition(".")[0] for name in contents if name.endswith("qweight")})
    lost = linears[-1]
    left = {name: tensor for name, tensor in contents.items() if not name.startswith(f"{lost}.")}
    report = verdict(family, left)
    if family == "Qwen3NextForCausalLM":
        lost = lost.rpartition(".")[0]
    assert [problem.reason for problem in report.problems] == ["TensorMissing"]
    assert lost in report.problems[0].message
