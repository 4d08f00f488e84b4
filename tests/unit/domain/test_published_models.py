"""Published models of all families, quantised: their facts, against numbers published or counted.

The tensors are written out from each family's layout by ``checkpoint_headers``; the counts of
parameters are those that the hub shows, so shapes and arithmetic are held to an outside number.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import pytest

from checkpoint_headers import as_evidence, header_set, linear, model_tensors, plain
from published_models import PUBLISHED
from quantized_model_operator.domain.checkpoint import (
    REPORT_LIMIT_BYTES,
    InspectionReport,
    report_from_json,
    report_to_json,
)
from quantized_model_operator.domain.checkpoint_inspection import inspect_checkpoint
from quantized_model_operator.domain.linear_layers import (
    all_linears,
    linear_layers,
    rank_layers,
)
from quantized_model_operator.domain.tensor_facts import MixtureOfExperts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from checkpoint_headers import Shapes
    from quantized_model_operator.domain.checkpoint import CheckpointFacts
    from quantized_model_operator.domain.tensor_facts import TensorBytes

LARGEST = "Qwen/Qwen3-30B-A3B"
MOE = "Qwen/Qwen1.5-MoE-A2.7B-Chat"
MIXTRAL = "mistralai/Mixtral-8x7B-Instruct-v0.1"


@cache
def tensors(name: str) -> Shapes:
    """All tensors of a published model in 4 bits, groups of 128."""
    return model_tensors(PUBLISHED[name].config)


@cache
def facts(name: str) -> CheckpointFacts:
    """The facts of a published model quantised to 4 bits."""
    return inspected(PUBLISHED[name].config, tensors(name), shards=4)


def inspected(
    config: Mapping[str, object],
    made: Shapes,
    bits: int = 4,
    group_size: int = 128,
    shards: int = 1,
) -> CheckpointFacts:
    """The facts of a sound checkpoint."""
    headers = header_set(config, made, bits=bits, group_size=group_size, shards=shards)
    report = inspect_checkpoint(as_evidence(headers))
    assert report.problems == ()
    assert report.facts is not None
    return report.facts


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameters_are_those_published(name: str) -> None:
    """Counted from headers, the parameters are exactly those that the hub shows for the model."""
    assert facts(name).parameters == PUBLISHED[name].parameters
    assert facts(name).warnings == ()


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_numbers_make_the_linears(name: str) -> None:
    """No family needs its linears recorded, and together they hold all quantised weights."""
    assert facts(name).linears == ()
    counted = sum(
        item.count * item.in_features * item.out_features for item in linear_layers(facts(name))
    )
    packed = (tensor for key, tensor in tensors(name).items() if key.endswith("qweight"))
    assert counted == sum(8 * tensor.shape[0] * tensor.shape[1] for tensor in packed)
    assert all(layer.quantized for layer in all_linears(facts(name)))


@pytest.mark.parametrize("name", PUBLISHED)
def test_bytes_by_class_cover_everything_once(name: str) -> None:
    """The classes add up to the data of all tensors, and what is not read to its tensors."""
    held = classes(facts(name))
    assert held.total_bytes == sum(tensor.size for tensor in tensors(name).values())
    zeros = held.zeros_bytes + held.expert_zeros_bytes
    assert zeros == sum(item.size for key, item in tensors(name).items() if key.endswith("qzeros"))
    index = held.index_bytes + held.expert_index_bytes
    assert index == sum(item.size for key, item in tensors(name).items() if key.endswith("g_idx"))
    assert held.dense_bytes == held.outside_bytes == 0


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_report_survives_its_journey(name: str) -> None:
    """Written and read again, the facts are the same, far below the limit of the message."""
    text = report_to_json(InspectionReport(facts=facts(name)))
    assert report_from_json(text).facts == facts(name)
    assert len(text) < REPORT_LIMIT_BYTES // 2


def test_the_classes_of_a_7b_are_as_counted_by_hand() -> None:
    """Embedding, head, linears, norms and biases of a Qwen2 7B have the bytes of its shapes."""
    held = classes(facts("Qwen/Qwen2-7B-Instruct"))
    assert held.embedding_bytes == held.head_bytes == 152_064 * 3584 * 2
    biases = 28 * (3584 + 2 * 512) * 2
    weights, groups = 6_525_288_448, 6_525_288_448 // 128
    rows = 28 * (6 * 3584 + 18944)
    assert held.linear_bytes == weights // 2 + groups * 2 + groups // 2 + rows * 4 + biases
    assert (held.zeros_bytes, held.index_bytes) == (groups // 2, rows * 4)
    assert held.whole_bytes == (2 * 28 + 1) * 3584 * 2
    assert held.expert_bytes == 0


def test_the_classes_of_experts_are_as_counted_by_hand() -> None:
    """Experts and routers of Mixtral are told apart from its attention."""
    held = classes(facts(MIXTRAL))
    weights = 32 * 8 * 3 * 4096 * 14336
    rows = 32 * 8 * (2 * 4096 + 14336)
    assert held.expert_bytes == weights // 2 + weights // 128 * 2 + weights // 256 + rows * 4
    assert held.expert_zeros_bytes == weights // 256
    assert held.expert_index_bytes == rows * 4
    assert held.whole_bytes == (32 * 8 * 4096 + (2 * 32 + 1) * 4096) * 2


@pytest.mark.parametrize(
    ("name", "window", "full"),
    [
        ("mistralai/Mistral-7B-Instruct-v0.1", 4096, 0),
        ("mistralai/Mistral-7B-Instruct-v0.3", 0, 0),
        ("google/gemma-2-9b-it", 4096, 21),
        ("google/gemma-3-1b-it", 512, 4),
        ("google/gemma-3-4b-it", 1024, 5),
        ("microsoft/Phi-3-mini-4k-instruct", 2047, 0),
        ("Qwen/Qwen2-7B-Instruct", 0, 0),
    ],
)
def test_windows_are_those_of_the_family(name: str, window: int, full: int) -> None:
    """Gemma 2 forgets in every other layer, Gemma 3 in five of six, Qwen nowhere."""
    assert (facts(name).sliding_window, facts(name).full_attention_layers) == (window, full)


@pytest.mark.parametrize(
    ("name", "length"),
    [
        ("meta-llama/Llama-3.1-8B-Instruct", 131_072),
        ("google/gemma-3-4b-it", 131_072),
        ("deepseek-ai/DeepSeek-R1-Distill-Qwen-7B", 131_072),
        ("microsoft/phi-4", 16_384),
    ],
)
def test_scaled_positions_are_not_scaled_again(name: str, length: int) -> None:
    """Models published with scaled positions state the scaled length already."""
    assert facts(name).max_model_length == length


@pytest.mark.parametrize(
    ("name", "mixture"),
    [
        (MIXTRAL, (8, 2, 14_336, 0, 32)),
        (MOE, (60, 4, 1408, 5632, 24)),
        (LARGEST, (128, 8, 768, 0, 48)),
    ],
)
def test_experts_are_those_of_the_config(name: str, mixture: tuple[int, ...]) -> None:
    """Experts, experts per token, their size, that of the shared one, and sparse layers."""
    experts, per_token, size, shared, layers = mixture
    assert facts(name).mixture == MixtureOfExperts(
        experts=experts,
        experts_per_token=per_token,
        expert_intermediate_size=size,
        shared_intermediate_size=shared,
        sparse_layers=layers,
    )


def test_linears_of_a_mixture_are_told_apart() -> None:
    """Attention, shared expert and routed experts of Qwen1.5-MoE, whole and on one of two ranks."""
    assert [
        (item.name, item.in_features, item.out_features, item.kind, item.count)
        for item in linear_layers(facts(MOE))
    ] == [
        ("qkv_proj", 2048, 3 * 2048, "dense", 24),
        ("o_proj", 2048, 2048, "dense", 24),
        ("shared_expert.gate_up_proj", 2048, 2 * 5632, "dense", 24),
        ("shared_expert.down_proj", 5632, 2048, "dense", 24),
        ("experts.gate_up_proj", 2048, 2 * 1408, "expert", 24 * 60),
        ("experts.down_proj", 1408, 2048, "expert", 24 * 60),
    ]
    assert [(item.in_features, item.out_features) for item in rank_layers(facts(MOE), 2)] == [
        (2048, 3 * 1024),
        (1024, 2048),
        (2048, 5632),
        (2816, 2048),
        (2048, 1408),
        (704, 2048),
    ]


def test_dense_layers_among_sparse_ones_are_counted() -> None:
    """With every second layer sparse and one more dense by name, both kinds have their linears."""
    config = {
        **PUBLISHED[LARGEST].config,
        "num_hidden_layers": 6,
        "num_experts": 4,
        "decoder_sparse_step": 2,
        "mlp_only_layers": [3],
    }
    found = inspected(config, model_tensors(config))
    assert found.linears == ()
    assert found.mixture is not None
    assert found.mixture.sparse_layers == 2
    counts = {item.name: item.count for item in linear_layers(found)}
    assert counts == {
        "qkv_proj": 6,
        "o_proj": 6,
        "gate_up_proj": 4,
        "down_proj": 4,
        "experts.gate_up_proj": 8,
        "experts.down_proj": 8,
    }


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("group_size", [-1, 32, 128])
def test_fused_files_give_the_same_linears(bits: int, group_size: int) -> None:
    """Phi-3, fused in its files, and a Llama of the same numbers have the same linears."""
    phi = {**PUBLISHED["microsoft/Phi-3-mini-4k-instruct"].config, "num_hidden_layers": 2}
    llama = {**phi, "architectures": ["LlamaForCausalLM"], "model_type": "llama"}
    fused = inspected(phi, model_tensors(phi, bits, group_size), bits, group_size)
    apart = inspected(llama, model_tensors(llama, bits, group_size), bits, group_size)
    assert linear_layers(fused) == linear_layers(apart)
    assert {(item.bits, item.group_size) for item in linear_layers(fused)} == {(bits, group_size)}


def test_a_tower_beside_the_language_model_is_counted_apart() -> None:
    """Gemma 3's vision tower and projector are outside, whatever their names have in common."""
    name = "google/gemma-3-4b-it"
    tower = plain("vision_tower.vision_model.encoder.layers.0.self_attn.q_proj.weight", 1152, 1152)
    tower |= plain("multi_modal_projector.mm_input_projection_weight", 1152, 2560)
    tower |= plain("vision_tower.vision_model.embeddings.position_embedding.weight", 4096, 1152)
    found = inspected(PUBLISHED[name].config, tensors(name) | tower)
    held = classes(found)
    assert held.outside_bytes == sum(tensor.size for tensor in tower.values())
    assert held.embedding_bytes == 262_208 * 2560 * 2
    assert found.linears == ()
    assert found.architecture == "Gemma3ForConditionalGeneration"


def classes(found: CheckpointFacts) -> TensorBytes:
    """The bytes by class of a checkpoint that has them."""
    assert found.tensor_bytes is not None
    return found.tensor_bytes


def test_linears_left_unquantised_are_recorded() -> None:
    """Where one layer's down_proj stays in 16 bits, it is counted apart and the rest remains."""
    config = {**PUBLISHED["Qwen/Qwen3-8B"].config, "num_hidden_layers": 3}
    made = model_tensors(config)
    down = "model.layers.2.mlp.down_proj"
    made = {key: tensor for key, tensor in made.items() if not key.startswith(f"{down}.")}
    made |= plain(f"{down}.weight", 4096, 12288)
    headers = header_set(config, made)
    rules: dict[str, dict[str, object]] = {"dynamic": {rf"-:{down}": {}}}
    headers.config["quantization_config"].update(rules)
    report = inspect_checkpoint(as_evidence(headers))
    assert report.facts is not None, report.problems
    (left,) = (item for item in all_linears(report.facts) if not item.quantized)
    assert (left.name, left.in_features, left.out_features, left.count) == (
        "down_proj",
        12288,
        4096,
        1,
    )
    assert (left.bits, left.group_size, left.row_parallel) == (16, -1, True)
    assert {item.name: item.count for item in linear_layers(report.facts)}["down_proj"] == 2
    assert classes(report.facts).dense_bytes == 12288 * 4096 * 2
    assert report_from_json(report_to_json(report)) == report


def test_a_linear_of_other_bits_has_its_own_row() -> None:
    """Rules that give a whole layer 8 bits show in bits and counts of the linears."""
    config = {**PUBLISHED["Qwen/Qwen3-8B"].config, "num_hidden_layers": 3}
    layer = "model.layers.1.self_attn"
    made = model_tensors(config)
    for name, outputs in (("q", 4096), ("k", 1024), ("v", 1024)):
        made |= linear(f"{layer}.{name}_proj", 4096, outputs, 8, 64)
    made |= linear(f"{layer}.o_proj", 4096, 4096, 8, 64)
    headers = header_set(config, made)
    rules = {"dynamic": {r".*\.1\.self_attn": {"bits": 8, "group_size": 64}}}
    headers.config["quantization_config"].update(rules)
    report = inspect_checkpoint(as_evidence(headers))
    assert report.facts is not None, report.problems
    found = {
        (item.name, item.bits, item.group_size): item.count for item in linear_layers(report.facts)
    }
    assert found == {
        ("qkv_proj", 4, 128): 2,
        ("qkv_proj", 8, 64): 1,
        ("o_proj", 4, 128): 2,
        ("o_proj", 8, 64): 1,
        ("gate_up_proj", 4, 128): 3,
        ("down_proj", 4, 128): 3,
    }
