"""Plans on CPU: memory, length, settings and the nodes that could take them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantized_model_operator.domain.accelerators import MIB
from quantized_model_operator.domain.cluster_state import ObservedNode
from quantized_model_operator.domain.cpu_plan import CPU_PROCESS_BYTES
from quantized_model_operator.domain.kv_cache import CPU_BLOCK_TOKENS, kv_bytes_per_token
from quantized_model_operator.domain.quantity import GIB
from quantized_model_operator.domain.serving_plan import ServingPlan, plan_serving
from unit.domain.model_shapes import (
    QWEN2_7B_INT4,
    QWEN2_7B_INT8,
    TINY_INT4,
    changed,
    cpu_node,
    cpu_request,
)

if TYPE_CHECKING:
    from quantized_model_operator.domain.checkpoint import CheckpointFacts
    from quantized_model_operator.domain.outcome import Problem

NODE = cpu_node("node")


def planned(facts: CheckpointFacts = TINY_INT4, **settings: Any) -> ServingPlan:  # noqa: ANN401
    """The plan on one ordinary node; fails the test when it is refused."""
    plan = plan_serving(facts, cpu_request(**settings), [NODE])
    assert isinstance(plan, ServingPlan), plan
    return plan


def refused(facts: CheckpointFacts = TINY_INT4, **settings: Any) -> Problem:  # noqa: ANN401
    """The one problem; fails the test when there is a plan or several problems."""
    problems = plan_serving(facts, cpu_request(**settings), [NODE])
    assert not isinstance(problems, ServingPlan)
    (problem,) = problems
    return problem


def test_the_tiny_model_is_planned_as_it_was_measured() -> None:
    """The tiny model gets the CPU kernel, float16, its full length and 5 GiB."""
    plan = planned()
    assert (plan.device, plan.kernel, plan.dtype) == ("CPU", "CPUWNA16", "float16")
    assert (plan.tensor_parallel_size, plan.products, plan.gpu_memory_bytes) == (1, (), 0)
    assert plan.max_model_length == 2048
    assert plan.memory_request_bytes == 5 * GIB
    assert plan.gpu_memory_utilization == pytest.approx(0.1)
    assert plan.nodes_that_fit == 1
    assert plan.warnings == ()


def test_the_kv_cache_is_exact_and_no_larger_than_a_batch_can_fill() -> None:
    """128 requests of 2048 tokens and the reserved block are all a tiny model can ever use."""
    plan = planned()
    assert plan.kv_cache_memory_bytes == (128 * 2048 + CPU_BLOCK_TOKENS) * 2048
    assert plan.kv_cache_tokens == plan.expected_kv_cache_tokens == 128 * 2048
    assert plan.max_concurrency == "128.0"


def test_a_larger_model_gets_the_memory_of_one_full_request() -> None:
    """Without a limit a 7B gets weights, process and one request of its full length."""
    plan = planned(QWEN2_7B_INT4)
    needed_gib = 5.19 + 3.2 + 1.75
    assert needed_gib <= plan.memory_request_bytes / GIB <= needed_gib + 0.3
    assert plan.max_model_length == 32768
    assert float(plan.max_concurrency) >= 1


def test_very_long_contexts_are_not_paid_for_unasked() -> None:
    """Memory is set aside for 32768 tokens at most, unless a longer context is asked for."""
    long = changed(QWEN2_7B_INT4, max_model_length=1_000_000)
    plan = planned(long)
    assert plan.memory_request_bytes == planned(QWEN2_7B_INT4).memory_request_bytes
    assert 32768 <= plan.max_model_length < 40_000
    asked = planned(long, max_model_length=100_000)
    assert asked.max_model_length == 100_000
    assert asked.memory_request_bytes > plan.memory_request_bytes


def test_a_given_limit_is_the_request() -> None:
    """The user's memory is requested as it is and bounds the length."""
    plan = planned(QWEN2_7B_INT4, memory_limit_bytes=9 * GIB)
    assert plan.memory_request_bytes == 9 * GIB
    assert 8192 < plan.max_model_length < 16384
    assert any("32768 tokens fit" in text for text in plan.warnings)


def test_the_longest_length_fits_and_one_more_block_does_not() -> None:
    """The planned length is served, and the next block is refused with that very length."""
    length = planned(QWEN2_7B_INT4, memory_limit_bytes=9 * GIB).max_model_length
    same = planned(QWEN2_7B_INT4, memory_limit_bytes=9 * GIB, max_model_length=length)
    assert same.max_model_length == length
    problem = refused(QWEN2_7B_INT4, memory_limit_bytes=9 * GIB, max_model_length=length + 1)
    assert (problem.reason, problem.field) == ("ModelLengthTooLong", "spec.engine.maxModelLen")
    assert f"set maxModelLen to {length} or less" in problem.message


def test_the_suggested_memory_is_enough() -> None:
    """Following the remedy of a refusal for memory leads to a plan."""
    problem = refused(QWEN2_7B_INT4, memory_limit_bytes=4 * GIB)
    assert (problem.reason, problem.field) == ("InsufficientMemory", "spec.hardware.memory")
    suggested_mib = int(problem.message.rsplit(" ", 1)[1].removesuffix("Mi"))
    assert planned(QWEN2_7B_INT4, memory_limit_bytes=suggested_mib * MIB).max_model_length
    less = refused(QWEN2_7B_INT4, memory_limit_bytes=(suggested_mib - 9) * MIB)
    assert less.reason == "InsufficientMemory"


def test_a_length_beyond_the_model_is_refused() -> None:
    """A length over the model's own limit is refused whatever the memory."""
    assert refused(max_model_length=2049).reason == "ModelLengthTooLong"
    assert planned(max_model_length=2048).max_model_length == 2048


def test_int8_is_refused() -> None:
    """8 bits are refused on CPU before anything else is looked at."""
    assert refused(QWEN2_7B_INT8).reason == "UnsupportedOnCpu"


@pytest.mark.parametrize("gpus", [None, 1])
def test_one_process_serves(gpus: int | None) -> None:
    """No number of GPUs, or one, is accepted on CPU."""
    assert planned(gpus_per_replica=gpus).tensor_parallel_size == 1


@pytest.mark.parametrize(
    ("settings", "reason", "field"),
    [
        (
            {"gpus_per_replica": 2},
            "IllegalTensorParallelSize",
            "spec.hardware.gpusPerReplica",
        ),
        ({"kv_cache_dtype": "fp8"}, "KvCacheDtypeUnsupported", "spec.engine.kvCacheDtype"),
        ({"dtype": "float32"}, "DtypeUnsupported", "spec.engine.dtype"),
    ],
)
def test_settings_of_gpus_are_refused(settings: dict[str, Any], reason: str, field: str) -> None:
    """Several GPUs, an fp8 KV cache and float32 are refused on CPU at their fields."""
    problem = refused(**settings)
    assert (problem.reason, problem.field) == (reason, field)


def test_groups_must_be_whole() -> None:
    """A layer narrower than a group is refused: its scales would be empty."""
    narrow = changed(TINY_INT4, heads=2, kv_heads=2, head_size=32, hidden_size=64)
    assert refused(narrow).reason == "UnsupportedGroupSize"
    assert planned(changed(narrow, group_size=-1)).kernel == "CPUWNA16"


def test_bfloat16_is_served_with_a_warning() -> None:
    """bfloat16 on request is served, and the hosts that break it are named."""
    plan = planned(dtype="bfloat16")
    assert plan.dtype == "bfloat16"
    assert any("AMX" in text for text in plan.warnings)


@pytest.mark.parametrize(
    ("version", "warned"),
    [("0.32.0", False), ("0.33.0", False), ("0.30.0", True), ("0.40.0", True)],
)
def test_untried_versions_are_warned_about(version: str, *, warned: bool) -> None:
    """Versions that were never tried on CPU are planned with one warning about it."""
    texts = [text for text in planned(engine_version=version).warnings if "vLLM" in text]
    assert len(texts) == int(warned)


@pytest.mark.parametrize(
    ("node", "fits"),
    [
        (cpu_node("plain"), 1),
        (cpu_node("small", memory="5119Mi"), 0),
        (cpu_node("enough", memory="5Gi"), 1),
        (cpu_node("busy", cpu="999m"), 0),
        (cpu_node("one", cpu="1"), 1),
        (cpu_node("odd", memory="lots"), 0),
        (cpu_node("amd", kubernetes_io__arch="amd64"), 1),
        (cpu_node("arm", kubernetes_io__arch="arm64"), 0),
    ],
)
def test_nodes_that_fit_have_memory_core_and_architecture(node: ObservedNode, fits: int) -> None:
    """Only nodes with 5 GiB, one core and a fitting architecture are counted."""
    plan = plan_serving(TINY_INT4, cpu_request(), [node])
    assert isinstance(plan, ServingPlan)
    assert plan.nodes_that_fit == fits
    assert any("no schedulable node" in text for text in plan.warnings) == (not fits)


@pytest.mark.parametrize(
    ("features", "schedulable", "fits"),
    [
        ((), True, 1),
        ((), False, 0),
        (("AVX2",), True, 0),
        (("AVX2", "AVX512F"), True, 1),
    ],
)
def test_nodes_that_list_features_must_list_avx512(
    features: tuple[str, ...], *, schedulable: bool, fits: int
) -> None:
    """A node whose labels list CPU features without AVX-512 cannot serve; silence may."""
    node = ObservedNode(
        name="node",
        labels={f"feature.node.kubernetes.io/cpu-cpuid.{name}": "true" for name in features},
        allocatable={"cpu": "4", "memory": "16Gi"},
        schedulable=schedulable,
    )
    plan = plan_serving(TINY_INT4, cpu_request(), [node])
    assert isinstance(plan, ServingPlan)
    assert plan.nodes_that_fit == fits


@given(
    limit_bytes=st.integers(1 * GIB, 64 * GIB),
    length=st.none() | st.integers(1, 32768),
)
def test_a_plan_keeps_its_promises(limit_bytes: int, length: int | None) -> None:
    """Any plan holds weights, process and KV cache in its memory, and one request of its length."""
    plan = plan_serving(
        QWEN2_7B_INT4, cpu_request(memory_limit_bytes=limit_bytes, max_model_length=length), []
    )
    if not isinstance(plan, ServingPlan):
        return
    assert plan.kv_cache_memory_bytes is not None
    used_bytes = plan.weights_bytes_per_gpu + CPU_PROCESS_BYTES + plan.kv_cache_memory_bytes
    assert used_bytes <= plan.memory_request_bytes
    block_bytes = CPU_BLOCK_TOKENS * kv_bytes_per_token(QWEN2_7B_INT4, 1, "auto")
    blocks = plan.kv_cache_memory_bytes // block_bytes
    assert (blocks - 1) * CPU_BLOCK_TOKENS == plan.kv_cache_tokens >= plan.max_model_length
    assert length in {None, plan.max_model_length}
