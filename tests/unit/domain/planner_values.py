"""Checkpoints, specs and nodes of any kind, for the properties of the whole planner."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from checkpoints import TINY
from golden.plan_questions import Question
from quantized_model_operator.domain.accelerators import KNOWN_ACCELERATORS
from quantized_model_operator.domain.checkpoint import InspectionReport
from quantized_model_operator.domain.tensor_facts import (
    LinearShape,
    MixtureOfExperts,
    TensorBytes,
)
from unit.domain.model_shapes import changed, gpu_node

if TYPE_CHECKING:
    from quantized_model_operator.domain.checkpoint import CheckpointFacts
    from quantized_model_operator.domain.cluster_state import ObservedNode

MIB = 1 << 20
GIB = 1 << 30
Drawn = dict[str, Any]

WIDTHS = st.one_of(
    st.integers(1, 40).map(lambda number: 1024 * number),
    st.integers(1, 320).map(lambda number: 128 * number),
    st.integers(1, 640).map(lambda number: 32 * number),
)
YES, NO = st.sampled_from([True]), st.sampled_from([False])
VERSIONS = ("0.11.0", "0.20.1", "0.25.1", "0.26.0", "0.30.0", "0.33.0", "0.40.0", "1.2.3")


@st.composite
def mixtures(draw: st.DrawFn, layers: int) -> MixtureOfExperts:
    """Experts of a decoder with so many layers."""
    experts = draw(st.sampled_from([2, 8, 60, 64, 128, 256]))
    return MixtureOfExperts(
        experts=experts,
        experts_per_token=draw(st.integers(1, min(8, experts))),
        expert_intermediate_size=draw(WIDTHS),
        shared_intermediate_size=draw(st.just(0) | WIDTHS),
        sparse_layers=draw(st.integers(1, layers)),
    )


@st.composite
def bytes_by_class(draw: st.DrawFn, total_bytes: int) -> TensorBytes:
    """Bytes of tensors that add up to about so many."""
    names = ("embedding", "head", "linear", "expert", "dense", "whole", "outside")
    parts = {name: draw(st.integers(0, 10)) for name in names}
    whole = sum(parts.values()) or 1
    sizes = {f"{name}_bytes": total_bytes * part // whole for name, part in parts.items()}
    return TensorBytes(
        **sizes,
        zeros_bytes=sizes["linear_bytes"] // 40,
        index_bytes=sizes["linear_bytes"] // 400,
        expert_zeros_bytes=sizes["expert_bytes"] // 40,
        expert_index_bytes=sizes["expert_bytes"] // 400,
    )


@st.composite
def linear_shapes(draw: st.DrawFn, bits: tuple[int, ...] = (4, 8, 16)) -> LinearShape:
    """A linear of any size."""
    return LinearShape(
        name=draw(st.sampled_from(["q_proj", "o_proj", "down_proj", "mixer.join"])),
        inputs=draw(WIDTHS),
        outputs=draw(WIDTHS),
        split=draw(st.sampled_from(["column", "row", "whole"])),
        kind=draw(st.sampled_from(["dense", "expert"])),
        count=draw(st.integers(1, 200)),
        bits=draw(st.sampled_from(bits)),
        group_size=draw(st.sampled_from([-1, 32, 64, 128])),
    )


@st.composite
def all_linears(draw: st.DrawFn) -> tuple[LinearShape, ...]:
    """Linears as the tensors may show them; a GPTQ checkpoint has a quantised one at least."""
    quantized = draw(linear_shapes(bits=(4, 8)))
    return (quantized, *draw(st.lists(linear_shapes(), max_size=3)))


@st.composite
def checkpoints(draw: st.DrawFn, *, usual: bool = False) -> CheckpointFacts:
    """A checkpoint of any shape; a usual one is what GPTQ tools make of dense models."""
    kv_heads = draw(st.sampled_from([8, 4, 2, 1, 16, 32, 10, 5, 3]))
    ratio = draw(st.sampled_from([4, 8, 1, 2, 7, 3, 12]))
    head_size = draw(st.sampled_from([64, 80, 96, 128, 256]))
    layers = draw(st.integers(1, 96))
    weights_bytes = draw(st.integers(10 * MIB, 20 * GIB) | st.integers(10 * MIB, 160 * GIB))
    facts = changed(
        TINY,
        dtype=draw(st.sampled_from(["float16", "bfloat16", "float32", ""])),
        bits=draw(st.sampled_from([4, 8])),
        group_size=draw(st.sampled_from([128, 64, 32, -1])),
        weights_bytes=weights_bytes,
        parameters=draw(st.integers(10**6, 2 * 10**11)),
        layers=layers,
        hidden_size=draw(st.just(kv_heads * ratio * head_size) | WIDTHS),
        intermediate_size=draw(WIDTHS),
        heads=kv_heads * ratio,
        kv_heads=kv_heads,
        head_size=head_size,
        vocabulary=draw(st.integers(500, 300_000)),
        max_model_length=draw(st.sampled_from([0, 512, 2048, 4096, 32_768, 131_072, 1_048_576])),
        tied_embeddings=draw(st.booleans()),
    )
    return facts if usual else changed(facts, **draw(_unusual(layers, weights_bytes)))


@st.composite
def _unusual(draw: st.DrawFn, layers: int, weights_bytes: int) -> Drawn:
    """Facts that most checkpoints leave alone, some of which vLLM refuses."""
    return {
        **draw(_seldom({"bits": st.sampled_from([2, 3]), "symmetric": NO})),
        **draw(_seldom({"desc_act": YES})),
        "quantized_lm_head": draw(st.booleans()),
        "sliding_window": draw(st.sampled_from([0, 0, 512, 4096, 262_144])),
        "full_attention_layers": draw(st.integers(0, layers)),
        "quantization_argument": draw(st.booleans()),
        "mixture": draw(st.none() | mixtures(layers)),
        "tensor_bytes": draw(st.none() | bytes_by_class(weights_bytes)),
        "linears": draw(st.just(()) | all_linears()),
    }


def _fields(choices: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Drawn]:
    """Some of the fields."""
    return st.fixed_dictionaries({}, optional=choices)


def _seldom(choices: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Drawn]:
    """Nothing, or once in ten times some of the fields."""
    return st.integers(0, 9).flatmap(
        lambda number: _fields(choices) if number == 9 else st.just({})
    )


KNOWN_PRODUCTS = tuple(accelerator.product for accelerator in KNOWN_ACCELERATORS)
PRODUCTS = st.sampled_from((*KNOWN_PRODUCTS, "NVIDIA-Otter", "NVIDIA-L4-SHARED"))


@st.composite
def nodes(draw: st.DrawFn) -> ObservedNode:
    """A node with GPUs of any kind, known, unknown or shared."""
    return gpu_node(
        draw(st.sampled_from(["a", "b", "c"])),
        draw(PRODUCTS),
        draw(st.sampled_from([8, 4, 2, 1, 0])),
        memory_mib=draw(st.none() | st.integers(4_000, 200_000)),
        compute_capability=draw(
            st.none() | st.sampled_from([(6, 1), (7, 0), (7, 5), (8, 0), (8, 9), (9, 0), (12, 0)])
        ),
        schedulable=draw(st.sampled_from([True, True, True, False])),
    )


ENGINES = st.builds(
    lambda usual, unusual: {**usual, **unusual},
    _fields(
        {
            "version": st.sampled_from(VERSIONS),
            "maxModelLen": st.sampled_from([100, 512, 4096, 32_768]),
            "dtype": st.sampled_from(["auto", "float16", "bfloat16"]),
            "kvCacheDtype": st.sampled_from(["auto", "float16", "fp8", "fp8_e5m2"]),
            "gpuMemoryUtilization": st.sampled_from([0.9, 0.95, 0.5]),
        }
    ),
    _seldom(
        {
            "maxModelLen": st.sampled_from([1, 200_000, 10_000_000]),
            "gpuMemoryUtilization": st.sampled_from([0.05, 0.3, 1.0]),
            "maxNumSeqs": st.sampled_from([1, 64, 1024, 65_536]),
            "maxNumBatchedTokens": st.sampled_from([1, 512, 8192, 1_048_576]),
        }
    ),
)
HARDWARE = st.builds(
    lambda usual, unusual: {**usual, **unusual},
    _fields({"gpusPerReplica": st.sampled_from([1, 2, 4, 8])}),
    _seldom(
        {
            "gpusPerReplica": st.integers(1, 16),
            "products": st.lists(PRODUCTS, min_size=1, max_size=3, unique=True),
            "resourceName": st.sampled_from(
                ["nvidia.com/gpu", "amd.com/gpu", "nvidia.com/gpu.shared"]
            ),
        }
    ),
)
ON_CPU = _fields({"memory": st.sampled_from(["64Gi", "500Gi", "6Gi", "1Gi"])})


@st.composite
def questions(draw: st.DrawFn) -> Question:
    """Anything that can be asked of the planner."""
    on_cpu = draw(st.sampled_from([False, False, False, False, True]))
    engine = draw(ENGINES)
    if on_cpu:
        engine.pop("gpuMemoryUtilization", None)
    hardware = {"device": "CPU", **draw(ON_CPU)} if on_cpu else draw(HARDWARE)
    return Question(
        name="any",
        report=InspectionReport(facts=draw(checkpoints(usual=True) | checkpoints())),
        spec={"model": {"uri": TINY.uri}, "engine": engine, "hardware": hardware},
        nodes=tuple(draw(st.lists(nodes(), min_size=0 if on_cpu else 1, max_size=3))),
    )
