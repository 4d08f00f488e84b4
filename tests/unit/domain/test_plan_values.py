"""The text that records a plan: whole, small, versioned and checked."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantized_model_operator.domain.plan_values import (
    PLAN_LIMIT_BYTES,
    InvalidPlanError,
    ServingPlan,
    plan_from_json,
    plan_to_json,
)

PLAN = ServingPlan(
    engine_version="0.33.0",
    device="GPU",
    products=("NVIDIA-L4",),
    tensor_parallel_size=2,
    kernel="Marlin",
    dtype="float16",
    kv_cache_dtype="auto",
    weights_bytes_per_gpu=4_500_000_000,
    kv_cache_bytes_per_gpu=12_000_000_000,
    kv_cache_tokens=400_000,
    expected_kv_cache_tokens=480_000,
    max_model_length=32768,
    max_concurrency="12.2",
    gpu_memory_bytes=23_654_000_000,
    gpu_memory_utilization=0.92,
    kv_cache_memory_bytes=None,
    memory_request_bytes=11 << 30,
    cpu_request="4",
    nodes_that_fit=3,
    warnings=("memory of several GPUs per replica is estimated, not measured",),
    alternatives=("1 \N{MULTIPLICATION SIGN} NVIDIA-L40S: TP1, 500k KV tokens",),
)

texts = st.text(max_size=300)
sizes = st.integers(1, 2**63)
PLANS = st.builds(
    ServingPlan,
    engine_version=st.text(max_size=40),
    device=st.sampled_from(["GPU", "CPU"]),
    products=st.lists(st.text(max_size=63), max_size=40).map(tuple),
    tensor_parallel_size=st.integers(1, 16),
    kernel=st.text(max_size=20),
    dtype=st.text(max_size=20),
    kv_cache_dtype=st.text(max_size=20),
    weights_bytes_per_gpu=sizes,
    kv_cache_bytes_per_gpu=sizes,
    kv_cache_tokens=sizes,
    expected_kv_cache_tokens=sizes,
    max_model_length=sizes,
    max_concurrency=st.text(max_size=20),
    gpu_memory_bytes=sizes,
    gpu_memory_utilization=st.floats(0.01, 1),
    kv_cache_memory_bytes=st.none() | sizes,
    memory_request_bytes=sizes,
    cpu_request=st.text(max_size=10),
    nodes_that_fit=st.integers(0, 10**6),
    warnings=st.lists(texts, max_size=30).map(tuple),
    alternatives=st.lists(texts, max_size=30).map(tuple),
)


def document(**changes: Any) -> str:  # noqa: ANN401
    """The recorded text of a plan with keys changed; ``...`` removes a key."""
    values = {**json.loads(plan_to_json(PLAN)), **changes}
    return json.dumps({key: value for key, value in values.items() if value is not ...})


def test_a_plan_comes_back_whole() -> None:
    """Reading a recorded plan of ordinary size gives the same plan."""
    assert plan_from_json(plan_to_json(PLAN)) == PLAN
    cpu = replace(PLAN, device="CPU", products=(), kv_cache_memory_bytes=1 << 26)
    assert plan_from_json(plan_to_json(cpu)) == cpu


def bare(plan: ServingPlan) -> ServingPlan:
    """The plan without its lists."""
    return replace(plan, warnings=(), alternatives=(), products=())


@given(PLANS)
def test_every_plan_is_small_and_readable(plan: ServingPlan) -> None:
    """Any plan is recorded in less than 4 KiB, and what decides a pod survives."""
    text = plan_to_json(plan)
    assert len(text.encode()) < PLAN_LIMIT_BYTES
    back = plan_from_json(text)
    assert bare(back) == bare(plan)
    assert back.products == plan.products[: len(back.products)]
    assert bool(back.products) == bool(plan.products)


def test_texts_go_before_products() -> None:
    """Too many warnings cost warnings and alternatives, never a product."""
    products = tuple(f"NVIDIA-OTTER-{number}" for number in range(20))
    noisy = replace(
        PLAN, products=products, warnings=("w" * 500,) * 40, alternatives=("a" * 500,) * 40
    )
    back = plan_from_json(plan_to_json(noisy))
    assert back.products == products
    assert back.alternatives == ()
    assert 0 < len(back.warnings) < 40


def test_recording_is_stable() -> None:
    """The same plan gives the same text, with sorted keys and without spaces."""
    text = plan_to_json(PLAN)
    assert text == plan_to_json(replace(PLAN))
    keys = list(json.loads(text))
    assert keys == sorted(keys)
    assert ": " not in text.replace("NVIDIA-L40S: ", "")


def test_keys_of_a_later_program_are_ignored() -> None:
    """A key this program does not know does not make the plan unreadable."""
    assert plan_from_json(document(otter="swims")) == PLAN


def test_a_whole_number_is_a_utilization_too() -> None:
    """A utilisation of 1 that JSON wrote without a point is read as a number."""
    assert plan_from_json(document(gpu_memory_utilization=1)).gpu_memory_utilization == 1.0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[]", "not an object"),
        ("{}", "not an object with a version"),
        (document(version=2), "unknown version 2"),
        (document(version=None), "unknown version None"),
        (document(kernel=...), "lacks kernel"),
        (document(kernel=7), "7 as kernel"),
        (document(device="TPU"), "'TPU' as device"),
        (document(device=["GPU"]), "as device"),
        (document(tensor_parallel_size="2"), "'2' as tensor_parallel_size"),
        (document(tensor_parallel_size=True), "True as tensor_parallel_size"),
        (document(tensor_parallel_size=0), "below 1"),
        (document(max_model_length=0), "below 1"),
        (document(kv_cache_memory_bytes=1.5), "1.5 as kv_cache_memory_bytes"),
        (document(gpu_memory_utilization="0.9"), "as gpu_memory_utilization"),
        (document(products="NVIDIA-L4"), "as products"),
        (document(warnings=[1]), "as warnings"),
    ],
)
def test_damaged_plans_are_told_apart(text: str, said: str) -> None:
    """Each way a record can be damaged is refused with what is wrong."""
    with pytest.raises(InvalidPlanError, match=said):
        plan_from_json(text)


@given(st.text(max_size=200))
def test_no_text_breaks_the_reader(text: str) -> None:
    """Any text is either a plan or refused as none."""
    with pytest.raises(InvalidPlanError):
        plan_from_json(text)


def test_a_plan_that_cannot_be_recorded_is_refused() -> None:
    """A single name too long for the record is an error, not a cut name."""
    with pytest.raises(InvalidPlanError, match="does not fit"):
        plan_to_json(replace(PLAN, products=("x" * 5000,)))
