"""Plans on GPUs: which card, how many, which dtype, and refusals with their remedies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from quantized_model_operator.domain.accelerators import known_accelerator
from quantized_model_operator.domain.kv_cache import kv_bytes_per_token, kv_cache_tokens
from quantized_model_operator.domain.quantity import GIB
from unit.domain.model_shapes import (
    A100,
    H100,
    L4,
    L4_SINGLE,
    QWEN2_05B_INT4,
    QWEN2_7B_INT4,
    QWEN2_7B_INT8,
    QWEN2_72B_INT4,
    T4,
    V100,
    changed,
    gpu_planned,
    gpu_refused,
)

if TYPE_CHECKING:
    from quantized_model_operator.domain.checkpoint import CheckpointFacts

BFLOAT16_7B = changed(QWEN2_7B_INT4, dtype="bfloat16")


def test_a_7b_takes_one_l4() -> None:
    """A 7B Int4 is planned onto one L4 with Marlin, its full length and two KV figures."""
    plan = gpu_planned(QWEN2_7B_INT4, [L4])
    assert plan.products == ("NVIDIA-L4",)
    assert (plan.tensor_parallel_size, plan.kernel, plan.dtype) == (1, "Marlin", "float16")
    assert plan.max_model_length == 32768
    assert 180_000 < plan.kv_cache_tokens < plan.expected_kv_cache_tokens < 260_000
    assert plan.max_concurrency == "6.6"
    assert (plan.gpu_memory_utilization, plan.kv_cache_memory_bytes) == (0.92, None)
    assert (plan.cpu_request, plan.memory_request_bytes) == ("3", 6 * GIB)
    assert plan.nodes_that_fit == 1
    assert plan.warnings == ()


def test_alternatives_are_named_for_people() -> None:
    """More GPUs of the same kind are offered with their tokens, largest last."""
    alternatives = gpu_planned(QWEN2_7B_INT4, [L4]).alternatives
    assert alternatives[0].startswith("2 \N{MULTIPLICATION SIGN} NVIDIA-L4: TP2, ")
    assert alternatives[0].endswith("k KV tokens")
    assert alternatives[1].startswith("4 \N{MULTIPLICATION SIGN} NVIDIA-L4: TP4, ")
    assert len(alternatives) == 2


def test_other_products_are_alternatives() -> None:
    """A 72B on H100 names four L4, the other way to serve it in this cluster."""
    alternatives = gpu_planned(QWEN2_72B_INT4, [L4, H100]).alternatives
    assert any(text.startswith("4 \N{MULTIPLICATION SIGN} NVIDIA-L4: TP4") for text in alternatives)
    assert len(alternatives) <= 4


def test_weights_that_do_not_fit_one_gpu_are_split() -> None:
    """A 72B Int4 takes four L4: two hold the weights but no KV cache."""
    plan = gpu_planned(QWEN2_72B_INT4, [L4])
    assert plan.tensor_parallel_size == 4
    assert plan.weights_bytes_per_gpu / GIB == pytest.approx(38.6 / 4 + 0.09, abs=0.01)
    assert plan.memory_request_bytes == (6 + 3 * 3 + 2) * GIB
    assert any("estimated" in text for text in plan.warnings)


def test_throughput_mode_doubles_what_a_step_holds() -> None:
    """Twice the batch of vLLM's own, as if the user had set it, so less is left for the cache."""
    mode = gpu_planned(QWEN2_7B_INT4, [L4], double_batches=True)
    own = gpu_planned(QWEN2_7B_INT4, [L4])
    set_ = gpu_planned(QWEN2_7B_INT4, [L4], max_num_batched_tokens=4096, max_num_seqs=512)
    assert mode.expected_kv_cache_tokens == set_.expected_kv_cache_tokens
    assert mode.expected_kv_cache_tokens < own.expected_kv_cache_tokens


def test_the_smallest_number_wins_over_the_smallest_card() -> None:
    """With L4 and H100 in sight a 72B takes one H100 rather than four L4."""
    plan = gpu_planned(QWEN2_72B_INT4, [L4, H100])
    assert (plan.products, plan.tensor_parallel_size) == (("NVIDIA-H100-80GB-HBM3",), 1)


def test_every_card_that_takes_the_same_pod_is_a_place_for_it() -> None:
    """T4, L4, A100 and H100 all take a 7B: the figures are the weakest card's."""
    plan = gpu_planned(QWEN2_7B_INT8, [H100, A100, L4, T4, V100])
    assert plan.products == (
        "Tesla-T4",
        "NVIDIA-L4",
        "NVIDIA-H100-80GB-HBM3",
        "NVIDIA-A100-SXM4-80GB",
    )
    alone = gpu_planned(QWEN2_7B_INT8, [T4])
    assert plan.kv_cache_tokens == alone.kv_cache_tokens
    assert plan.gpu_memory_bytes == alone.gpu_memory_bytes
    assert plan.nodes_that_fit == 4
    assert any("Machete on NVIDIA-H100" in text for text in plan.warnings)


def test_the_users_number_of_gpus_is_kept() -> None:
    """A legal number of GPUs is planned as asked, though fewer would do."""
    assert gpu_planned(QWEN2_7B_INT4, [L4], gpus_per_replica=2).tensor_parallel_size == 2


@pytest.mark.parametrize(
    ("facts", "size", "nearest"), [(QWEN2_7B_INT4, 7, 4), (QWEN2_05B_INT4, 2, 1)]
)
def test_an_illegal_number_of_gpus_is_refused(
    facts: CheckpointFacts, size: int, nearest: int
) -> None:
    """A number the shapes forbid is refused with the nearest legal one, which is planned."""
    problem = gpu_refused(facts, [H100], gpus_per_replica=size)
    assert (problem.reason, problem.field) == (
        "IllegalTensorParallelSize",
        "spec.hardware.gpusPerReplica",
    )
    assert problem.message.endswith(f"set gpusPerReplica to {nearest}")
    assert gpu_planned(facts, [H100], gpus_per_replica=nearest).tensor_parallel_size == nearest


def test_bfloat16_becomes_float16_on_turing() -> None:
    """A bfloat16 checkpoint is served in float16 on T4, with a warning, and kept on L4."""
    turing = gpu_planned(BFLOAT16_7B, [T4])
    assert turing.dtype == "float16"
    assert any("bfloat16" in text for text in turing.warnings)
    assert gpu_planned(BFLOAT16_7B, [L4]).dtype == "bfloat16"


def test_cards_with_another_dtype_are_no_place_for_the_pod() -> None:
    """T4 and L4 would serve a bfloat16 checkpoint in different dtypes: one is chosen."""
    assert gpu_planned(BFLOAT16_7B, [T4, L4]).products == ("Tesla-T4",)
    asked = gpu_planned(BFLOAT16_7B, [T4, L4], dtype="float16")
    assert asked.products == ("Tesla-T4", "NVIDIA-L4")


def test_bfloat16_on_turing_is_refused_when_asked_for() -> None:
    """bfloat16 by request is refused on T4 and planned on L4 beside it."""
    assert gpu_refused(QWEN2_7B_INT4, [T4], dtype="bfloat16").reason == "DtypeUnsupported"
    assert gpu_planned(QWEN2_7B_INT4, [T4, L4], dtype="bfloat16").products == ("NVIDIA-L4",)


@pytest.mark.parametrize("kv_cache_dtype", ["fp8", "fp8_e4m3", "fp8_e5m2"])
def test_an_fp8_cache_on_hopper_needs_bfloat16(kv_cache_dtype: str) -> None:
    """fp8 with float16 dies on 9.0 after loading: refused, and each remedy is planned."""
    problem = gpu_refused(QWEN2_7B_INT4, [H100], kv_cache_dtype=kv_cache_dtype)
    assert (problem.reason, problem.field) == (
        "KvCacheDtypeUnsupported",
        "spec.engine.kvCacheDtype",
    )
    assert "spec.engine.dtype to bfloat16" in problem.message
    remedied = gpu_planned(QWEN2_7B_INT4, [H100], kv_cache_dtype=kv_cache_dtype, dtype="bfloat16")
    plain = gpu_planned(QWEN2_7B_INT4, [H100])
    assert remedied.kv_cache_dtype == kv_cache_dtype
    assert remedied.kv_cache_tokens == pytest.approx(2 * plain.kv_cache_tokens, rel=0.001)


def test_an_fp8_cache_elsewhere_is_planned_with_a_warning() -> None:
    """On other cards fp8 was not tried: planned, and said so."""
    plan = gpu_planned(QWEN2_7B_INT4, [L4], kv_cache_dtype="fp8")
    assert any("fp8" in text for text in plan.warnings)


def test_an_unknown_cache_dtype_is_refused() -> None:
    """A KV dtype whose size we do not know is refused with those we know."""
    problem = gpu_refused(QWEN2_7B_INT4, [L4], kv_cache_dtype="fp9")
    assert problem.reason == "KvCacheDtypeUnsupported"
    assert "fp8_e5m2" in problem.message


def test_the_longest_length_is_planned_and_no_more_is_sure() -> None:
    """A requested length is planned up to the sure tokens; one more is refused with them."""
    facts = changed(QWEN2_7B_INT4, max_model_length=1 << 20)
    longest = gpu_planned(facts, [L4_SINGLE])
    assert longest.max_model_length == longest.kv_cache_tokens
    assert any("1048576 tokens fit" in text for text in longest.warnings)
    asked = gpu_planned(facts, [L4_SINGLE], max_model_length=longest.max_model_length)
    assert asked.max_model_length == longest.max_model_length
    problem = gpu_refused(facts, [L4_SINGLE], max_model_length=longest.max_model_length + 1)
    assert (problem.reason, problem.field) == ("ModelLengthTooLong", "spec.engine.maxModelLen")
    assert f"set maxModelLen to {longest.max_model_length} or less" in problem.message


def test_a_longer_length_takes_more_gpus() -> None:
    """A length that one L4 cannot hold is planned on two, unless one was asked for."""
    facts = changed(QWEN2_7B_INT4, max_model_length=1 << 20)
    assert gpu_planned(facts, [L4], max_model_length=300_000).tensor_parallel_size == 2
    problem = gpu_refused(facts, [L4], max_model_length=300_000, gpus_per_replica=1)
    assert "gpusPerReplica to 2" in problem.message


def test_a_useful_length_is_worth_more_gpus() -> None:
    """Without a length asked for, one GPU with few tokens gives way to two with enough."""
    heavy = changed(QWEN2_7B_INT8, weights_bytes=int(17.75 * GIB))
    assert gpu_planned(heavy, [L4]).tensor_parallel_size == 2
    alone = gpu_planned(heavy, [L4_SINGLE])
    assert alone.tensor_parallel_size == 1
    assert 0 < alone.max_model_length < 8192
    assert any("of the model's 32768 tokens fit" in text for text in alone.warnings)


def test_windowed_attention_needs_less_than_it_seems() -> None:
    """A length that only windowed attention makes room for is planned, with a warning."""
    facts = changed(QWEN2_7B_INT8, weights_bytes=int(16.5 * GIB), sliding_window=4096)
    plan = gpu_planned(facts, [L4_SINGLE], max_model_length=32768)
    whole = kv_cache_tokens(plan.kv_cache_bytes_per_gpu, kv_bytes_per_token(facts, 1, "auto"), 16)
    assert plan.max_model_length == 32768 > whole
    assert float(plan.max_concurrency) >= 1
    assert any("windowed" in text for text in plan.warnings)
    full = changed(facts, sliding_window=0)
    assert gpu_refused(full, [L4_SINGLE], max_model_length=32768).reason == "ModelLengthTooLong"


@pytest.mark.parametrize(("utilization", "warned"), [(0.92, False), (0.97, True)])
def test_little_room_for_graphs_is_warned_about(utilization: float, *, warned: bool) -> None:
    """Less than 1 GiB outside of the utilisation is planned, and said so."""
    plan = gpu_planned(QWEN2_7B_INT4, [L4], gpu_memory_utilization=utilization)
    assert any("CUDA graphs" in text for text in plan.warnings) == warned


@pytest.mark.parametrize(
    ("version", "said"), [("0.25.1", ""), ("0.30.0", "not measured"), ("0.41.0", "newer than")]
)
def test_versions_are_warned_about_once(version: str, said: str) -> None:
    """Measured versions carry no warning, others one that says what is not known."""
    texts = gpu_planned(QWEN2_7B_INT4, [L4], engine_version=version).warnings
    assert len(texts) == (1 if said else 0)
    assert all(said in text for text in texts)


def test_a_refusal_for_memory_gives_both_sizes() -> None:
    """When weights fill the card the refusal says what they take and what there is."""
    problem = gpu_refused(QWEN2_72B_INT4, [T4])
    known = known_accelerator("Tesla-T4")
    assert known is not None
    assert f"38.6 of {known.memory_bytes / GIB:.1f} GiB" in problem.message


def test_a_checkpoint_that_no_gpu_takes_is_refused() -> None:
    """Groups that no number of GPUs keeps whole are the checkpoint's fault, not the cluster's."""
    problem = gpu_refused(changed(QWEN2_7B_INT4, intermediate_size=18945), [L4])
    assert (problem.reason, problem.field) == ("UnsupportedGroupSize", "spec.model.uri")


@pytest.mark.parametrize("length", [0, 32769])
def test_a_length_beyond_the_model_is_refused(length: int) -> None:
    """A length the model was not made for is refused on the largest GPU too."""
    problem = gpu_refused(QWEN2_7B_INT4, [H100], max_model_length=length)
    assert (problem.reason, problem.field) == ("ModelLengthTooLong", "spec.engine.maxModelLen")


def test_no_room_at_all_is_a_matter_of_memory_not_of_length() -> None:
    """When no KV cache is left, a requested length is refused for the memory, not for itself."""
    problem = gpu_refused(QWEN2_72B_INT4, [T4], max_model_length=1)
    assert (problem.reason, problem.field) == (
        "InsufficientGpuMemory",
        "spec.hardware.products",
    )
