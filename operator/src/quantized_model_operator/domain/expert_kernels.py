"""Pure: which kernel computes the routed experts of a sparse layer, apart from all other linears.

vLLM takes Marlin's fused kernel where it accepts the shapes; otherwise it loads the experts in the
layout of ``moe_wna16``, halving the group size until whole groups fit into a rank, and runs Triton.
"""

from dataclasses import dataclass

from quantized_model_operator.domain.engine_version import EngineVersion
from quantized_model_operator.domain.linear_layers import LinearLayer

_HOPPER = (9, 0)

SMALLEST_GROUP_SIZE = 32
"""Below it the halving ends in a bare AssertionError. Source: vLLM 0.33.0 moe_wna16.py, 2026-11."""

MARLIN_HIDDEN_MULTIPLE = 128
"""Source: vLLM 0.20.2 to 0.33.0 ``check_moe_marlin_supports_config``, 2026-11."""

MARLIN_PADS_SINCE = EngineVersion(0, 25)
"""From when on the experts' own size needs whole groups only, no tiles of 64. Source: vLLM 0.24.0
and 0.25.1 auto_gptq.py (``allow_tile_padding``), 2026-11."""

HUMMING_FIRST_SINCE = EngineVersion(0, 32)
"""On compute capability 9.0. Source: vLLM 0.32.0 oracle/int_wna16.py, 2026-11."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpertShape:
    """What decides: of one expert on one rank."""

    hidden_size: int
    intermediate_size: int
    group_size: int


def expert_kernel(
    layer: LinearLayer,
    hidden_size: int,
    compute_capability: tuple[int, int],
    engine_version: EngineVersion,
) -> str | None:
    """Name of the kernel of the experts that this linear is part of; ``None`` when none may be."""
    shape = expert_shape(layer, hidden_size)
    humming_first = compute_capability == _HOPPER and engine_version.release >= HUMMING_FIRST_SINCE
    if marlin_takes(shape, engine_version):
        return "Humming MoE" if humming_first else "Marlin MoE"
    if fallback_group_size(shape) is None:
        return None
    return "Humming MoE" if humming_first else "Triton MoE"


def expert_shape(layer: LinearLayer, hidden_size: int) -> ExpertShape:
    """The shape that a rank's part of gate+up or of down shows."""
    gate_up = layer.name.endswith("gate_up_proj")
    return ExpertShape(
        hidden_size=hidden_size,
        intermediate_size=layer.out_features // 2 if gate_up else layer.in_features,
        group_size=layer.group_size,
    )


def marlin_takes(shape: ExpertShape, engine_version: EngineVersion) -> bool:
    """Whether vLLM computes the experts with Marlin's fused kernel."""
    pads = engine_version.release >= MARLIN_PADS_SINCE
    multiple = max(1, shape.group_size) if pads else max(64, shape.group_size)
    return (
        shape.hidden_size % MARLIN_HIDDEN_MULTIPLE == 0 and shape.intermediate_size % multiple == 0
    )


def fallback_group_size(shape: ExpertShape) -> int | None:
    """The group size that the layout of ``moe_wna16`` ends with; ``None`` when it ends in an error.

    One group per column has no size to halve, and that layout does not know it.
    """
    group_size = shape.group_size
    if group_size <= 0:
        return None
    while shape.intermediate_size % group_size or shape.hidden_size % group_size:
        group_size //= 2
        if group_size < SMALLEST_GROUP_SIZE:
            return None
    return group_size
