"""Every start of vLLM whose memory was measured, as a table, and setups for the memory model."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from quantized_model_operator.domain.accelerators import MIB
from quantized_model_operator.domain.batch_limits import BatchLimits
from quantized_model_operator.domain.engine_version import EngineVersion
from quantized_model_operator.domain.memory_setup import MemorySetup
from quantized_model_operator.domain.quantity import GIB
from unit.domain.model_shapes import QWEN2_05B_INT4, QWEN2_7B_INT4, QWEN2_7B_INT8, changed

if TYPE_CHECKING:
    from quantized_model_operator.domain.checkpoint import CheckpointFacts

V25 = EngineVersion(0, 25, 1)
V33 = EngineVersion(0, 33)
SERVER = BatchLimits(max_num_batched_tokens=8192, max_num_seqs=1024)
SMALL = BatchLimits(max_num_batched_tokens=2048, max_num_seqs=256)
FEW = BatchLimits(max_num_batched_tokens=8192, max_num_seqs=64)
H200_BYTES = int(139.8 * GIB)
H100_BYTES = 81079 * MIB
INT4 = changed(QWEN2_7B_INT4, weights_bytes=int(5.192 * GIB))
INT8 = changed(QWEN2_7B_INT8, weights_bytes=8_863_515_016)
HALF_BILLION = changed(QWEN2_05B_INT4, weights_bytes=459_383_592)


class Run(NamedTuple):
    """One measured start of vLLM on one GPU of compute capability 9.0."""

    name: str
    version: EngineVersion
    facts: CheckpointFacts
    kv_gib: float
    kv_tokens: int
    kv_cache_dtype: str = "auto"
    utilization: float = 0.92
    batch: BatchLimits = SERVER
    enforce_eager: bool = False
    total_bytes: int = H200_BYTES


# Source: our measurement, logs of vLLM 0.25.1 and 0.33.0 on one H200 and one H100, 2026-11.
FITTED = (
    Run("0.25 int8 first start", V25, INT8, 118.93, 2_226_896),
    Run("0.25 int8 eager", V25, INT8, 118.97, 2_227_616, enforce_eager=True),
    Run("0.33 int4", V33, INT4, 119.61, 2_239_600),
    Run("0.33 int8 eager", V33, INT8, 117.48, 2_199_696, enforce_eager=True),
    Run("0.33 0.5b eager", V33, HALF_BILLION, 125.40, 10_957_616, enforce_eager=True),
    Run("0.33 0.5b H100", V33, HALF_BILLION, 69.20, 6_046_960, total_bytes=H100_BYTES),
    Run(
        "0.33 int8 fp8 H100 few sequences",
        V33,
        INT8,
        29.81,
        1_116_240,
        "fp8",
        0.5,
        FEW,
        total_bytes=H100_BYTES,
    ),
)
"""The runs that constants were taken from."""

HELD_BACK = (
    Run("0.25 int4", V25, INT4, 121.97, 2_283_888),
    Run("0.25 int8 warm", V25, INT8, 119.02, 2_228_640),
    Run("0.25 int8 fp8", V25, INT8, 118.90, 4_452_624, "fp8"),
    Run("0.25 int8 tight", V25, INT8, 0.88, 16_464, utilization=0.075, batch=SMALL),
    Run("0.33 int8", V33, INT8, 116.62, 2_183_648),
    Run("0.33 int8 fp8 eager", V33, INT8, 117.48, 4_399_408, "fp8", enforce_eager=True),
    Run("0.33 int8 H100", V33, INT8, 60.85, 1_139_328, total_bytes=H100_BYTES),
)
"""The runs that the model had to predict."""

RUNS = (*FITTED, *HELD_BACK)


def setup(
    gib: float = 139.8,
    *,
    utilization: float = 0.92,
    size: int = 1,
    batch: BatchLimits = SERVER,
    version: EngineVersion = V33,
    enforce_eager: bool = False,
    capability: tuple[int, int] = (9, 0),
) -> MemorySetup:
    """A setup that differs from a default start on H200 in what is given."""
    return MemorySetup(
        total_bytes=int(gib * GIB),
        compute_capability=capability,
        utilization=utilization,
        tensor_parallel_size=size,
        batch=batch,
        enforce_eager=enforce_eager,
        engine_version=version,
    )


def setup_of(run: Run) -> MemorySetup:
    """The setup of a measured run."""
    return setup(
        run.total_bytes / GIB,
        utilization=run.utilization,
        batch=run.batch,
        version=run.version,
        enforce_eager=run.enforce_eager,
    )
