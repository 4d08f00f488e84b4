"""The entry of planning: versions, settings of any device, and its speed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantized_model_operator.domain.accelerators import KNOWN_ACCELERATORS
from quantized_model_operator.domain.quantity import GIB
from quantized_model_operator.domain.serving_plan import (
    ServingPlan,
    ServingRequest,
    plan_from_json,
    plan_serving,
    plan_to_json,
)
from quantized_model_operator.domain.tensor_parallel import tensor_parallel_verdict
from unit.domain.model_shapes import (
    QWEN2_05B_INT4,
    QWEN2_7B_INT4,
    QWEN2_7B_INT8,
    QWEN2_72B_INT4,
    QWEN25_14B_INT4,
    TINY_INT4,
    changed,
    cpu_node,
    cpu_request,
    gpu_node,
    gpu_request,
)

if TYPE_CHECKING:
    from quantized_model_operator.domain.checkpoint import CheckpointFacts
    from quantized_model_operator.domain.cluster_state import ObservedNode

MIXED = [
    gpu_node("t4", "Tesla-T4", 1),
    gpu_node("v100", "Tesla-V100-SXM2-16GB", 8),
    gpu_node("l4", "NVIDIA-L4", 4),
    gpu_node("a100", "NVIDIA-A100-SXM4-80GB", 8),
    gpu_node("h100", "NVIDIA-H100-80GB-HBM3", 8),
]
LIMIT_SECONDS = 0.002


@pytest.mark.parametrize("request_of", [gpu_request, cpu_request])
def test_a_version_that_is_none_is_refused(request_of: Any) -> None:  # noqa: ANN401
    """An engine version that cannot be read is refused at its field, with an example."""
    problems = plan_serving(TINY_INT4, request_of(engine_version="latest"), MIXED)
    assert not isinstance(problems, ServingPlan)
    assert [(item.reason, item.field) for item in problems] == [
        ("InvalidSpec", "spec.engine.version")
    ]
    assert "0.33.0" in problems[0].message


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"gpu_memory_utilization": 0.0}, "spec.engine.gpuMemoryUtilization"),
        ({"gpu_memory_utilization": 1.01}, "spec.engine.gpuMemoryUtilization"),
        (
            {"max_num_batched_tokens": 255, "max_num_seqs": 256},
            "spec.engine.maxNumSeqs",
        ),
    ],
)
def test_settings_that_vllm_refuses_are_refused(changes: dict[str, Any], field: str) -> None:
    """A share outside of (0, 1] and fewer batched tokens than sequences are refused."""
    problems = plan_serving(QWEN2_7B_INT4, gpu_request(**changes), MIXED[2:3])
    assert not isinstance(problems, ServingPlan)
    assert [(item.reason, item.field) for item in problems] == [("InvalidSpec", field)]


@pytest.mark.parametrize(
    "changes",
    [
        {"gpu_memory_utilization": 1.0},
        {"max_num_batched_tokens": 256, "max_num_seqs": 256},
        {"max_num_batched_tokens": 128},
    ],
)
def test_settings_at_the_edge_are_planned(changes: dict[str, Any]) -> None:
    """A share of 1, as many tokens as sequences, and tokens alone are no reason to refuse."""
    assert isinstance(plan_serving(QWEN2_7B_INT4, gpu_request(**changes), MIXED), ServingPlan)


def test_a_broken_checkpoint_is_refused_before_hardware_is_looked_at() -> None:
    """Problems of the checkpoint are told even when no node is in sight."""
    facts = changed(QWEN2_7B_INT4, bits=3)
    problems = plan_serving(facts, gpu_request(), [])
    assert not isinstance(problems, ServingPlan)
    assert [item.reason for item in problems] == ["UnsupportedBits"]


@pytest.mark.parametrize(
    ("facts", "request_", "nodes"),
    [
        (QWEN2_7B_INT4, gpu_request(), MIXED),
        (QWEN2_72B_INT4, gpu_request(), MIXED),
        (QWEN2_72B_INT4, gpu_request(), MIXED[:2]),
        (QWEN2_7B_INT4, gpu_request(), []),
        (TINY_INT4, cpu_request(), MIXED),
    ],
    ids=["one", "several", "refused", "nothing in sight", "cpu"],
)
def test_planning_is_fast(
    facts: CheckpointFacts, request_: ServingRequest, nodes: list[ObservedNode]
) -> None:
    """Planning or refusing one model takes less than 2 ms, at the best of many tries."""

    def seconds() -> float:
        start = time.perf_counter()
        plan_serving(facts, request_, nodes)
        return time.perf_counter() - start

    assert min(seconds() for _ in range(40)) < LIMIT_SECONDS


def test_a_thousand_nodes_are_no_trouble() -> None:
    """Planning over a thousand GPU nodes takes less than 10 ms, at the best of many tries."""
    nodes = [gpu_node(f"node-{number}", "NVIDIA-L4", 4) for number in range(1000)]

    def seconds() -> float:
        start = time.perf_counter()
        plan = plan_serving(QWEN2_7B_INT4, gpu_request(), nodes)
        assert isinstance(plan, ServingPlan)
        assert plan.nodes_that_fit == 1000
        return time.perf_counter() - start

    assert min(seconds() for _ in range(10)) < 5 * LIMIT_SECONDS


REQUESTS = st.builds(
    gpu_request,
    engine_version=st.sampled_from(["0.20.0", "0.25.1", "0.30.0", "0.33.0", "0.44.0"]),
    gpus_per_replica=st.none() | st.integers(1, 9),
    products=st.lists(
        st.sampled_from([*(item.product for item in KNOWN_ACCELERATORS), "Otter"]), max_size=3
    ).map(tuple),
    max_model_length=st.none() | st.integers(1, 40_000),
    dtype=st.sampled_from([None, "auto", "float16", "bfloat16"]),
    kv_cache_dtype=st.sampled_from([None, "auto", "fp8", "fp8_e5m2", "fp9"]),
    gpu_memory_utilization=st.none() | st.floats(0.1, 1),
    max_num_seqs=st.none() | st.integers(1, 2048),
    max_num_batched_tokens=st.none() | st.integers(2048, 16384),
    enforce_eager=st.booleans(),
)
FACTS = st.builds(
    changed,
    st.sampled_from(
        [QWEN2_7B_INT4, QWEN2_7B_INT8, QWEN2_05B_INT4, QWEN25_14B_INT4, QWEN2_72B_INT4, TINY_INT4]
    ),
    dtype=st.sampled_from(["float16", "bfloat16", "float32", ""]),
    group_size=st.sampled_from([-1, 32, 64, 128]),
    max_model_length=st.sampled_from([0, 2048, 32768, 131072]),
    sliding_window=st.sampled_from([0, 4096]),
)


@settings(max_examples=300)
@given(FACTS, REQUESTS, st.lists(st.sampled_from(MIXED), max_size=5, unique_by=lambda n: n.name))
def test_every_answer_is_a_sound_plan_or_a_usable_refusal(
    facts: CheckpointFacts, request: ServingRequest, nodes: list[ObservedNode]
) -> None:
    """A plan is legal, fits and is recorded whole; a refusal names a field and a remedy."""
    answer = plan_serving(facts, request, nodes)
    if not isinstance(answer, ServingPlan):
        assert answer
        assert all(item.field.startswith("spec.") and item.message for item in answer)
        assert not any(item.message.endswith(".") for item in answer)
        return
    assert tensor_parallel_verdict(facts, answer.tensor_parallel_size).legal
    assert request.gpus_per_replica in {None, answer.tensor_parallel_size}
    assert request.max_model_length in {None, answer.max_model_length}
    assert not facts.max_model_length or answer.max_model_length <= facts.max_model_length
    assert answer.kv_cache_tokens <= answer.expected_kv_cache_tokens
    windowed = any("windowed" in text for text in answer.warnings)
    assert windowed or answer.max_model_length <= answer.kv_cache_tokens
    assert answer.kernel in {"Machete", "Marlin", "Humming", "AllSpark"}
    assert set(answer.products) <= {*request.products} or not request.products
    assert plan_from_json(plan_to_json(answer)) == answer


@given(FACTS, st.integers(1, 9))
def test_planning_is_a_function(facts: CheckpointFacts, gpus: int) -> None:
    """The same question has the same answer, whatever the order of the nodes."""
    request = gpu_request(gpus_per_replica=gpus)
    there = plan_serving(facts, request, MIXED)
    assert there == plan_serving(facts, request, MIXED[::-1])
    assert there == plan_serving(facts, request, MIXED)


def test_memory_given_by_the_user_is_the_pods() -> None:
    """A memory limit in the request becomes the memory of a GPU pod as well."""
    plan = plan_serving(QWEN2_7B_INT4, gpu_request(memory_limit_bytes=9 * GIB), MIXED)
    assert isinstance(plan, ServingPlan)
    assert plan.memory_request_bytes == 9 * GIB


@pytest.mark.parametrize("device", ["GPU", "CPU"])
def test_what_was_noticed_before_is_part_of_the_warnings(device: str) -> None:
    """Warnings from reading the settings stand in the plan, on both devices."""
    noticed = ("spec.engine.args is not checked",)
    nodes = [*MIXED, cpu_node("cpu", memory="64Gi")]
    asked = gpu_request if device == "GPU" else cpu_request
    plan = plan_serving(TINY_INT4, asked(warnings=noticed), nodes)
    assert isinstance(plan, ServingPlan)
    assert noticed[0] in plan.warnings
