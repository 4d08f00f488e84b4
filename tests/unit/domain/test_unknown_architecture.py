"""An architecture that nobody knows is planned from the shapes of its tensors, with a warning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from checkpoint_headers import Shapes, as_evidence, header_set, linear, plain
from quantized_model_operator.domain.checkpoint_inspection import inspect_checkpoint
from quantized_model_operator.domain.linear_layers import linear_layers
from quantized_model_operator.domain.serving_plan import ServingPlan, plan_serving
from unit.domain.model_shapes import L4, gpu_request

if TYPE_CHECKING:
    from quantized_model_operator.domain.checkpoint import CheckpointFacts, InspectionReport

HIDDEN, KEYS, INNER, VOCABULARY, LAYERS = 2048, 512, 6144, 50_048, 6
USUAL: dict[str, Any] = {
    "architectures": ["OtterForCausalLM"],
    "model_type": "otter",
    "hidden_size": HIDDEN,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 16,
    "num_key_value_heads": 4,
    "vocab_size": VOCABULARY,
    "max_position_embeddings": 4096,
    "tie_word_embeddings": False,
}
OWN: dict[str, Any] = {
    "architectures": ["OtterForCausalLM"],
    "model_type": "otter",
    "width": HIDDEN,
    "depth": LAYERS,
}


def otter(*, head: bool = True) -> Shapes:
    """Invented modules under invented names."""
    made = plain("trunk.token_table.weight", VOCABULARY, HIDDEN)
    for number in range(LAYERS):
        layer = f"trunk.blocks.{number}"
        made |= linear(f"{layer}.mixer.ask", HIDDEN, HIDDEN)
        made |= linear(f"{layer}.mixer.wk", HIDDEN, KEYS) | linear(
            f"{layer}.mixer.wv", HIDDEN, KEYS
        )
        made |= linear(f"{layer}.mixer.join", HIDDEN, HIDDEN)
        made |= linear(f"{layer}.swish.left", HIDDEN, INNER)
        made |= linear(f"{layer}.swish.right", HIDDEN, INNER)
        made |= linear(f"{layer}.swish.back", INNER, HIDDEN)
        made |= plain(f"{layer}.scale_a.weight", HIDDEN) | plain(f"{layer}.scale_b.weight", HIDDEN)
    made |= plain("trunk.last_scale.weight", HIDDEN)
    return made | (plain("speak.weight", VOCABULARY, HIDDEN) if head else {})


def report(config: dict[str, Any], tensors: Shapes) -> InspectionReport:
    """The verdict on the invention."""
    return inspect_checkpoint(as_evidence(header_set(config, tensors)))


def facts(config: dict[str, Any], tensors: Shapes) -> CheckpointFacts:
    """Its facts; fails the test when it is refused."""
    found = report(config, tensors)
    assert found.facts is not None, found.problems
    return found.facts


@pytest.mark.parametrize("config", [USUAL, OWN], ids=["usual names", "own names"])
def test_it_is_sound_with_a_warning(config: dict[str, Any]) -> None:
    """Sizes are told by the tensors where config.json does not use the usual names."""
    found = facts(config, otter())
    assert (found.hidden_size, found.layers, found.vocabulary) == (HIDDEN, LAYERS, VOCABULARY)
    assert not found.tied_embeddings
    (warning,) = found.warnings
    assert "does not know the architecture OtterForCausalLM" in warning


def test_its_linears_are_those_of_its_tensors() -> None:
    """Every kind of linear has its shape, its number, and the stricter way of splitting it."""
    rows = [
        (item.name, item.in_features, item.out_features, item.row_parallel, item.count)
        for item in linear_layers(facts(USUAL, otter()))
    ]
    assert rows == [
        ("ask", HIDDEN, HIDDEN, True, LAYERS),
        ("back", INNER, HIDDEN, True, LAYERS),
        ("join", HIDDEN, HIDDEN, True, LAYERS),
        ("left", HIDDEN, INNER, False, LAYERS),
        ("right", HIDDEN, INNER, False, LAYERS),
        ("wk", HIDDEN, KEYS, False, LAYERS),
        ("wv", HIDDEN, KEYS, False, LAYERS),
    ]


def test_without_heads_it_is_one_head_as_wide_as_its_keys() -> None:
    """The KV cache is exact, and only one GPU is legal, since nothing tells how to split."""
    found = facts(OWN, otter())
    assert (found.heads, found.kv_heads, found.head_size) == (1, 1, KEYS)


def test_without_keys_either_it_is_as_wide_as_the_model() -> None:
    """Where no name tells which linears are keys, the KV cache is planned at its largest."""
    renamed = {
        name.replace(".wk.", ".a.").replace(".wv.", ".b."): item for name, item in otter().items()
    }
    assert facts(OWN, renamed).head_size == HIDDEN


def test_an_absent_head_of_a_silent_config_is_the_embedding() -> None:
    """Where neither config nor tensors tell of a head, the embeddings count as tied."""
    assert facts(OWN, otter(head=False)).tied_embeddings
    assert not facts(OWN, otter()).tied_embeddings
    renamed = {
        name.replace(".swish.back.", ".swish.output."): item
        for name, item in otter(head=False).items()
    }
    assert facts(OWN, renamed).tied_embeddings  # a linear of a layer is no head


@pytest.mark.parametrize("config", [USUAL, OWN], ids=["usual names", "own names"])
def test_it_is_planned(config: dict[str, Any]) -> None:
    """It gets a whole plan on a GPU, with the warning in it."""
    plan = plan_serving(facts(config, otter()), gpu_request(), [L4])
    assert isinstance(plan, ServingPlan), plan
    assert plan.tensor_parallel_size == 1
    assert plan.kv_cache_tokens > 0


@pytest.mark.parametrize(
    ("lost", "named"),
    [
        ("trunk.blocks.3.swish.back.scales", "trunk.blocks.3.swish.back.scales"),
        ("trunk.blocks.2.swish", "trunk.blocks.2.swish"),
        ("trunk.blocks.4", "layer 4 of trunk.blocks"),
        ("trunk.token_table", "embed_tokens"),
    ],
)
def test_damage_is_found_all_the_same(lost: str, named: str) -> None:
    """Gaps show by comparing layers, whatever the names are."""
    tensors = otter(head=False)
    left = {
        name: tensor for name, tensor in tensors.items() if not f"{name}.".startswith(f"{lost}.")
    }
    problems = report(OWN, left).problems
    assert {problem.reason for problem in problems} == {"TensorMissing"}
    assert named in problems[0].message
