"""Which kernel computes the experts of a sparse layer, against the rules of vLLM's sources."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantized_model_operator.domain.engine_version import EngineVersion
from quantized_model_operator.domain.expert_kernels import (
    SMALLEST_GROUP_SIZE,
    ExpertShape,
    expert_kernel,
    expert_shape,
    fallback_group_size,
    marlin_takes,
)
from quantized_model_operator.domain.expert_parallel import with_whole_experts
from quantized_model_operator.domain.kernels import gpu_kernels
from quantized_model_operator.domain.linear_layers import LinearLayer, linear_layers, rank_layers
from quantized_model_operator.domain.serving_plan import ServingPlan, plan_serving
from quantized_model_operator.domain.tensor_parallel import legal_sizes, tensor_parallel_verdict
from unit.domain.model_shapes import H100, QWEN2_7B_INT4, changed, gpu_refused, gpu_request
from unit.domain.rule_pairs import MOE, experts

if TYPE_CHECKING:
    from quantized_model_operator.domain.checkpoint import CheckpointFacts

V24, V25, V32, V33 = (EngineVersion(0, minor) for minor in (24, 25, 32, 33))


def down(intermediate_size: int, *, group_size: int = 128, hidden_size: int = 2048) -> LinearLayer:
    """The down projection of one expert on one rank."""
    return LinearLayer(
        name="experts.down_proj",
        in_features=intermediate_size,
        out_features=hidden_size,
        row_parallel=True,
        kind="expert",
        bits=4,
        group_size=group_size,
    )


@pytest.mark.parametrize(
    ("hidden_size", "intermediate_size", "group_size", "version", "kernel"),
    [
        (2048, 1408, 128, V33, "Marlin MoE"),
        (2048, 704, 128, V33, "Triton MoE"),
        (2048, 352, 128, V33, "Triton MoE"),
        (2048, 176, 128, V33, None),
        (2048, 704, 64, V33, "Marlin MoE"),
        (2048, 96, 32, V25, "Marlin MoE"),
        (2048, 96, 32, V24, "Triton MoE"),
        (2048, 100, -1, V33, "Marlin MoE"),
        (2048, 100, -1, V24, None),
        (2112, 1408, 128, V33, "Triton MoE"),
        (2112, 1408, -1, V33, None),
    ],
)
def test_shapes_and_version_decide(
    hidden_size: int,
    intermediate_size: int,
    group_size: int,
    version: EngineVersion,
    kernel: str | None,
) -> None:
    """Marlin needs hidden sizes of 128 and whole groups; Triton takes groups halved down to 32."""
    layer = down(intermediate_size, group_size=group_size, hidden_size=hidden_size)
    assert expert_kernel(layer, hidden_size, (8, 9), version) == kernel


@pytest.mark.parametrize(
    ("capability", "version", "kernel"),
    [
        ((9, 0), V33, "Humming MoE"),
        ((9, 0), V32, "Humming MoE"),
        ((9, 0), EngineVersion(0, 31), "Marlin MoE"),
        ((8, 0), V33, "Marlin MoE"),
    ],
)
def test_humming_comes_first_on_hopper(
    capability: tuple[int, int], version: EngineVersion, kernel: str
) -> None:
    """On compute capability 9.0 Humming computes the experts from vLLM 0.32 on."""
    assert expert_kernel(down(1408), 2048, capability, version) == kernel


def test_both_linears_of_an_expert_have_one_kernel() -> None:
    """Gate+up and down show the same shape, so the plan names one kernel for them."""
    for size in legal_sizes(MOE, 8):
        found = {
            expert_shape(layer, MOE.hidden_size)
            for layer in rank_layers(MOE, size)
            if layer.kind == "expert"
        }
        assert len(found) == 1


def test_the_experts_are_the_main_kernel_of_their_model() -> None:
    """A model whose weights are mostly experts is planned under their kernel."""
    choice = gpu_kernels(MOE, 1, "float16", (8, 9), V33)
    assert choice is not None
    assert choice.main == "Marlin MoE"
    assert dict(choice.by_layer)["o_proj"] == "Marlin"
    split = gpu_kernels(MOE, 2, "float16", (8, 9), V33)
    assert split is not None
    assert split.main == "Triton MoE"


def test_an_expert_too_narrow_for_any_kernel_is_refused() -> None:
    """1408 features split eightfold leave 176, where no group of 32 or more fits."""
    assert [size for size in legal_sizes(MOE, 16) if size in {1, 2, 4, 8, 16}] == [1, 2, 4]
    verdict = tensor_parallel_verdict(MOE, 8)
    assert verdict.rule == "a-kernel-takes-the-experts"
    assert "176 features" in verdict.message


@pytest.mark.parametrize(
    ("architecture", "rule"),
    [("Qwen2MoeForCausalLM", "experts-cover-the-gpus"), ("MixtralForCausalLM", "")],
)
def test_only_some_architectures_count_experts(architecture: str, rule: str) -> None:
    """More GPUs than experts are refused where vLLM refuses them; Mixtral splits each expert."""
    facts = changed(experts(experts=2, expert_intermediate_size=2048), architecture=architecture)
    assert tensor_parallel_verdict(facts, 4).rule == rule


SHAPES = st.builds(
    ExpertShape,
    hidden_size=st.integers(1, 64).map(lambda blocks: blocks * 64),
    intermediate_size=st.integers(1, 200).map(lambda blocks: blocks * 16),
    group_size=st.sampled_from([-1, 32, 64, 128]),
)


@given(SHAPES)
def test_halved_groups_divide_everything(shape: ExpertShape) -> None:
    """What the fallback ends with divides both sizes and the group size, and is 32 or more."""
    found = fallback_group_size(shape)
    if found is None:
        halves = [size for size in (128, 64, 32) if size <= shape.group_size]
        assert not any(
            shape.hidden_size % size == shape.intermediate_size % size == 0 for size in halves
        )
        return
    assert found >= SMALLEST_GROUP_SIZE
    assert shape.group_size % found == 0
    assert shape.hidden_size % found == shape.intermediate_size % found == 0


@given(SHAPES, st.sampled_from([V24, V25, V33]))
def test_newer_marlin_takes_what_older_took(shape: ExpertShape, version: EngineVersion) -> None:
    """Padding only adds shapes: what any version's Marlin takes, the newest takes too."""
    assert not marlin_takes(shape, version) or marlin_takes(shape, V33)


MODELS = st.builds(
    lambda hidden, inter, group, count: changed(
        experts(expert_intermediate_size=inter * 32, experts=count),
        hidden_size=hidden * 128,
        heads=hidden * 2,
        kv_heads=hidden * 2,
        head_size=64,
        group_size=group,
    ),
    hidden=st.integers(1, 32),
    inter=st.integers(1, 128),
    group=st.sampled_from([-1, 32, 64, 128]),
    count=st.integers(1, 64),
)


@given(MODELS, st.sampled_from([V25, V33]))
def test_legal_sizes_of_sparse_models_have_kernels(
    facts: CheckpointFacts, version: EngineVersion
) -> None:
    """Wherever a sparse model may be split, every linear has a kernel and ranks hold its shares."""
    for size in legal_sizes(facts, 16):
        assert gpu_kernels(facts, size, "float16", (8, 9), version) is not None
        assert facts.mixture is not None
        assert facts.mixture.expert_intermediate_size % size == 0
        assert facts.mixture.experts >= size


def test_whole_experts_are_no_obstacle() -> None:
    """Experts that are given out whole allow sizes that would split them too narrow."""
    request = gpu_request(gpus_per_replica=8)
    problem = gpu_refused(MOE, [H100], gpus_per_replica=8)
    assert problem.rule == "a-kernel-takes-the-experts"
    assert "--enable-expert-parallel" in problem.message
    plan = plan_serving(MOE, replace(request, expert_parallel=True), [H100])
    assert isinstance(plan, ServingPlan)
    assert plan.tensor_parallel_size == 8


def test_whole_experts_change_nothing_else() -> None:
    """All linears keep their shapes, and a model without experts its legal sizes."""
    whole = with_whole_experts(MOE)
    shapes = [(item.name, item.in_features, item.out_features) for item in linear_layers(MOE)]
    assert [
        (item.name, item.in_features, item.out_features) for item in linear_layers(whole)
    ] == shapes
    assert all(layer.whole == (layer.kind == "expert") for layer in linear_layers(whole))
    assert legal_sizes(with_whole_experts(QWEN2_7B_INT4), 16) == legal_sizes(QWEN2_7B_INT4, 16)
