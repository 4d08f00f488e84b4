"""Pure: which matrix kernel vLLM selects for the quantised linears of a plan.

Shapes are per rank: ``K`` in-features, ``N`` out-features, ``g`` group size.
"""

from collections import Counter
from dataclasses import dataclass

from quantized_model_operator.domain.checkpoint import CheckpointFacts
from quantized_model_operator.domain.engine_version import EngineVersion
from quantized_model_operator.domain.linear_layers import LinearLayer, rank_layers
from quantized_model_operator.domain.quantization import ComputeCapability

CPU_KERNEL = "CPUWNA16"
"""Source: log of vLLM 0.32.0 on CPU, our measurement, 2026-11."""

HOPPER: ComputeCapability = (9, 0)

HUMMING_BEFORE_MARLIN_SINCE = EngineVersion(0, 33)
"""From when on Humming is tried before Marlin on compute capability 9.0.

Source: vLLM 0.33.0 kernels/linear, confirmed by log on H200 with group size 32, 2026-11; whether
earlier versions do so was not read.
"""

KERNELS_TO_DISABLE = ("ExllamaLinearKernel", "ConchLinearKernel", "TritonW4A16LinearKernel")
"""Kernels no plan ends on: a value for ``VLLM_DISABLED_KERNELS`` that turns a wrong plan into a
loud failure instead of wrong answers. Source: vLLM 0.33.0 kernels/linear, read, not run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelRow:
    """When one CUDA kernel accepts a linear; ``None`` means no rule."""

    name: str
    minimum_compute_capability: ComputeCapability
    maximum_compute_capability: ComputeCapability | None
    minimum_bfloat16_compute_capability: ComputeCapability
    group_sizes: tuple[int, ...] | None
    in_multiple: int
    out_multiple: int
    source: str


MACHETE = KernelRow(
    name="Machete",
    minimum_compute_capability=HOPPER,
    maximum_compute_capability=HOPPER,
    minimum_bfloat16_compute_capability=HOPPER,
    group_sizes=(-1, 64, 128),
    in_multiple=64,
    out_multiple=128,
    source="vLLM 0.33.0 mixed_precision/machete.py; log on H200 (0.25.1 and 0.33.0), 2026-11",
)
MARLIN = KernelRow(
    name="Marlin",
    minimum_compute_capability=(7, 5),
    maximum_compute_capability=None,
    minimum_bfloat16_compute_capability=(8, 0),
    group_sizes=(-1, 32, 64, 128),
    in_multiple=1,
    out_multiple=1,
    source="vLLM 0.33.0 mixed_precision/marlin.py: misaligned tiles are zero-padded, 2026-11",
)
HUMMING = KernelRow(
    name="Humming",
    minimum_compute_capability=(7, 5),
    maximum_compute_capability=None,
    minimum_bfloat16_compute_capability=(7, 5),
    group_sizes=None,
    in_multiple=1,
    out_multiple=1,
    source="vLLM 0.33.0 mixed_precision/humming.py: no shape check, 2026-11",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelChoice:
    """The kernel of each linear, and the one that does most of the work."""

    main: str
    by_layer: tuple[tuple[str, str], ...]
    """(name of the linear, name of the kernel), in the order of the layer."""


def kernel_order(
    compute_capability: ComputeCapability, engine_version: EngineVersion
) -> tuple[KernelRow, ...]:
    """The CUDA kernels a plan may end on, in vLLM's order of trial."""
    humming_first = (
        compute_capability == HOPPER and engine_version.release >= HUMMING_BEFORE_MARLIN_SINCE
    )
    return (MACHETE, HUMMING, MARLIN) if humming_first else (MACHETE, MARLIN, HUMMING)


def select_kernel(
    layer: LinearLayer,
    group_size: int,
    dtype: str,
    compute_capability: ComputeCapability,
    engine_version: EngineVersion,
) -> str | None:
    """Name of the kernel for one linear of one rank; ``None`` when none may be planned."""
    straddles = layer.row_parallel and group_size != -1 and layer.in_features % group_size != 0
    if straddles:
        return None
    for row in kernel_order(compute_capability, engine_version):
        if _accepts(row, layer, group_size, dtype, compute_capability):
            return row.name
    return None


def gpu_kernels(
    facts: CheckpointFacts,
    tensor_parallel_size: int,
    dtype: str,
    compute_capability: ComputeCapability,
    engine_version: EngineVersion,
) -> KernelChoice | None:
    """The kernels of all linears of one rank; ``None`` when one of them has none."""
    weights: Counter[str] = Counter()
    by_layer: list[tuple[str, str]] = []
    for layer in rank_layers(facts, tensor_parallel_size):
        name = select_kernel(layer, facts.group_size, dtype, compute_capability, engine_version)
        if name is None:
            return None
        weights[name] += layer.in_features * layer.out_features
        by_layer.append((layer.name, name))
    return KernelChoice(main=weights.most_common(1)[0][0], by_layer=tuple(by_layer))


def _accepts(
    row: KernelRow,
    layer: LinearLayer,
    group_size: int,
    dtype: str,
    compute_capability: ComputeCapability,
) -> bool:
    minimum = (
        row.minimum_bfloat16_compute_capability
        if dtype == "bfloat16"
        else row.minimum_compute_capability
    )
    maximum = row.maximum_compute_capability
    return (
        compute_capability >= minimum
        and (maximum is None or compute_capability <= maximum)
        and (row.group_sizes is None or group_size in row.group_sizes)
        and layer.in_features % row.in_multiple == 0
        and layer.out_features % row.out_multiple == 0
    )
