"""What a tool forgot in all layers alike is missed where the family is known."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from checkpoint_headers import Shapes, as_evidence, header_set, linear, model_tensors, plain
from published_models import PUBLISHED
from quantized_model_operator.domain.checkpoint_inspection import inspect_checkpoint

if TYPE_CHECKING:
    from quantized_model_operator.domain.checkpoint import CheckpointProblem

LAYERS, EXPERTS = 2, 3
REPOSITORIES = {
    "qwen2": "Qwen/Qwen2-7B-Instruct",
    "qwen3": "Qwen/Qwen3-8B",
    "llama": "meta-llama/Llama-3.1-8B-Instruct",
    "mistral": "mistralai/Mistral-7B-Instruct-v0.3",
    "gemma2": "google/gemma-2-2b-it",
    "gemma3_text": "google/gemma-3-1b-it",
    "gemma3": "google/gemma-3-4b-it",
    "phi3": "microsoft/phi-4",
    "mixtral": "mistralai/Mixtral-8x7B-Instruct-v0.1",
    "qwen2_moe": "Qwen/Qwen1.5-MoE-A2.7B-Chat",
    "qwen3_moe": "Qwen/Qwen3-30B-A3B",
}


@cache
def config(family: str) -> dict[str, Any]:
    """The config of a model of the family with two layers and three experts."""
    made = dict(PUBLISHED[REPOSITORIES[family]].config)
    few = {"num_hidden_layers": LAYERS}
    few |= {key: EXPERTS for key in ("num_experts", "num_local_experts") if key in made}
    if "text_config" in made:
        return {**made, "text_config": {**made["text_config"], **few}}
    return {**made, **few}


@cache
def tensors(family: str) -> Shapes:
    """Its tensors."""
    return model_tensors(config(family))


def problems(family: str, made: Shapes, **changes: object) -> tuple[CheckpointProblem, ...]:
    """What is found in a checkpoint with these tensors."""
    headers = header_set({**config(family), **changes}, made)
    return inspect_checkpoint(as_evidence(headers)).problems


def kinds(family: str) -> list[str]:
    """Names of tensors inside layers, without the number of layer and expert."""
    names = (name.partition(".layers.")[2].partition(".")[2] for name in tensors(family))
    return sorted({re.sub(r"experts\.\d+", "experts.N", name) for name in names if name})


@pytest.mark.parametrize("family", REPOSITORIES)
def test_a_small_model_of_the_family_is_sound(family: str) -> None:
    """Nothing is missed in a whole checkpoint."""
    assert problems(family, tensors(family)) == ()


@pytest.mark.parametrize("family", REPOSITORIES)
def test_a_tensor_that_all_layers_lack_is_missed(family: str) -> None:
    """Whatever tensor but g_idx is left out everywhere, the checkpoint is refused with its name."""
    for kind in kinds(family):
        if kind.endswith("g_idx"):
            continue
        inner = re.escape(kind).replace("N", r"\d+")
        pattern = re.compile(rf".*\.layers\.\d+\.{inner}$")
        left = {name: tensor for name, tensor in tensors(family).items() if not pattern.match(name)}
        assert len(left) < len(tensors(family)), kind
        found = problems(family, left)
        assert found, kind
        assert {problem.reason for problem in found} == {"TensorMissing"}, kind
        assert kind.partition(".experts")[0].rpartition(".")[0] in found[0].message, kind


@pytest.mark.parametrize("family", ["llama", "qwen3", "gemma2"])
def test_biases_that_the_config_adds_are_missed(family: str) -> None:
    """With attention_bias q, k and v have a bias in vLLM, which nothing would fill."""
    biases = {
        name: tensor
        for layer in range(LAYERS)
        for part in ("q", "k", "v")
        for name, tensor in plain(
            f"model.layers.{layer}.self_attn.{part}_proj.bias",
            tensors(family)[f"model.layers.{layer}.self_attn.{part}_proj.scales"].shape[1],
        ).items()
    }
    assert problems(family, tensors(family) | biases, attention_bias=True) == ()
    (problem,) = problems(family, tensors(family), attention_bias=True)
    assert problem.reason == "TensorMissing"
    assert "self_attn.k_proj.bias (and 5 more)" in problem.message


@pytest.mark.parametrize("family", ["qwen2", "qwen3"])
def test_windows_in_some_layers_are_refused_where_vllm_asserts(family: str) -> None:
    """Qwen 2 and 3 have a window in all layers or in none; Gemma mixes them."""
    window = {"sliding_window": 4096, "use_sliding_window": True}
    assert problems(family, tensors(family), **window, max_window_layers=0) == ()
    assert problems(family, tensors(family), **window, max_window_layers=LAYERS) == ()
    (problem,) = problems(family, tensors(family), **window, max_window_layers=1)
    assert problem.reason == "ConfigInvalid"
    assert "gives 1 of 2 layers an attention window" in problem.message


@pytest.mark.parametrize("family", ["mixtral", "qwen2_moe", "qwen3_moe"])
def test_experts_are_as_many_as_declared(family: str) -> None:
    """One expert fewer in every layer is missed, one more has no place in vLLM."""
    key = "num_local_experts" if family == "mixtral" else "num_experts"
    (fewer,) = problems(family, tensors(family), **{key: EXPERTS + 1})
    assert fewer.reason == "TensorMissing"
    assert f"experts.{EXPERTS}.* (and {LAYERS - 1} more)" in fewer.message
    (more,) = problems(family, tensors(family), **{key: EXPERTS - 1})
    assert more.reason == "ShapesDisagree"
    assert (
        f"experts.{EXPERTS - 1} (and {LAYERS - 1} more) is more than the 2 experts" in more.message
    )


@pytest.mark.parametrize(
    "changes", [{"decoder_sparse_step": 2}, {"mlp_only_layers": [0]}, {"mlp_only_layers": [0, 1]}]
)
def test_experts_are_where_the_config_says(changes: dict[str, Any]) -> None:
    """A layer with experts where config.json declares none ends vLLM, and so does the reverse."""
    matching = {**config("qwen3_moe"), **changes}
    assert inspect_checkpoint(as_evidence(header_set(matching, model_tensors(matching)))).facts
    (problem,) = problems("qwen3_moe", tensors("qwen3_moe"), **changes)
    assert problem.reason == "ShapesDisagree"
    assert "model.layers.0" in problem.message
    assert "decoder_sparse_step, mlp_only_layers" in problem.message
    (reverse,) = inspect_checkpoint(
        as_evidence(header_set(config("qwen3_moe"), model_tensors(matching)))
    ).problems
    assert reverse.reason == "ShapesDisagree"


def test_a_mixture_without_a_shared_expert_is_sound() -> None:
    """Where its size is 0 nothing of it is missed, but the gate that vLLM has all the same."""
    changes = {"shared_expert_intermediate_size": 0}
    left = {name: t for name, t in tensors("qwen2_moe").items() if ".shared_expert." not in name}
    assert problems("qwen2_moe", left, **changes) == ()
    without_gate = {name: t for name, t in left.items() if ".shared_expert_gate." not in name}
    (problem,) = problems("qwen2_moe", without_gate, **changes)
    assert "shared_expert_gate" in problem.message


@pytest.mark.parametrize("family", ["mixtral", "qwen2_moe", "qwen3_moe"])
def test_experts_have_the_size_of_the_config(family: str) -> None:
    """An expert size of another model is told with both sizes."""
    key = "intermediate_size" if family == "mixtral" else "moe_intermediate_size"
    found = problems(family, tensors(family), **{key: 1024})
    assert {problem.reason for problem in found} == {"ShapesDisagree"}
    assert "experts.0" in found[0].message
    assert "but config.json makes it" in found[0].message


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda name, k, n: linear(name, k, n, bits=8), "holds 8-bit weights"),
        (lambda name, k, n: linear(name, k, n, group_size=64), "group_size 64"),
        (lambda name, k, n: plain(f"{name}.weight", n, k), "no safetensors file holds"),
    ],
    ids=["8 bits", "group size 64", "unquantised"],
)
def test_one_expert_of_another_kind_is_named(change: Any, sentence: str) -> None:  # noqa: ANN401
    """All experts of a layer are one tensor in vLLM, so that none may differ."""
    expert = "model.layers.1.mlp.experts.1.down_proj"
    made = {
        name: tensor
        for name, tensor in tensors("qwen3_moe").items()
        if not name.startswith(f"{expert}.")
    }
    found = problems("qwen3_moe", made | change(expert, 768, 2048))
    assert found
    assert sentence in found[0].message
    assert expert in found[0].message


def test_experts_in_two_kinds_are_told_even_where_rules_allow_it() -> None:
    """A rule for single experts cannot help: vLLM looks up all experts of a layer as one."""
    expert = "model.layers.1.mlp.experts.1.down_proj"
    made = tensors("qwen3_moe") | linear(expert, 768, 2048, bits=8)
    headers = header_set(config("qwen3_moe"), made)
    rules = {r".*\.1\.mlp\.experts\.1\.down_proj": {"bits": 8}}
    headers.config["quantization_config"]["dynamic"] = rules
    found = inspect_checkpoint(as_evidence(headers)).problems
    assert "looks for the module experts" in found[0].message
    assert "model.layers.1.mlp.experts is not quantised alike" in found[1].message


def test_all_experts_may_differ_from_the_attention() -> None:
    """A rule that reaches the experts of all layers gives them bits of their own."""
    made = tensors("qwen3_moe") | {
        name: tensor
        for expert in range(EXPERTS)
        for layer in range(LAYERS)
        for part, shape in {"gate": (2048, 768), "up": (2048, 768), "down": (768, 2048)}.items()
        for name, tensor in linear(
            f"model.layers.{layer}.mlp.experts.{expert}.{part}_proj", *shape, bits=8
        ).items()
    }
    headers = header_set(config("qwen3_moe"), made)
    headers.config["quantization_config"]["dynamic"] = {r".*\.experts": {"bits": 8}}
    report = inspect_checkpoint(as_evidence(headers))
    assert report.problems == ()
    assert report.facts is not None
    assert {(item.kind, item.bits) for item in report.facts.linears} == {
        ("dense", 4),
        ("expert", 8),
    }
