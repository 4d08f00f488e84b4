"""What a refusal suggests mends it: the patch, put into the request, gives a plan."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from quantized_model_operator.domain.serving_plan import ServingPlan, plan_serving
from unit.domain.model_shapes import (
    A100,
    H100,
    L4,
    QWEN2_05B_INT4,
    QWEN2_7B_INT4,
    QWEN2_72B_INT4,
    T4,
    TINY_INT4,
    V100,
    changed,
    cpu_node,
    cpu_request,
    gpu_refused,
    gpu_request,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from quantized_model_operator.domain.checkpoint import CheckpointFacts
    from quantized_model_operator.domain.cluster_state import ObservedNode
    from quantized_model_operator.domain.serving_plan import ServingRequest

FIELDS = {
    ("hardware", "gpusPerReplica"): "gpus_per_replica",
    ("hardware", "products"): "products",
    ("hardware", "memory"): "memory_limit_bytes",
    ("engine", "dtype"): "dtype",
    ("engine", "kvCacheDtype"): "kv_cache_dtype",
    ("engine", "maxModelLen"): "max_model_length",
    ("engine", "maxNumSeqs"): "max_num_seqs",
    ("engine", "maxNumBatchedTokens"): "max_num_batched_tokens",
    ("engine", "gpuMemoryUtilization"): "gpu_memory_utilization",
    ("engine", "version"): "engine_version",
}


def patched(request: ServingRequest, suggestion: Mapping[str, Any] | None) -> ServingRequest:
    """The request of a spec to which the merge patch is applied."""
    assert suggestion is not None
    changes: dict[str, Any] = {}
    for part, fields in suggestion.items():
        for name, value in fields.items():
            changes[FIELDS[part, name]] = tuple(value) if isinstance(value, list) else value
    if isinstance(memory := changes.get("memory_limit_bytes"), str):
        changes["memory_limit_bytes"] = int(memory.removesuffix("Mi")) << 20
    return replace(request, **changes)


@pytest.mark.parametrize(
    ("facts", "node", "settings"),
    [
        (QWEN2_7B_INT4, L4, {"gpus_per_replica": 3}),
        (QWEN2_05B_INT4, L4, {"gpus_per_replica": 2}),
        (QWEN2_7B_INT4, T4, {"gpus_per_replica": 4}),
        (QWEN2_7B_INT4, H100, {"kv_cache_dtype": "fp8"}),
        (QWEN2_7B_INT4, L4, {"kv_cache_dtype": "fp9"}),
        (QWEN2_7B_INT4, L4, {"kv_cache_dtype": "bfloat16"}),
        (QWEN2_7B_INT4, T4, {"dtype": "bfloat16"}),
        (QWEN2_7B_INT4, A100, {"dtype": "float32"}),
        (QWEN2_7B_INT4, A100, {"max_model_length": 99_999}),
        (changed(QWEN2_7B_INT4, max_model_length=10**6), T4, {"max_model_length": 10**6}),
        (QWEN2_7B_INT4, A100, {"max_num_seqs": 600, "max_num_batched_tokens": 512}),
        (
            QWEN2_7B_INT4,
            A100,
            {"max_model_length": 8192, "max_num_batched_tokens": 512, "chunked_prefill": False},
        ),
        (QWEN2_7B_INT4, A100, {"gpu_memory_utilization": 1.5}),
        (changed(QWEN2_7B_INT4, desc_act=True), L4, {}),
        (QWEN2_7B_INT4, V100, {"products": ("Tesla-V100-SXM2-16GB",)}),
        (QWEN2_72B_INT4, T4, {"products": ("Tesla-T4",)}),
        (
            changed(QWEN2_7B_INT4, group_size=64, intermediate_size=192),
            L4,
            {"engine_version": "0.20.0"},
        ),
    ],
)
def test_the_suggested_patch_gives_a_plan(
    facts: CheckpointFacts, node: ObservedNode, settings: dict[str, Any]
) -> None:
    """For each kind of refusal on GPUs the suggestion is one that works, on the same nodes."""
    problem = gpu_refused(facts, [node], **settings)
    request = patched(gpu_request(**settings), problem.suggestion)
    assert isinstance(plan_serving(facts, request, [node]), ServingPlan)


@pytest.mark.parametrize(
    "settings",
    [
        {"gpus_per_replica": 2},
        {"kv_cache_dtype": "fp8"},
        {"dtype": "float32"},
        {"memory_limit_bytes": 1 << 30},
        {"max_model_length": 9_999},
    ],
)
def test_the_suggested_patch_gives_a_plan_on_cpu(settings: dict[str, Any]) -> None:
    """For each kind of refusal on CPU the suggestion is one that works."""
    nodes = (cpu_node("cpu", memory="64Gi"),)
    answer = plan_serving(TINY_INT4, cpu_request(**settings), nodes)
    assert not isinstance(answer, ServingPlan)
    request = patched(cpu_request(**settings), answer[0].suggestion)
    assert isinstance(plan_serving(TINY_INT4, request, nodes), ServingPlan)


def test_a_checkpoint_that_must_be_made_anew_has_no_suggestion() -> None:
    """Where no edit of the spec helps, none is suggested."""
    assert gpu_refused(changed(QWEN2_7B_INT4, bits=3), [L4]).suggestion is None


def test_a_named_kernel_that_does_not_fit_is_told_apart() -> None:
    """A kernel that the arguments name and that this GPU does not run is their fault."""
    problem = gpu_refused(QWEN2_7B_INT4, [L4], linear_backend="machete")
    assert (problem.reason, problem.field) == ("NoKernel", "spec.engine.args")
    assert "remove --linear-backend" in problem.message


def test_another_attention_backend_is_trusted_with_an_fp8_cache() -> None:
    """The refusal of an fp8 cache in float16 is about FlashAttention only."""
    request = gpu_request(kv_cache_dtype="fp8", attention_backend="TRITON_ATTN")
    assert isinstance(plan_serving(QWEN2_7B_INT4, request, [H100]), ServingPlan)
