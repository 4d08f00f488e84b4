"""The verdict on a whole checkpoint: each kind of damage has its reason and names its place."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from unit.domain.inspections import changed, evidence, facts, only, verdict
from unit.tiny_checkpoint import (
    INDEX,
    SINGLE,
    Recipe,
    Tensor,
    Tensors,
    plain,
    safetensors,
    tensors,
)

DOWN = "model.layers.1.mlp.down_proj"


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("group_size", [-1, 32, 64, 128])
def test_sound_checkpoints_give_facts(bits: int, group_size: int) -> None:
    """Bits, group size and sizes are reported as they are."""
    seen = evidence(Recipe(bits=bits, group_size=group_size))
    found = facts(seen)
    assert (found.bits, found.group_size, found.symmetric, found.desc_act) == (
        bits,
        group_size,
        True,
        False,
    )
    assert found.weights_bytes == seen.sizes[SINGLE]
    assert found.files == 1
    assert (found.has_tokenizer, found.has_chat_template, found.warnings) == (True, True, ())


def test_parameters_are_counted_as_if_unpacked() -> None:
    """The same model has the same number of parameters in 4 and in 8 bits."""
    linears = 4 * (256 * 256 * 2 + 256 * 128 * 2 + 3 * 256 * 512)
    others = 2 * 512 * 256 + 4 * (2 * 256 + 256 + 2 * 128) + 256
    assert facts(evidence()).parameters == linears + others
    assert facts(evidence(Recipe(bits=8))).parameters == linears + others


def test_the_digest_covers_names_sizes_and_digests() -> None:
    """Any change to a file that serving needs changes the digest."""
    seen = evidence()
    digest = facts(seen).digest
    assert digest.startswith("sha256:")
    assert facts(replace(seen, digests={**seen.digests, SINGLE: "sha256:1"})).digest != digest
    assert facts(replace(seen, uri="hf://zoo/badger")).digest == digest


def test_tied_embeddings_need_no_head() -> None:
    """lm_head may be absent exactly when the embeddings are tied."""
    assert facts(evidence(Recipe(tied=True))).tied_embeddings
    reason, message = only(changed(lambda made: made.pop("lm_head.weight")))
    assert reason == "TensorMissing"
    assert "lm_head.weight" in message


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"bits": 3}, "UnsupportedBits"),
        ({"sym": False}, "UnsupportedSymmetry"),
        ({"quant_method": "foo"}, "NotGptq"),
        ({"bits": None}, "QuantizationIncomplete"),
    ],
)
def test_unserved_settings_are_refused_first(settings: dict[str, Any], reason: str) -> None:
    """What config.json declares is judged before the tensors."""
    assert verdict(evidence(Recipe(quantization=settings)))[0][0] == reason


def test_act_order_is_a_fact_and_no_problem() -> None:
    """Whether it is served depends on the version of vLLM."""
    assert facts(evidence(Recipe(quantization={"desc_act": True}))).desc_act


@pytest.mark.parametrize(("actual", "declared"), [(4, 8), (8, 4)])
def test_wrong_bits_are_seen_in_the_shapes(actual: int, declared: int) -> None:
    """Int4 data declared as 8 bits, and the reverse, is one problem with the true value."""
    seen = evidence(Recipe(bits=actual, quantization={"bits": declared}))
    reason, message = only(seen)
    assert reason == "ShapesDisagree"
    assert f"holds {actual}-bit weights, but config.json says bits: {declared}" in message
    assert "model.layers.0.mlp.down_proj (and 27 more)" in message


@pytest.mark.parametrize(("actual", "declared"), [(128, 64), (64, 128), (-1, 128), (128, -1)])
def test_a_wrong_group_size_is_seen_in_the_shapes(actual: int, declared: int) -> None:
    """The true group size is named."""
    seen = evidence(Recipe(group_size=actual, quantization={"group_size": declared}))
    reason, message = only(seen)
    assert reason == "ShapesDisagree"
    assert f"group_size {actual}, but config.json says {declared}" in message


@pytest.mark.parametrize("part", ["qweight", "qzeros", "scales"])
def test_a_missing_part_is_named(part: str) -> None:
    """VLLM would serve wrong text without any message."""
    reason, message = only(changed(lambda made: made.pop(f"{DOWN}.{part}")))
    assert reason == "TensorMissing"
    assert f"{DOWN}.{part};" in message


def test_a_missing_bias_or_norm_is_named() -> None:
    """Small tensors that other layers have are missed too."""
    for name in ("self_attn.q_proj.bias", "input_layernorm.weight"):
        full = f"model.layers.2.{name}"
        reason, message = only(changed(lambda made, full=full: made.pop(full)))  # type: ignore[misc]
        assert reason == "TensorMissing"
        assert full.removesuffix(".weight") in message


def test_g_idx_may_be_absent() -> None:
    """Some tools leave it out, and vLLM never reads it."""

    def drop(made: Tensors) -> None:
        for name in [name for name in made if name.endswith("g_idx")]:
            del made[name]

    assert facts(changed(drop)).bits == 4


def test_a_dense_linear_in_one_layer_is_a_missing_tensor() -> None:
    """A linear that is quantised elsewhere must be quantised here."""

    def make_dense(made: Tensors) -> None:
        for part in ("qweight", "qzeros", "scales", "g_idx"):
            del made[f"{DOWN}.{part}"]
        made[f"{DOWN}.weight"] = plain(256, 512)

    reason, message = only(changed(make_dense))
    assert reason == "TensorMissing"
    assert f"{DOWN}.qweight (and 2 more)" in message
    rule = Recipe(quantization={"dynamic": {rf"-:{DOWN}": {}}})
    assert facts(changed(make_dense, rule)).bits == 4


def test_missing_layers_are_named() -> None:
    """A model with fewer layers than declared is refused with the first missing one."""
    contents = tensors(Recipe(layers=3))
    reason, message = only(evidence(contents=contents))
    assert reason == "TensorMissing"
    assert "layer 3 of model.layers" in message
    assert "1 of 4" in message


@pytest.mark.parametrize(
    ("name", "named"),
    [("model.embed_tokens.weight", "embed_tokens"), ("model.norm.weight", "model.norm.weight")],
)
def test_the_ends_of_the_model_must_exist(name: str, named: str) -> None:
    """Embedding and final norm are missed although no other layer has them."""
    reason, message = only(changed(lambda made: made.pop(name)))
    assert reason == "TensorMissing"
    assert named in message


def test_a_declared_quantised_head_must_be_quantised() -> None:
    """With lm_head: true the head's packed tensors are expected and reported."""
    recipe = Recipe(quantization={"lm_head": True})
    reason, message = only(evidence(recipe))
    assert reason == "TensorMissing"
    assert "lm_head.qweight" in message


def test_foreign_types_are_refused() -> None:
    """A layout with other types is not GPTQ's."""

    def cast(made: Tensors) -> None:
        old = made[f"{DOWN}.scales"]
        made[f"{DOWN}.scales"] = Tensor("F32", old.shape, old.data * 2)

    reason, message = only(changed(cast))
    assert reason == "ShapesDisagree"
    assert f"{DOWN}.scales has type F32, where GPTQ has F16 or BF16" in message


def test_types_that_vllm_reads_are_accepted() -> None:
    """Scales in bfloat16 and groups in 64 bits are GPTQ's too."""

    def cast(made: Tensors) -> None:
        scales, index = made[f"{DOWN}.scales"], made[f"{DOWN}.g_idx"]
        made[f"{DOWN}.scales"] = Tensor("BF16", scales.shape, scales.data)
        made[f"{DOWN}.g_idx"] = Tensor("I64", index.shape, index.data * 2)

    assert facts(changed(cast)).bits == 4


def test_contradicting_shapes_are_refused() -> None:
    """Scales of another width than the weights cannot belong to them."""

    def narrow(made: Tensors) -> None:
        old = made[f"{DOWN}.scales"]
        made[f"{DOWN}.scales"] = Tensor("F16", (old.shape[0], 128), old.data[: len(old.data) // 2])

    reason, message = only(changed(narrow))
    assert reason == "ShapesDisagree"
    assert f"of {DOWN} contradict each other" in message


def test_numbers_of_another_model_are_refused() -> None:
    """A config whose sizes do not make the shapes belongs to another model."""
    found = verdict(evidence(Recipe(config={"intermediate_size": 768})))
    assert {reason for reason, _ in found} == {"ShapesDisagree"}
    assert "down_proj (and 3 more) is 512 x 256, but config.json makes it 768 x 256" in found[0][1]
    reason, message = only(evidence(Recipe(config={"vocab_size": 500})))
    assert reason == "ShapesDisagree"
    assert "model.embed_tokens.weight is 512 x 256, but config.json makes it 500 x 256" in message


def test_fused_linears_must_agree() -> None:
    """q, k and v are one matrix in vLLM, so one cannot have other bits."""
    wide = tensors(Recipe(bits=8))

    def mix(made: Tensors) -> None:
        for part in ("qweight", "qzeros", "scales", "g_idx"):
            made[f"model.layers.0.self_attn.v_proj.{part}"] = wide[
                f"model.layers.0.self_attn.v_proj.{part}"
            ]

    recipe = Recipe(quantization={"dynamic": {r"model\.layers\.0\.self_attn\.v": {"bits": 8}}})
    reason, message = only(changed(mix, recipe))
    assert reason == "ShapesDisagree"
    assert "model.layers.0.self_attn.q_proj/k_proj/v_proj" in message


def test_unquantised_weights_under_a_gptq_config_are_refused() -> None:
    """A config alone does not make a quantised checkpoint."""
    contents = {
        name: tensor for name, tensor in tensors().items() if name.endswith((".weight", ".bias"))
    }
    reason, message = only(evidence(contents=contents))
    assert reason == "NotGptq"
    assert "no layer has a qweight" in message


def test_missing_files_are_told_apart() -> None:
    """No config, no weights and no tokenizer have a reason each."""
    assert only(evidence(without=("config.json",)))[0] == "ConfigMissing"
    assert only(evidence(files={"config.json": b"{"}))[0] == "ConfigInvalid"
    assert only(evidence(without=("tokenizer.json",)))[0] == "TokenizerMissing"
    reason, message = only(evidence(without=(SINGLE,), files={"pytorch_model.bin": b"x"}))
    assert reason == "WeightsMissing"
    assert "pytorch_model.bin" in message


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (safetensors(tensors())[:1_000_000], "ShardTruncated"),
        (b"", "ShardTruncated"),
        (b"\xa5" * 4096 + safetensors(tensors())[4096:], "ShardDamaged"),
    ],
)
def test_damaged_weights_are_one_problem(content: bytes, reason: str) -> None:
    """A damaged file is named once; what its tensors would say is not repeated."""
    found, message = only(evidence(files={SINGLE: content}))
    assert found == reason
    assert message.startswith(f"{SINGLE} is ")


def test_shards_are_held_to_the_index() -> None:
    """A missing shard, a missing tensor and a broken index are told apart."""
    names = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    contents = list(tensors().items())
    halves = [dict(contents[::2]), dict(contents[1::2])]
    files = {name: safetensors(half) for name, half in zip(names, halves, strict=True)}
    weight_map = {tensor: name for name, half in zip(names, halves, strict=True) for tensor in half}
    index = {"metadata": {"total_size": 1}, "weight_map": weight_map}
    sharded = {**files, INDEX: json.dumps(index).encode()}
    sound = evidence(files=sharded, without=(SINGLE,))
    assert "total_size: 1" in facts(sound).warnings[0]
    assert facts(sound).files == 2
    assert only(evidence(files=sharded, without=(SINGLE, names[1]))) == (
        "ShardMissing",
        f"{names[1]} is missing (1 of 2 weight files); copy or upload the missing files",
    )
    index["weight_map"] = {**weight_map, "model.extra.weight": names[0]}
    reason, message = only(
        evidence(files={**sharded, INDEX: json.dumps(index).encode()}, without=(SINGLE,))
    )
    assert reason == "TensorMissing"
    assert f"{names[0]} does not hold model.extra.weight" in message
    assert only(evidence(files={INDEX: b"{"}))[0] == "ConfigInvalid"


def test_several_problems_are_all_counted() -> None:
    """One report names all that is wrong, so that it can be mended at once."""
    seen = evidence(Recipe(quantization={"bits": 3, "sym": False}), without=("tokenizer.json",))
    assert [reason for reason, _ in verdict(seen)] == [
        "UnsupportedBits",
        "UnsupportedSymmetry",
        "ShapesDisagree",
        "TokenizerMissing",
    ]


def test_remarks_are_warnings() -> None:
    """What can be served all the same is a warning."""
    recipe = Recipe(config={"auto_map": {"AutoModel": "x"}})
    found = facts(evidence(recipe, without=("tokenizer_config.json",)))
    assert not found.has_chat_template
    text = " ".join(found.warnings)
    for words in ("no chat template", "tokenizer_config.json", "auto_map"):
        assert words in text
