"""Pure: which GPTQ checkpoints a version of vLLM serves, and on which device.

Only what runs on Marlin, Machete, Humming or the CPU kernel counts as served: Exllama answers
garbage in float16 for some checkpoints, so nothing is planned onto it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from quantized_model_operator.domain.checkpoint import CheckpointFacts
from quantized_model_operator.domain.engine_rules_checkpoint import (
    ACT_ORDER_HAS_NO_GROUPS,
    BITS_ARE_SERVED,
    COMPUTE_CAPABILITY_IS_SERVED,
    CPU_BITS_ARE_SERVED,
    CPU_SHAPES_ARE_SERVED,
    GROUP_SIZE_IS_SERVED,
    SYMMETRY_IS_SERVED,
)
from quantized_model_operator.domain.engine_version import EngineVersion, row_for
from quantized_model_operator.domain.linear_layers import linear_layers
from quantized_model_operator.domain.outcome import Problem

Device = Literal["GPU", "CPU"]

ComputeCapability = tuple[int, int]
"""(major, minor) of an NVIDIA GPU, for example ``(8, 9)``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GptqRow:
    """What one range of vLLM versions serves of GPTQ."""

    since: EngineVersion
    bits: tuple[int, ...]
    group_sizes: tuple[int, ...]
    minimum_compute_capability: ComputeCapability
    source: str


GPTQ_ROWS = (
    GptqRow(
        since=EngineVersion(0, 11),
        bits=(4, 8),
        group_sizes=(-1, 32, 64, 128),
        minimum_compute_capability=(8, 0),
        source="vLLM 0.11 gptq_marlin.py, 2026-11; 2/3 bits and sym=false only run on Exllama",
    ),
    GptqRow(
        since=EngineVersion(0, 20),
        bits=(4, 8),
        group_sizes=(-1, 32, 64, 128),
        minimum_compute_capability=(7, 5),
        source="vLLM 0.20.2 and 0.21.0 gptq_marlin.py, 0.22.1 to 0.24.0 auto_gptq.py, 2026-11",
    ),
    GptqRow(
        since=EngineVersion(0, 25),
        bits=(4, 8),
        group_sizes=(-1, 32, 64, 128),
        minimum_compute_capability=(7, 5),
        source="vLLM 0.25.1 auto_gptq.py, and served on one H200, 2026-11",
    ),
    GptqRow(
        since=EngineVersion(0, 26),
        bits=(4, 8),
        group_sizes=(-1, 32, 64, 128),
        minimum_compute_capability=(7, 5),
        source="vLLM 0.26.0, 0.27.1, 0.28.0, 0.29.0 and 0.30.0 to 0.33.0 auto_gptq.py, 2026-11",
    ),
)

LAST_WITH_ACT_ORDER = EngineVersion(0, 29)
"""The newest version that serves act-order with groups. Source: as ``ACT_ORDER_HAS_NO_GROUPS``."""

CPU_BITS = (4,)
"""Source: vLLM 0.32.0 and 0.33.0; Int8 refused on CPU in our measurement, 2026-11."""

CPU_SHAPE_MULTIPLE = 32
"""K and N of each linear. Source: vLLM 0.33.0 mixed_precision/cpu.py, 2026-11."""

BFLOAT16_COMPUTE_CAPABILITY: ComputeCapability = (8, 0)
"""Source: vLLM 0.33.0 platforms/cuda.py (``check_if_supports_dtype``), 2026-11."""

_USE_GPU: Mapping[str, Any] = {"hardware": {"device": "GPU"}}


def quantization_problems(
    facts: CheckpointFacts, engine_version: EngineVersion, device: Device
) -> tuple[Problem, ...]:
    """Everything about the checkpoint that this vLLM refuses on every GPU, or on CPU."""
    row = row_for(GPTQ_ROWS, engine_version)
    found = (
        _bits_problem(facts, row, engine_version),
        _symmetry_problem(facts, engine_version),
        _group_size_problem(facts, row, engine_version),
        _act_order_problem(facts, engine_version),
    )
    problems = tuple(problem for problem in found if problem is not None)
    if device == "CPU":
        problems += _cpu_problems(facts, row)
    return problems


def compute_capability_problem(
    engine_version: EngineVersion, compute_capability: ComputeCapability, product: str
) -> Problem | None:
    """The refusal of a GPU that is too old for every GPTQ kernel, or ``None``."""
    minimum = row_for(GPTQ_ROWS, engine_version).minimum_compute_capability
    if compute_capability >= minimum:
        return None
    return COMPUTE_CAPABILITY_IS_SERVED.problem(
        f"{product} has compute capability {dotted(compute_capability)}; vLLM "
        f"{engine_version} serves GPTQ from {dotted(minimum)} on; choose "
        f"{'a Turing' if minimum < BFLOAT16_COMPUTE_CAPABILITY else 'an Ampere'} or newer GPU"
    )


def dotted(compute_capability: ComputeCapability) -> str:
    """As NVIDIA writes it, for example ``8.9``."""
    return f"{compute_capability[0]}.{compute_capability[1]}"


def nearest(value: int, legal: Iterable[int]) -> int:
    """The legal value closest to the given one; of two equally close ones the larger."""
    return min(legal, key=lambda item: (abs(item - value), -item))


def _bits_problem(facts: CheckpointFacts, row: GptqRow, version: EngineVersion) -> Problem | None:
    if facts.bits in row.bits:
        return None
    return BITS_ARE_SERVED.problem(
        f"The checkpoint is quantised to {facts.bits} bits; vLLM {version} serves 4 or 8 bit GPTQ "
        f"only; quantise it again with bits {nearest(facts.bits, row.bits)}",
    )


def _symmetry_problem(facts: CheckpointFacts, version: EngineVersion) -> Problem | None:
    if facts.symmetric:
        return None
    return SYMMETRY_IS_SERVED.problem(
        f"The checkpoint is quantised asymmetrically (sym: false); vLLM {version} serves symmetric "
        "GPTQ only; quantise it again with sym true",
    )


def _group_size_problem(
    facts: CheckpointFacts, row: GptqRow, version: EngineVersion
) -> Problem | None:
    if facts.group_size in row.group_sizes:
        return None
    grouped = [size for size in row.group_sizes if size > 0]
    legal = ", ".join(str(size) for size in row.group_sizes)
    return GROUP_SIZE_IS_SERVED.problem(
        f"The checkpoint has group size {facts.group_size}; vLLM {version} serves {legal}; "
        f"quantise it again with group size {nearest(facts.group_size, grouped)}",
    )


def _act_order_problem(facts: CheckpointFacts, version: EngineVersion) -> Problem | None:
    """A checkpoint may have several group sizes: act-order is free where all are -1."""
    rule = ACT_ORDER_HAS_NO_GROUPS
    group_size = max([facts.group_size, *(layer.group_size for layer in linear_layers(facts))])
    if not facts.desc_act or group_size == -1 or not rule.applies(version):
        return None
    last = f"{LAST_WITH_ACT_ORDER}"
    return rule.problem(
        f"The checkpoint uses act-order (desc_act: true) with group size {group_size}, which "
        f"vLLM {version} does not serve; quantise it again with desc_act false, or set "
        f"spec.engine.version to {last}",
        {"engine": {"version": last}},
    )


def _cpu_problems(facts: CheckpointFacts, row: GptqRow) -> tuple[Problem, ...]:
    """What the CPU kernel adds to the rules of the row."""
    problems: list[Problem] = []
    if facts.bits in row.bits and facts.bits not in CPU_BITS:
        problems.append(
            CPU_BITS_ARE_SERVED.problem(
                f"vLLM serves 4 bit GPTQ only on CPU, the checkpoint has {facts.bits} bits; "
                "use a checkpoint with bits 4, or device GPU",
                _USE_GPU,
            )
        )
    misfits = [
        f"{layer.name} [{layer.in_features}, {layer.out_features}]"
        for layer in linear_layers(facts)
        if layer.in_features % CPU_SHAPE_MULTIPLE or layer.out_features % CPU_SHAPE_MULTIPLE
    ]
    if misfits:
        problems.append(
            CPU_SHAPES_ARE_SERVED.problem(
                f"The CPU kernel needs layer shapes divisible by {CPU_SHAPE_MULTIPLE}; "
                f"{', '.join(misfits)} is not; use device GPU",
                _USE_GPU,
            )
        )
    return tuple(problems)
