"""For each rule of vLLM two cases that differ in one thing: just legal and just illegal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from quantized_model_operator.domain.outcome import InvalidModelError, Problem
from quantized_model_operator.domain.serving_plan import ServingPlan, plan_serving
from quantized_model_operator.domain.tensor_facts import MixtureOfExperts
from quantized_model_operator.resolve import resolve
from unit.domain.inspections import changed as damaged
from unit.domain.inspections import evidence, verdict
from unit.domain.model_shapes import (
    A100,
    H100,
    L4,
    QWEN2_05B_INT4,
    QWEN2_7B_INT4,
    QWEN2_7B_INT8,
    T4,
    TINY_INT4,
    V100,
    changed,
    cpu_node,
    cpu_request,
    gpu_node,
    gpu_request,
)
from unit.otter import GPU_SPEC, SETTINGS, observed
from unit.tiny_checkpoint import Recipe, Tensors, tensors

if TYPE_CHECKING:
    from quantized_model_operator.domain.checkpoint import CheckpointFacts
    from quantized_model_operator.domain.cluster_state import ObservedNode

Refusals = Sequence[Problem]
Case = Callable[[], Refusals]

GEMMA = changed(QWEN2_7B_INT4, architecture="Gemma3ForCausalLM", model_type="gemma3_text")
MI300X = gpu_node("mi300x", "AMD-Instinct-MI300X", 8)
CPU = cpu_node("cpu", memory="64Gi")
MOE = changed(
    QWEN2_7B_INT4,
    architecture="Qwen2MoeForCausalLM",
    hidden_size=2048,
    heads=16,
    kv_heads=16,
    intermediate_size=5632,
    layers=24,
    mixture=MixtureOfExperts(
        experts=60,
        experts_per_token=4,
        expert_intermediate_size=1408,
        shared_intermediate_size=0,
        sparse_layers=24,
    ),
)
"""Shapes of Qwen1.5-MoE-A2.7B without its shared experts."""


@dataclass(frozen=True)
class Pair:
    """What passes a rule, and what the rule refuses."""

    legal: Case
    illegal: Case


def planned(facts: CheckpointFacts, *nodes: ObservedNode, **settings: Any) -> Case:  # noqa: ANN401
    """The refusals of a plan on these GPU nodes; none when there is a plan."""
    return lambda: _problems(plan_serving(facts, gpu_request(**settings), nodes))


def on_cpu(facts: CheckpointFacts, **settings: Any) -> Case:  # noqa: ANN401
    """The refusals of a plan on a CPU node."""
    return lambda: _problems(plan_serving(facts, cpu_request(**settings), (CPU,)))


def _problems(answer: ServingPlan | tuple[Problem, ...]) -> Refusals:
    return () if isinstance(answer, ServingPlan) else answer


def inspected(recipe: Recipe, mend: Callable[[Tensors], None] | None = None) -> Case:
    """The refusals of an inspection, which knows reasons but no rules."""

    def case() -> Refusals:
        found = verdict(damaged(mend, recipe) if mend else evidence(recipe))
        return [Problem(reason=item[0], field="spec.model.uri", message=item[1]) for item in found]

    return case


def arguments(*args: str) -> Case:
    """The refusals of a spec with these arguments for vLLM 0.33."""

    def case() -> Refusals:
        spec = {**GPU_SPEC, "engine": {"version": "0.33.0", "args": list(args)}}
        try:
            resolve(observed(spec), SETTINGS)
        except InvalidModelError as error:
            return error.problems
        return ()

    return case


def _wide_values(made: Tensors) -> None:
    wide = tensors(Recipe(bits=8))
    for part in ("qweight", "qzeros", "scales", "g_idx"):
        name = f"model.layers.0.self_attn.v_proj.{part}"
        made[name] = wide[name]


def _without_weights(made: Tensors) -> None:
    del made["model.layers.1.mlp.down_proj.qweight"]


def experts(**changes: int) -> CheckpointFacts:
    """The model with experts, with some of its numbers changed."""
    assert MOE.mixture is not None
    return changed(MOE, mixture=replace(MOE.mixture, **changes))


WIDE_VALUES = {"dynamic": {r"model\.layers\.0\.self_attn\.v": {"bits": 8}}}

PAIRS: dict[str, Pair] = {
    "quantization-is-declared": Pair(
        inspected(Recipe()), inspected(Recipe(quantization={"bits": None}))
    ),
    "method-is-gptq": Pair(
        inspected(Recipe()), inspected(Recipe(quantization={"quant_method": "awq"}))
    ),
    "linears-are-complete": Pair(inspected(Recipe()), inspected(Recipe(), _without_weights)),
    "fused-linears-agree": Pair(
        inspected(Recipe()), inspected(Recipe(quantization=WIDE_VALUES), _wide_values)
    ),
    "bits-are-served": Pair(
        planned(QWEN2_7B_INT8, L4), planned(changed(QWEN2_7B_INT4, bits=3), L4)
    ),
    "symmetry-is-served": Pair(
        planned(QWEN2_7B_INT4, L4), planned(changed(QWEN2_7B_INT4, symmetric=False), L4)
    ),
    "group-size-is-served": Pair(
        planned(changed(QWEN2_7B_INT4, group_size=32), L4),
        planned(changed(QWEN2_7B_INT4, group_size=16), L4),
    ),
    "act-order-has-no-groups": Pair(
        planned(changed(QWEN2_7B_INT4, desc_act=True, group_size=-1), L4),
        planned(changed(QWEN2_7B_INT4, desc_act=True), L4),
    ),
    "accelerator-is-nvidia": Pair(planned(QWEN2_7B_INT4, H100), planned(QWEN2_7B_INT4, MI300X)),
    "compute-capability-is-served": Pair(planned(QWEN2_7B_INT4, T4), planned(QWEN2_7B_INT4, V100)),
    "dtype-is-served": Pair(
        planned(QWEN2_7B_INT4, L4, dtype="bfloat16"), planned(QWEN2_7B_INT4, L4, dtype="float32")
    ),
    "bfloat16-needs-ampere": Pair(
        planned(QWEN2_7B_INT4, A100, dtype="bfloat16"),
        planned(QWEN2_7B_INT4, T4, dtype="bfloat16"),
    ),
    "float16-is-stable": Pair(
        planned(GEMMA, A100),
        planned(GEMMA, A100, dtype="float16"),
    ),
    "kv-cache-dtype-is-planned": Pair(
        planned(QWEN2_7B_INT4, L4, kv_cache_dtype="fp8"),
        planned(QWEN2_7B_INT4, L4, kv_cache_dtype="fp9"),
    ),
    "fp8-cache-needs-bfloat16": Pair(
        planned(QWEN2_7B_INT4, H100, kv_cache_dtype="fp8", dtype="bfloat16"),
        planned(QWEN2_7B_INT4, H100, kv_cache_dtype="fp8", dtype="float16"),
    ),
    "cache-dtype-is-the-models": Pair(
        planned(QWEN2_7B_INT4, L4, kv_cache_dtype="float16"),
        planned(QWEN2_7B_INT4, L4, kv_cache_dtype="bfloat16"),
    ),
    "a-kernel-takes-each-linear": Pair(
        planned(changed(QWEN2_7B_INT4, group_size=64, intermediate_size=192), L4),
        planned(
            changed(QWEN2_7B_INT4, group_size=64, intermediate_size=192),
            L4,
            engine_version="0.20.0",
        ),
    ),
    "cpu-bits-are-served": Pair(on_cpu(TINY_INT4), on_cpu(changed(TINY_INT4, bits=8))),
    "cpu-shapes-are-served": Pair(
        on_cpu(changed(TINY_INT4, group_size=-1, intermediate_size=96)),
        on_cpu(changed(TINY_INT4, group_size=-1, intermediate_size=48)),
    ),
    "heads-are-shared-evenly": Pair(
        planned(QWEN2_7B_INT4, L4, gpus_per_replica=4),
        planned(QWEN2_7B_INT4, L4, gpus_per_replica=3),
    ),
    "kv-heads-are-shared-evenly": Pair(
        planned(QWEN2_7B_INT4, H100, gpus_per_replica=2),
        planned(QWEN2_7B_INT4, H100, gpus_per_replica=7),
    ),
    "dimensions-are-shared-evenly": Pair(
        planned(changed(QWEN2_7B_INT4, group_size=-1), L4, gpus_per_replica=2),
        planned(
            changed(QWEN2_7B_INT4, group_size=-1, intermediate_size=18945), L4, gpus_per_replica=2
        ),
    ),
    "groups-stay-whole": Pair(
        planned(changed(QWEN2_05B_INT4, group_size=64), L4, gpus_per_replica=2),
        planned(QWEN2_05B_INT4, L4, gpus_per_replica=2),
    ),
    "experts-cover-the-gpus": Pair(
        planned(experts(experts=4), H100, gpus_per_replica=4),
        planned(experts(experts=3), H100, gpus_per_replica=4),
    ),
    "a-kernel-takes-the-experts": Pair(
        planned(experts(expert_intermediate_size=1408), H100, gpus_per_replica=4),
        planned(experts(expert_intermediate_size=1408), H100, gpus_per_replica=8),
    ),
    "a-node-has-the-gpus": Pair(
        planned(QWEN2_7B_INT4, L4, gpus_per_replica=4),
        planned(QWEN2_7B_INT4, T4, gpus_per_replica=4),
    ),
    "one-process-on-cpu": Pair(
        on_cpu(TINY_INT4, gpus_per_replica=1), on_cpu(TINY_INT4, gpus_per_replica=2)
    ),
    "utilization-is-a-share": Pair(
        planned(QWEN2_7B_INT4, H100, gpu_memory_utilization=1.0),
        planned(QWEN2_7B_INT4, H100, gpu_memory_utilization=1.01),
    ),
    "weights-leave-room": Pair(
        planned(QWEN2_7B_INT4, T4),
        planned(changed(QWEN2_7B_INT4, weights_bytes=14 << 30), T4),
    ),
    "cpu-memory-leaves-room": Pair(
        on_cpu(TINY_INT4, memory_limit_bytes=5 << 30),
        on_cpu(TINY_INT4, memory_limit_bytes=3 << 30),
    ),
    "a-request-fits": Pair(
        planned(QWEN2_7B_INT4, T4, max_model_length=4096),
        planned(changed(QWEN2_7B_INT4, max_model_length=0), T4, max_model_length=10**6),
    ),
    "length-is-the-models": Pair(
        planned(QWEN2_7B_INT4, H100, max_model_length=QWEN2_7B_INT4.max_model_length),
        planned(QWEN2_7B_INT4, H100, max_model_length=QWEN2_7B_INT4.max_model_length + 1),
    ),
    "a-step-holds-a-request": Pair(
        planned(
            QWEN2_7B_INT4,
            H100,
            max_model_length=4096,
            max_num_batched_tokens=4096,
            chunked_prefill=False,
        ),
        planned(
            QWEN2_7B_INT4,
            H100,
            max_model_length=4097,
            max_num_batched_tokens=4096,
            chunked_prefill=False,
        ),
    ),
    "a-step-holds-all-requests": Pair(
        planned(QWEN2_7B_INT4, H100, max_num_batched_tokens=512, max_num_seqs=512),
        planned(QWEN2_7B_INT4, H100, max_num_batched_tokens=512, max_num_seqs=513),
    ),
    "arguments-are-known": Pair(
        arguments("--max-num-queued-reqs", "4"), arguments("--swap-space", "4")
    ),
    "argument-values-are-taken": Pair(
        arguments("--max-lora-rank", "8"), arguments("--max-lora-rank", "9")
    ),
    "load-format-is-known": Pair(
        arguments("--load-format", "safetensors"), arguments("--load-format", "zzz")
    ),
    "backend-is-not-disabled": Pair(
        arguments("--linear-backend", "marlin"), arguments("--linear-backend", "exllama")
    ),
    "arguments-are-not-owned": Pair(
        arguments("--enable-log-requests"), arguments("--port", "9000")
    ),
}
