"""vLLM's own figures, read from whole logs of real starts on H200, H100 and a CPU."""

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantized_model_operator.domain.engine_figures import EngineFigures, engine_figures
from quantized_model_operator.domain.quantity import GIB

EVIDENCE = Path(__file__).parent / "evidence"

Sizes = tuple[float | None, ...]

SERVED: dict[str, tuple[int, str, Sizes, float | None, int]] = {
    # log -> KV tokens, concurrency, GiB of (weights, KV cache, graphs, card, consumed, peak),
    # seconds of compiling and of the start
    "0.25.1-h200-7b-int8-warm": (
        2_228_640, "68.01", (8.34, 119.02, 0.92, None, None, None), 3.76, 46,
    ),
    "0.33.0-h200-0.5b-int4-tp1": (
        10_957_616, "334.40", (0.43, 125.4, None, 139.8, 1.17, 2.05), None, 59,
    ),
    "0.33.0-h200-7b-int4-first-start": (
        2_239_600, "68.35", (5.29, 119.61, 0.45, 139.8, 6.06, 2.95), 15.49, 165,
    ),
    "0.33.0-h200-7b-int4-startup-plan-saved": (
        2_239_600, "68.35", (5.29, 119.61, 0.45, 139.8, 6.06, 2.95), 0.26, 49,
    ),
    "0.33.0-h200-7b-int4-startup-plan-applied": (
        2_228_448, "68.01", (5.29, 119.01, 0.68, None, None, None), 0.27, 45,
    ),
    "0.33.0-h200-7b-int4-all-caches-and-bytecode": (
        2_228_448, "68.01", (5.29, 119.01, 0.68, None, None, None), 0.72, 31,
    ),
    "0.33.0-h200-7b-int4-fork-and-all-caches": (
        2_228_448, "68.01", (5.29, 119.01, 0.68, None, None, None), 0.25, 19,
    ),
    "0.33.0-h200-7b-int8-eager": (
        2_199_696, "67.13", (8.33, 117.48, None, 139.8, 9.05, 2.09), None, 41,
    ),
    "0.33.0-h200-7b-int8-first-start": (
        2_183_648, "66.64", (8.33, 116.62, 0.45, 139.8, 9.05, 2.95), 15.85, 164,
    ),
    "h100-0.5b-int4": (
        6_046_960, "184.54", (0.43, 69.2, 0.18, 79.18, 1.17, 2.47), 20.52, 61,
    ),
    "h100-7b-int8-fp8-half-64": (
        1_116_240, "34.06", (8.33, 29.81, 0.07, 79.18, 8.46, 1.32), 27.94, 67,
    ),
    "h100-7b-int8": (
        1_139_328, "34.77", (8.33, 60.85, 0.45, 79.18, 9.05, 2.95), 25.81, 236,
    ),
}  # fmt: skip

PHASES = {
    # log -> seconds of configure, load, profile, warmUp, listen
    "0.25.1-h200-7b-int8-warm": (21, 6, 6, 12, 1),
    "0.33.0-h200-7b-int4-first-start": (55, 6, 97, 7, 0),
    "0.33.0-h200-7b-int4-startup-plan-applied": (30, 6, 2, 7, 0),
    "h100-7b-int8": (59, 8, 154, 14, 1),
}


def figures(log: str) -> EngineFigures:
    """Of one of the recorded logs."""
    return engine_figures(gzip.decompress((EVIDENCE / f"{log}.log.gz").read_bytes()).decode())


def gib(size: int | None) -> float | None:
    """As vLLM prints it."""
    return None if size is None else round(size / GIB, 2)


@pytest.mark.parametrize("log", SERVED)
def test_a_start_tells_all_of_its_figures(log: str) -> None:
    """Every figure of a served model is what a reader finds in the log; others are absent."""
    found = figures(log)

    tokens, concurrency, sizes, compiling, start = SERVED[log]
    assert (found.kv_cache_tokens, found.max_concurrency) == (tokens, concurrency)
    assert (
        tuple(
            gib(size)
            for size in (
                found.weights_bytes,
                found.kv_cache_bytes,
                found.graph_bytes,
                found.gpu_memory_bytes,
                found.consumed_bytes,
                found.activation_bytes,
            )
        )
        == sizes
    )
    assert (found.compiling_seconds, found.start_seconds) == (compiling, start)
    assert (found.kernels, found.attention_backend) == (("Machete",), "FLASH_ATTN")


def test_a_start_on_a_cpu_tells_less() -> None:
    """On CPU memory is not profiled: the KV cache, the kernel and the phases are told."""
    found = figures("0.32.0-cpu-tiny-int4")

    assert (found.version, found.kernels) == ("0.32.0", ("CPUWNA16",))
    assert (found.kv_cache_tokens, found.max_concurrency) == (262_272, "128.06")
    assert gib(found.kv_cache_bytes) == 0.5
    assert (found.weights_bytes, found.consumed_bytes, found.gpu_memory_bytes) == (None,) * 3
    assert (found.compiling_seconds, found.start_seconds) == (None, 65)
    phases = {"configure": 43, "load": 16, "profile": 1, "warmUp": 3, "listen": 2}
    assert dict(found.phase_seconds) == phases


@pytest.mark.parametrize("log", PHASES)
def test_phases_go_by_the_times_of_day(log: str) -> None:
    """Each phase ends with the line that says so, and together they are the start."""
    found = figures(log)

    assert tuple(found.phase_seconds) == ("configure", "load", "profile", "warmUp", "listen")
    assert tuple(found.phase_seconds.values()) == PHASES[log]
    assert sum(PHASES[log]) == found.start_seconds


@pytest.mark.parametrize(
    ("log", "version"),
    [
        ("0.25.1-h200-7b-int8-warm", "0.25.1"),
        ("0.33.0-h200-7b-int8-first-start", "0.33.0"),
        ("h100-7b-int8", None),
    ],
)
def test_the_version_is_the_one_that_the_engine_prints(log: str, version: str | None) -> None:
    """The version comes from vLLM's own line, not from FlashAttention's beside it."""
    assert figures(log).version == version


def test_a_measured_start_explains_its_kv_cache() -> None:
    """Utilisation times card minus consumed minus peak is the KV cache, as 0.33.0 sizes it."""
    for log, utilization in (
        ("0.33.0-h200-7b-int4-first-start", 0.92),
        ("0.33.0-h200-7b-int8-eager", 0.92),
        ("h100-7b-int8", 0.92),
        ("h100-7b-int8-fp8-half-64", 0.5),
    ):
        found = figures(log)
        assert found.gpu_memory_bytes
        assert found.consumed_bytes
        assert found.activation_bytes
        assert found.kv_cache_bytes
        told = utilization * found.gpu_memory_bytes - found.consumed_bytes - found.activation_bytes
        assert abs(told - found.kv_cache_bytes) < 0.02 * GIB


def test_a_start_that_dies_tells_how_far_it_came() -> None:
    """A start that fails has the figures of the phases before its end, and no start time."""
    no_room = figures("0.25.1-h200-7b-int8-kv-too-small-FAILS")
    assert gib(no_room.kv_cache_bytes) == 0.88
    assert (no_room.kv_cache_tokens, no_room.start_seconds) == (None, None)
    assert dict(no_room.phase_seconds) == {"configure": 20, "load": 5, "profile": 25}

    no_kernel = figures("0.33.0-h200-0.5b-int4-tp2-exllama-FAILS")
    assert (no_kernel.kernels, gib(no_kernel.weights_bytes)) == (("Exllama",), 0.22)


def test_the_kernel_of_small_groups_is_named() -> None:
    """Groups of 32 on compute capability 9.0 are served by Humming, and the log says so."""
    assert figures("h100-0.5b-int4-g32-loading").kernels == ("Humming",)


def test_the_kernel_of_a_cpu_is_named_as_plans_name_it() -> None:
    """The ending of the class name is left out on CPU too."""
    line = "(Worker pid=9) INFO 11-24 10:00:00 [auto_gptq.py:352] Using CPUWNA16LinearKernel for "
    assert engine_figures(line + "AutoGPTQLinearMethod").kernels == ("CPUWNA16",)


def test_ranks_count_as_the_tightest_of_them() -> None:
    """Of several ranks the least KV cache and the most of everything else decide."""
    told = engine_figures(
        "(Worker_TP0 pid=1) INFO 11-24 10:00:00 [a.py:1] Available KV cache memory: 3.5 GiB\n"
        "(Worker_TP1 pid=2) INFO 11-24 10:00:00 [a.py:1] Available KV cache memory: 3.25 GiB\n"
        "(Worker_TP0 pid=1) INFO 11-24 10:00:01 [a.py:1] Actual usage is 1.5 GiB for consumed "
        "memory (weights + non-torch), 2.0 GiB for peak activation, and 0.5 GiB for CUDAGraph\n"
        "(Worker_TP0 pid=1) INFO 11-24 10:00:01 [a.py:1] Actual usage is 1.5 GiB for consumed "
        "memory (weights + non-torch), 2.0 GiB for peak activation, and 0.5 GiB for CUDAGraph "
        "memory.\n"
        "(Worker_TP1 pid=2) INFO 11-24 10:00:01 [a.py:1] Actual usage is 1.75 GiB for consumed "
        "memory (weights + non-torch), 1.5 GiB for peak activation, and 0.5 GiB for CUDAGraph "
        "memory."
    )
    assert gib(told.kv_cache_bytes) == 3.25
    assert (gib(told.consumed_bytes), gib(told.activation_bytes)) == (1.75, 2.0)


def test_a_start_over_new_year_takes_no_negative_time() -> None:
    """Times of day have no year: a start at midnight of the last day is as long as it was."""
    told = engine_figures(
        "(APIServer pid=1) INFO 12-31 23:59:50 [a.py:1] hello\n"
        "(EngineCore pid=2) INFO 01-01 00:00:20 [a.py:1] Model loading took 1.0 GiB memory and "
        "2.0 seconds\n"
    )
    assert dict(told.phase_seconds) == {"load": 30}


@given(st.text(max_size=400))
def test_no_log_is_too_strange(text: str) -> None:
    """Any text is read without an error."""
    engine_figures(text)


@pytest.mark.parametrize(
    "line",
    [
        "INFO 99-99 99:99:99 [a.py:1] Model loading took . GiB and 1.2.3 seconds",
        "INFO 11-24 10:00:00 [a.py:1] GPU KV cache size: , tokens",
        "Available KV cache memory: 1.2.3 GiB",
        "init engine (profile, create kv cache, warmup model) took 1 s (compilation: . s)",
    ],
)
def test_a_damaged_figure_is_absent(line: str) -> None:
    """A line of the right words with a damaged number gives no figure, and no error."""
    found = engine_figures(line)

    assert not found.kv_cache_tokens
    assert not found.kv_cache_bytes
    assert not found.weights_bytes
    assert not found.compiling_seconds


def test_other_words_leave_figures_out() -> None:
    """A log that says nothing known is empty, not zero."""
    assert engine_figures("INFO: served by something else\n") == EngineFigures()


def test_a_remark_of_the_startup_probe_is_found_between_vllms_lines() -> None:
    """Once, however often it is there, and nothing else in a log is taken for it."""
    line = "startup probe: the answer to '1, 2, 3,' is one token repeated"
    log = f"INFO 11-24 10:00:00 [x.py:1] startup probe: no\n{line}\n{line}\n"
    assert engine_figures(log).remarks == ("the answer to '1, 2, 3,' is one token repeated",)
