"""Which GPTQ checkpoints are served: pairs just legal and just illegal for each rule."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantized_model_operator.domain.activation_dtype import resolve_dtype, served_dtype
from quantized_model_operator.domain.engine_version import EngineVersion
from quantized_model_operator.domain.outcome import Problem
from quantized_model_operator.domain.quantization import (
    Device,
    compute_capability_problem,
    nearest,
    quantization_problems,
)
from quantized_model_operator.domain.tensor_facts import LinearShape
from unit.domain.model_shapes import QWEN2_7B_INT4, QWEN2_7B_INT8, TINY_INT4, changed

NEWEST = EngineVersion(0, 33)
VERSIONS = [EngineVersion(0, minor) for minor in (11, 20, 25, 26, 29, 30, 32, 33, 99)]


def reasons(device: Device = "GPU", version: EngineVersion = NEWEST, **changes: Any) -> list[str]:  # noqa: ANN401
    """Why a changed 7B checkpoint is refused."""
    facts = changed(QWEN2_7B_INT4, **changes)
    return [problem.reason for problem in quantization_problems(facts, version, device)]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("group_size", [-1, 32, 64, 128])
@pytest.mark.parametrize("bits", [4, 8])
def test_what_works_is_never_refused(bits: int, group_size: int, version: EngineVersion) -> None:
    """4 and 8 bits, symmetric, without act-order are served by every version at any group size."""
    assert reasons(bits=bits, group_size=group_size, version=version) == []


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("bits", [2, 3, 5, 6, 7, 16])
def test_other_bits_are_refused(bits: int, version: EngineVersion) -> None:
    """Bits other than 4 and 8 are refused by every version: only Exllama would take them."""
    assert reasons(bits=bits, version=version) == ["UnsupportedBits"]


@pytest.mark.parametrize(("bits", "suggested"), [(2, 4), (3, 4), (5, 4), (6, 8), (7, 8), (16, 8)])
def test_the_nearest_bits_are_suggested(bits: int, suggested: int) -> None:
    """The message about bits ends with the closest number that is served."""
    problem = quantization_problems(changed(QWEN2_7B_INT4, bits=bits), NEWEST, "GPU")[0]
    assert problem.message.endswith(f"with bits {suggested}")


def test_asymmetric_checkpoints_are_refused() -> None:
    """``sym: false`` is refused, and the message says how to quantise instead."""
    problem = quantization_problems(changed(QWEN2_7B_INT4, symmetric=False), NEWEST, "GPU")[0]
    assert (problem.reason, problem.field) == ("UnsupportedSymmetry", "spec.model.uri")
    assert "sym true" in problem.message


@pytest.mark.parametrize(
    ("group_size", "suggested"), [(16, 32), (31, 32), (33, 32), (96, 128), (256, 128), (0, 32)]
)
def test_other_group_sizes_are_refused(group_size: int, suggested: int) -> None:
    """A group size that no kernel takes is refused with the closest that one does."""
    problem = quantization_problems(changed(QWEN2_7B_INT4, group_size=group_size), NEWEST, "GPU")[0]
    assert problem.reason == "UnsupportedGroupSize"
    assert problem.message.endswith(f"group size {suggested}")


@pytest.mark.parametrize(
    ("version", "refused"),
    [
        (EngineVersion(0, 11), False),
        (EngineVersion(0, 20), False),
        (EngineVersion(0, 25, 9), False),
        (EngineVersion(0, 26), False),
        (EngineVersion(0, 29, 1), False),
        (EngineVersion(0, 30), True),
        (EngineVersion(0, 33), True),
        (EngineVersion(1, 0), True),
    ],
)
def test_act_order_with_groups_ends_with_0_29(version: EngineVersion, *, refused: bool) -> None:
    """Act-order with groups is served up to vLLM 0.29 and refused from 0.30 on."""
    expected = ["UnsupportedActOrder"] if refused else []
    assert reasons(desc_act=True, version=version) == expected


def test_act_order_without_groups_is_served() -> None:
    """Act-order with group size -1 changes nothing and is served by the newest version."""
    assert reasons(desc_act=True, group_size=-1) == []


def test_all_problems_are_told_at_once() -> None:
    """A checkpoint with four faults gets four refusals, each about the checkpoint."""
    facts = changed(QWEN2_7B_INT4, bits=3, symmetric=False, group_size=16, desc_act=True)
    problems = quantization_problems(facts, NEWEST, "GPU")
    assert [problem.reason for problem in problems] == [
        "UnsupportedBits",
        "UnsupportedSymmetry",
        "UnsupportedGroupSize",
        "UnsupportedActOrder",
    ]
    assert {problem.field for problem in problems} == {"spec.model.uri"}


def test_int4_is_served_on_cpu_and_int8_is_not() -> None:
    """On CPU 4 bits are served and 8 bits refused, at the field that can change."""
    assert quantization_problems(TINY_INT4, NEWEST, "CPU") == ()
    problems = quantization_problems(QWEN2_7B_INT8, NEWEST, "CPU")
    assert [(item.reason, item.field) for item in problems] == [
        ("UnsupportedOnCpu", "spec.hardware.device")
    ]


@pytest.mark.parametrize(
    ("intermediate_size", "refused"), [(512, False), (544, False), (528, True), (496, True)]
)
def test_cpu_shapes_are_multiples_of_32(intermediate_size: int, *, refused: bool) -> None:
    """The CPU kernel takes K and N that are multiples of 32 only."""
    facts = changed(TINY_INT4, intermediate_size=intermediate_size, group_size=-1)
    found = [problem.reason for problem in quantization_problems(facts, NEWEST, "CPU")]
    assert found == (["UnsupportedOnCpu"] if refused else [])


@pytest.mark.parametrize(
    ("version", "capability", "refused"),
    [
        (NEWEST, (7, 5), False),
        (NEWEST, (7, 0), True),
        (NEWEST, (12, 0), False),
        (EngineVersion(0, 11), (8, 0), False),
        (EngineVersion(0, 11), (7, 5), True),
        (EngineVersion(0, 20), (7, 5), False),
    ],
)
def test_compute_capability_has_a_floor(
    version: EngineVersion, capability: tuple[int, int], *, refused: bool
) -> None:
    """A GPU below the floor of the version is refused, one at the floor is not."""
    problem = compute_capability_problem(version, capability, "Otter-1")
    assert (problem is not None) == refused
    assert problem is None or problem.reason == "ComputeCapabilityTooLow"


@pytest.mark.parametrize(
    ("version", "generation"), [(NEWEST, "a Turing"), (EngineVersion(0, 11), "an Ampere")]
)
def test_the_generation_to_buy_is_named(version: EngineVersion, generation: str) -> None:
    """The refusal of an old GPU names the generation from which on this version serves."""
    problem = compute_capability_problem(version, (7, 0), "Otter-1")
    assert problem is not None
    assert f"choose {generation} or newer" in problem.message
    assert "compute capability 7.0" in problem.message


@pytest.mark.parametrize(
    ("requested", "own", "capability", "dtype"),
    [
        (None, "float16", (8, 0), "float16"),
        (None, "bfloat16", (8, 0), "bfloat16"),
        ("auto", "bfloat16", (9, 0), "bfloat16"),
        (None, "bfloat16", (7, 5), "float16"),
        (None, "float32", (8, 0), "float16"),
        (None, "", (8, 0), "float16"),
        (None, "bfloat16", None, "float16"),
        ("half", "bfloat16", (7, 5), "float16"),
        ("bfloat16", "float16", (8, 0), "bfloat16"),
        ("bfloat16", "float16", None, "bfloat16"),
        ("float16", "bfloat16", (9, 0), "float16"),
    ],
)
def test_dtype_is_the_checkpoints_own_where_it_runs(
    requested: str | None, own: str, capability: tuple[int, int] | None, dtype: str
) -> None:
    """A request wins, else the checkpoint's dtype, else float16; CPU defaults to float16."""
    assert resolve_dtype(requested, own, capability) == dtype


@pytest.mark.parametrize(
    ("requested", "capability"),
    [("bfloat16", (7, 5)), ("bf16", (7, 5)), ("float32", (9, 0)), ("float32", None)],
)
def test_dtypes_that_cannot_run_are_refused(
    requested: str, capability: tuple[int, int] | None
) -> None:
    """bfloat16 below 8.0 and float32 anywhere are refused, with float16 as the remedy."""
    problem = resolve_dtype(requested, "float16", capability)
    assert isinstance(problem, Problem)
    assert (problem.reason, problem.field) == ("DtypeUnsupported", "spec.engine.dtype")
    assert "use float16" in problem.message


def test_act_order_is_refused_where_any_linear_has_groups() -> None:
    """A rule that gives one linear groups is enough, though the base has one group per column."""
    rows = (
        LinearShape("qkv_proj", 3584, 4608, "column", "dense", 28, 4, -1),
        LinearShape("down_proj", 18944, 3584, "row", "dense", 28, 4, 128),
    )
    base = changed(QWEN2_7B_INT4, group_size=-1, desc_act=True)
    version = EngineVersion(0, 33)
    assert quantization_problems(base, version, "GPU") == ()
    (problem,) = quantization_problems(changed(base, linears=rows), version, "GPU")
    assert problem.reason == "UnsupportedActOrder"
    assert "with group size 128" in problem.message
    assert quantization_problems(changed(base, linears=rows[:1]), version, "GPU") == ()


@pytest.mark.parametrize("model_type", ["gemma2", "gemma3", "gemma3_text", "glm4", "plamo2"])
@pytest.mark.parametrize(
    ("requested", "capability", "dtype"),
    [
        (None, (8, 0), "bfloat16"),
        ("auto", (9, 0), "bfloat16"),
        (None, None, "bfloat16"),
        ("bfloat16", (8, 0), "bfloat16"),
    ],
)
def test_families_that_overflow_run_in_bfloat16(
    model_type: str, requested: str | None, capability: tuple[int, int] | None, dtype: str
) -> None:
    """Whatever dtype they were quantised in, Gemma 2 and 3 and their like get bfloat16."""
    facts = changed(QWEN2_7B_INT4, model_type=model_type)
    assert served_dtype(facts, requested, capability) == dtype
    assert served_dtype(QWEN2_7B_INT4, "float16", capability) == "float16"


@pytest.mark.parametrize(
    ("requested", "capability", "field", "remedy"),
    [
        ("float16", (8, 0), "spec.engine.dtype", "leave dtype out"),
        ("half", None, "spec.engine.dtype", "leave dtype out"),
        (None, (7, 5), "spec.hardware.products", "an Ampere or newer GPU"),
        ("auto", (7, 5), "spec.hardware.products", "an Ampere or newer GPU"),
        ("float16", (7, 5), "spec.hardware.products", "an Ampere or newer GPU"),
        ("bfloat16", (7, 5), "spec.hardware.products", "an Ampere or newer GPU"),
    ],
)
def test_float16_is_refused_where_it_overflows(
    requested: str | None, capability: tuple[int, int] | None, field: str, remedy: str
) -> None:
    """On request, and on GPUs that have nothing else, with what to change."""
    problem = served_dtype(changed(QWEN2_7B_INT4, model_type="gemma2"), requested, capability)
    assert isinstance(problem, Problem)
    assert (problem.reason, problem.field) == ("DtypeUnsupported", field)
    assert remedy in problem.message


@given(
    bits=st.integers(1, 16),
    symmetric=st.booleans(),
    group_size=st.integers(-1, 512),
    desc_act=st.booleans(),
    version=st.sampled_from(VERSIONS),
)
def test_a_refusal_names_exactly_the_broken_rules(
    *, bits: int, symmetric: bool, group_size: int, desc_act: bool, version: EngineVersion
) -> None:
    """Any combination is refused for the rules it breaks and for no other."""
    found = reasons(
        bits=bits, symmetric=symmetric, group_size=group_size, desc_act=desc_act, version=version
    )
    act_order = desc_act and group_size != -1 and version >= EngineVersion(0, 30)
    assert ("UnsupportedBits" in found) == (bits not in {4, 8})
    assert ("UnsupportedSymmetry" in found) == (not symmetric)
    assert ("UnsupportedGroupSize" in found) == (group_size not in {-1, 32, 64, 128})
    assert ("UnsupportedActOrder" in found) == act_order


@given(st.integers(-100, 1000))
def test_nearest_is_legal_and_closest(value: int) -> None:
    """The nearest legal value is legal, and none is closer."""
    legal = (32, 64, 128)
    found = nearest(value, legal)
    assert found in legal
    assert abs(found - value) == min(abs(item - value) for item in legal)
