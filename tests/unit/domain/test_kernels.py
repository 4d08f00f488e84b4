"""Which kernel vLLM selects, against what its logs said and what its rules say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantized_model_operator.domain.engine_version import EngineVersion
from quantized_model_operator.domain.kernels import (
    KERNELS,
    KERNELS_TO_DISABLE,
    KernelSetup,
    disabled_kernels,
    gpu_kernels,
    kernel_in_pod,
    kernel_order,
    select_kernel,
)
from quantized_model_operator.domain.linear_layers import LinearLayer
from quantized_model_operator.domain.tensor_parallel import legal_sizes
from unit.domain.model_shapes import (
    QWEN2_05B_INT4,
    QWEN2_7B_INT4,
    QWEN2_7B_INT8,
    changed,
)

if TYPE_CHECKING:
    from quantized_model_operator.domain.checkpoint import CheckpointFacts

V20 = EngineVersion(0, 20, 2)
V25 = EngineVersion(0, 25, 1)
V33 = EngineVersion(0, 33)


def layer(in_features: int, out_features: int, **changes: Any) -> LinearLayer:  # noqa: ANN401
    """One linear of a rank, of 4 bits in groups of 128."""
    shape = {"in_features": in_features, "out_features": out_features, "row_parallel": False}
    return LinearLayer(**{"name": "linear", "bits": 4, "group_size": 128, **shape, **changes})


def setup(
    compute_capability: tuple[int, int] = (8, 9),
    dtype: str = "float16",
    **changes: Any,  # noqa: ANN401
) -> KernelSetup:
    """An L4 with float16 and the newest vLLM, unless changed."""
    settings = {"engine_version": V33, **changes}
    return KernelSetup(compute_capability=compute_capability, dtype=dtype, **settings)


@pytest.mark.parametrize("facts", [QWEN2_7B_INT4, QWEN2_7B_INT8])
@pytest.mark.parametrize("version", [V25, V33])
def test_a_7b_on_hopper_runs_on_machete(facts: CheckpointFacts, version: EngineVersion) -> None:
    """As the logs of both versions on H200 say, Int4 and Int8 with group size 128 use Machete."""
    choice = gpu_kernels(facts, 1, "float16", (9, 0), version)
    assert choice is not None
    assert {name for _, name in choice.by_layer} == {"Machete"}


def test_group_size_32_on_hopper_runs_on_humming() -> None:
    """As the log of 0.33.0 on H200 says, group size 32 falls to Humming there."""
    choice = gpu_kernels(changed(QWEN2_7B_INT4, group_size=32), 1, "float16", (9, 0), V33)
    assert choice is not None
    assert choice.main == "Humming"


def test_a_misaligned_fused_linear_gets_another_kernel_than_the_rest() -> None:
    """Where q+k+v of a 0.5B do not fit Machete, Marlin takes them, since Humming is disabled."""
    straddling = QWEN2_05B_INT4
    fitting = changed(straddling, group_size=64)
    choice = gpu_kernels(fitting, 2, "float16", (9, 0), V33)
    assert choice is not None
    assert dict(choice.by_layer) == {
        "qkv_proj": "Marlin",
        "o_proj": "Machete",
        "gate_up_proj": "Machete",
        "down_proj": "Machete",
    }
    assert choice.main == "Machete"
    assert gpu_kernels(straddling, 2, "float16", (9, 0), V33) is None


@pytest.mark.parametrize("capability", [(7, 5), (8, 0), (8, 6), (8, 9), (10, 0), (12, 0)])
def test_elsewhere_marlin_is_used(capability: tuple[int, int]) -> None:
    """Every other compute capability from 7.5 on uses Marlin in float16."""
    choice = gpu_kernels(QWEN2_7B_INT4, 1, "float16", capability, V33)
    assert choice is not None
    assert choice.main == "Marlin"


@pytest.mark.parametrize(
    ("in_features", "out_features", "kernel"),
    [(64, 128, "Machete"), (96, 128, "Humming"), (64, 64, "Humming"), (64, 192, "Humming")],
)
def test_machete_needs_its_tiles(in_features: int, out_features: int, kernel: str) -> None:
    """Machete takes K in multiples of 64 and N in multiples of 128 only."""
    linear = layer(in_features, out_features, group_size=-1)
    assert select_kernel(linear, setup((9, 0))) == kernel


@pytest.mark.parametrize(
    ("capability", "version", "order"),
    [
        ((9, 0), V33, ["Machete", "Humming", "Marlin", "Humming"]),
        ((9, 0), EngineVersion(0, 32), ["Machete", "Humming", "Marlin", "Humming"]),
        ((9, 0), EngineVersion(0, 31), ["Machete", "Marlin", "Humming"]),
        ((9, 0), V25, ["Machete", "Marlin", "Marlin", "Humming"]),
        ((9, 0), V20, ["Machete", "Marlin"]),
        ((8, 9), V33, ["Marlin", "Humming"]),
        ((8, 9), EngineVersion(0, 30), ["AllSpark", "Marlin", "Humming"]),
        ((8, 9), EngineVersion(0, 31), ["Marlin", "Humming"]),
        ((7, 0), V33, []),
    ],
)
def test_kernels_are_tried_in_the_order_of_the_version(
    capability: tuple[int, int], version: EngineVersion, order: list[str]
) -> None:
    """Humming precedes Marlin on 9.0 from vLLM 0.32 on; AllSpark ends with 0.30."""
    assert [row.name for row in kernel_order(capability, version)] == order


@pytest.mark.parametrize(
    ("dtype", "capability", "kernel"),
    [
        ("float16", (7, 5), "Marlin"),
        ("float16", (7, 0), None),
        ("bfloat16", (8, 0), "Marlin"),
    ],
)
def test_capability_and_dtype_decide(
    dtype: str, capability: tuple[int, int], kernel: str | None
) -> None:
    """Below 7.5 there is no kernel; bfloat16 runs on Marlin from 8.0 on."""
    assert select_kernel(layer(256, 256), setup(capability, dtype)) == kernel


@pytest.mark.parametrize(("in_features", "kernel"), [(384, "Marlin"), (448, None), (64, None)])
def test_a_straddled_group_has_no_kernel(in_features: int, kernel: str | None) -> None:
    """A row-parallel linear whose rank holds no whole groups is planned onto nothing."""
    straddling = layer(in_features, 896, row_parallel=True)
    assert select_kernel(straddling, setup()) == kernel


@pytest.mark.parametrize(
    ("in_features", "out_features", "version", "kernel"),
    [
        (128, 64, V20, "Marlin"),
        (192, 64, V20, None),
        (128, 96, V20, None),
        (192, 96, EngineVersion(0, 24), "Marlin"),
        (192, 96, EngineVersion(0, 23), "Humming"),
    ],
)
def test_old_marlin_takes_whole_tiles_only(
    in_features: int, out_features: int, version: EngineVersion, kernel: str | None
) -> None:
    """Up to vLLM 0.23 Marlin takes K in multiples of 128 and N of 64; 0.24 pads the rest."""
    linear = layer(in_features, out_features, group_size=64)
    assert select_kernel(linear, setup(engine_version=version)) == kernel


@pytest.mark.parametrize(
    ("row_parallel", "size", "in_features", "kernel"),
    [(False, 2, 256, "Machete"), (True, 1, 256, "Machete"), (True, 2, 256, "Marlin")],
)
def test_act_order_cannot_be_split_on_machete(
    *, row_parallel: bool, size: int, in_features: int, kernel: str
) -> None:
    """Rows in act-order that several ranks share go to Marlin, all others stay on Machete."""
    linear = layer(in_features, 256, row_parallel=row_parallel)
    chosen = setup((9, 0), engine_version=V25, act_order=True, tensor_parallel_size=size)
    assert select_kernel(linear, chosen) == kernel


def test_act_order_is_not_padded() -> None:
    """A version that pads odd shapes does not do so in act-order, and nothing else takes them."""
    linear = layer(192, 96, group_size=64)
    assert select_kernel(linear, setup(engine_version=V25)) == "Marlin"
    assert select_kernel(linear, setup(engine_version=V25, act_order=True)) is None


def test_eight_bits_in_one_group_ran_on_allspark() -> None:
    """On Ampere and Ada up to vLLM 0.30 one group of 8 bits per column is AllSpark's."""
    linear = layer(256, 256, bits=8, group_size=-1)
    old = EngineVersion(0, 30)
    assert select_kernel(linear, setup(engine_version=old)) == "AllSpark"
    assert select_kernel(linear, setup((9, 0), engine_version=old)) == "Machete"
    assert select_kernel(linear, setup(engine_version=V33)) == "Marlin"
    assert select_kernel(layer(256, 256, bits=8), setup(engine_version=old)) == "Marlin"


@given(
    facts=st.sampled_from([QWEN2_7B_INT4, QWEN2_7B_INT8, QWEN2_05B_INT4]),
    group_size=st.sampled_from([-1, 32, 64, 128]),
    capability=st.sampled_from([(7, 5), (8, 0), (8, 6), (8, 9), (9, 0), (10, 0), (12, 0)]),
    version=st.sampled_from([EngineVersion(0, 24), V25, V33, EngineVersion(0, 40)]),
)
def test_every_legal_size_has_a_kernel_that_is_not_exllama(
    facts: CheckpointFacts, group_size: int, capability: tuple[int, int], version: EngineVersion
) -> None:
    """Whatever is legal to split runs on kernels that the pod leaves enabled, not Exllama."""
    chosen = changed(facts, group_size=group_size)
    for size in legal_sizes(chosen, 8):
        choice = gpu_kernels(chosen, size, "float16", capability, version)
        assert choice is not None
        used = {name for _, name in choice.by_layer}
        assert used <= {"Machete", "Marlin", "Humming", "AllSpark"}
        enabled = {f"{name}LinearKernel" for name in used}
        assert enabled.isdisjoint(disabled_kernels(choice.main))


def test_the_main_kernel_is_the_one_with_most_weights() -> None:
    """A wide q+k+v on Humming outweighs three narrower linears on Machete."""
    facts = changed(
        QWEN2_7B_INT4,
        heads=129,
        kv_heads=129,
        head_size=64,
        hidden_size=128,
        intermediate_size=128,
        group_size=64,
    )
    choice = gpu_kernels(facts, 1, "float16", (9, 0), V33)
    assert choice is not None
    assert [kernel for _, kernel in choice.by_layer] == ["Humming"] + ["Machete"] * 3
    assert choice.main == "Humming"


@pytest.mark.parametrize(
    ("backend", "capability", "main"),
    [
        ("marlin", (9, 0), "Marlin"),
        ("machete", (9, 0), "Machete"),
        ("machete", (8, 9), None),
        ("humming", (8, 9), "Humming"),
        ("cutlass", (9, 0), None),
        ("auto", (9, 0), "Machete"),
        ("torch", (8, 9), "Marlin"),
    ],
)
def test_a_named_backend_is_the_only_kernel(
    backend: str, capability: tuple[int, int], main: str | None
) -> None:
    """A kernel that the user names is used or there is none; names of no dense one do nothing."""
    choice = gpu_kernels(QWEN2_7B_INT4, 1, "float16", capability, V33, linear_backend=backend)
    assert (choice.main if choice else None) == main


@pytest.mark.parametrize(
    ("main", "planned", "used"),
    [
        ("Humming", "Marlin", "Marlin"),
        ("Humming", "Humming", "Humming"),
        ("Machete", "Marlin", "Machete"),
        ("Marlin", "Humming", "Marlin"),
    ],
)
def test_a_pod_has_the_kernels_of_its_plan(main: str, planned: str, used: str) -> None:
    """On a GPU other than the planned one Humming gives way to Marlin, since it is disabled."""
    assert kernel_in_pod(main, planned) == used


def test_the_safety_net_keeps_the_kernels_that_plans_use() -> None:
    """What is always disabled is no kernel that a plan may end on, and Exllama is among it."""
    used = {f"{row.name}LinearKernel" for row in KERNELS}
    assert used.isdisjoint(KERNELS_TO_DISABLE)
    assert "ExllamaLinearKernel" in KERNELS_TO_DISABLE
    assert disabled_kernels("Humming") == KERNELS_TO_DISABLE
    assert disabled_kernels("Machete")[-1] == "HummingLinearKernel"
