"""What an earlier start measured enters plans of the same setup, and of no other."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from quantized_model_operator.domain.batch_limits import BatchLimits
from quantized_model_operator.domain.engine_figures import engine_figures
from quantized_model_operator.domain.measured_memory import (
    MEASURED_MARGIN_BYTES,
    MeasuredMemory,
    measured_from,
    setup_text,
)
from quantized_model_operator.domain.quantity import GIB
from unit.domain.model_shapes import QWEN2_7B_INT8, changed, gpu_node, gpu_planned, gpu_request

if TYPE_CHECKING:
    from quantized_model_operator.domain.serving_plan import ServingPlan

PRODUCT = "NVIDIA-H100-80GB-HBM3"
NODE = gpu_node("one-h100", PRODUCT, 1, memory_mib=81559, compute_capability=(9, 0))
INT8 = changed(QWEN2_7B_INT8, weights_bytes=8_863_515_016)
BATCH = BatchLimits(max_num_batched_tokens=8192, max_num_seqs=1024)
LOG = Path(__file__).parent / "evidence" / "h100-7b-int8.log.gz"
FIGURES = engine_figures(gzip.decompress(LOG.read_bytes()).decode())


def setup(batch: BatchLimits = BATCH, *, size: int = 1, dtype: str = "float16", **more: Any) -> str:  # noqa: ANN401
    """Of a start on the H100."""
    return setup_text(
        INT8,
        gpu_request(**more),
        batch,
        product=PRODUCT,
        tensor_parallel_size=size,
        dtype=dtype,
    )


def measured(of: str) -> MeasuredMemory:
    """What the recorded start measured, as if of this setup."""
    assert FIGURES.gpu_memory_bytes
    assert FIGURES.weights_bytes
    assert FIGURES.consumed_bytes
    assert FIGURES.activation_bytes
    return MeasuredMemory(
        setup=of,
        gpu_memory_bytes=FIGURES.gpu_memory_bytes,
        weights_bytes=FIGURES.weights_bytes,
        consumed_bytes=FIGURES.consumed_bytes,
        activation_bytes=FIGURES.activation_bytes,
    )


def learned(of: str, **more: Any) -> ServingPlan:  # noqa: ANN401
    """The plan of somebody who has seen the recorded start."""
    return gpu_planned(INT8, [NODE], measured=measured(of), **more)


def test_a_measured_start_leaves_little_to_guess() -> None:
    """A plan that has seen a start expects its KV cache within 0.02 GiB and relies on most."""
    plan = learned(setup())

    assert FIGURES.kv_cache_tokens
    token_bytes = 57_344
    off = (plan.expected_kv_cache_tokens - FIGURES.kv_cache_tokens) * token_bytes
    assert abs(off) < 0.02 * GIB
    sure = plan.expected_kv_cache_tokens - plan.kv_cache_tokens
    assert sure * token_bytes == pytest.approx(MEASURED_MARGIN_BYTES, abs=32 * token_bytes)
    assert plan.weights_bytes_per_gpu == FIGURES.weights_bytes
    told = f"memory on {PRODUCT} is what vLLM measured at an earlier start"
    assert plan.warnings == (told,)


def test_the_measured_verdict_is_below_the_measurement() -> None:
    """What a learned plan relies on is never more than what vLLM had, and more than a guess."""
    plan = learned(setup())

    assert FIGURES.kv_cache_tokens
    guessed = gpu_planned(INT8, [NODE]).kv_cache_tokens
    assert guessed < plan.kv_cache_tokens <= FIGURES.kv_cache_tokens


def test_length_and_utilisation_may_change() -> None:
    """A measurement holds for other lengths, and for another share of the card."""
    plan = learned(setup(), max_model_length=8192, gpu_memory_utilization=0.5)

    half = gpu_planned(INT8, [NODE], gpu_memory_utilization=0.5)
    assert plan.max_model_length == 8192
    assert plan.kv_cache_tokens > half.kv_cache_tokens
    taken = measured("").consumed_bytes + measured("").activation_bytes
    expected = 0.5 * measured("").gpu_memory_bytes - taken
    assert plan.expected_kv_cache_tokens * 57_344 == pytest.approx(expected, abs=0.01 * GIB)


@pytest.mark.parametrize(
    ("of", "more"),
    [
        (setup(), {"engine_version": "0.25.1"}),
        (setup(), {"dtype": "bfloat16"}),
        (setup(dtype="bfloat16"), {"dtype": "bfloat16", "kv_cache_dtype": "fp8"}),
        (setup(), {"max_num_seqs": 64}),
        (setup(), {"max_num_batched_tokens": 4096}),
        (setup(), {"enforce_eager": True}),
        (setup(), {"chunked_prefill": False, "max_num_batched_tokens": 8192 * 4}),
        (setup(), {"flags": "5f"}),
        (setup(size=2), {}),
        (setup().replace(PRODUCT, "NVIDIA-L4"), {}),
        (setup().replace("weights=", "weights=0"), {}),
    ],
)
def test_any_other_setup_is_estimated(of: str, more: dict[str, Any]) -> None:
    """Another version, dtype, batch, flag, size, product or checkpoint ignores the measurement."""
    assert learned(of, **more) == gpu_planned(INT8, [NODE], **more)


def test_only_profiled_starts_are_learned_from() -> None:
    """A start with a persisted startup plan, or of another wording, measures nothing."""
    told = {
        "setup": "0.33.0 1xNVIDIA-L4",
        "gpuMemoryBytes": 4,
        "weightsBytesPerGpu": 1,
        "consumedBytesPerGpu": 2,
        "activationBytesPerGpu": 1,
    }
    assert measured_from(told) == MeasuredMemory(
        setup="0.33.0 1xNVIDIA-L4",
        gpu_memory_bytes=4,
        weights_bytes=1,
        consumed_bytes=2,
        activation_bytes=1,
    )
    for name in told:
        assert measured_from({key: told[key] for key in told if key != name}) is None
    for strange in ("2", 0, -1, 2.5, None, True):
        assert measured_from({**told, "consumedBytesPerGpu": strange}) is None
    assert measured_from({}) is None
