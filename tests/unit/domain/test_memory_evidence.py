"""Each term of the memory model against what vLLM logged of it.

The logs of H200 in ``evidence`` are cut to the lines that speak of memory; measured 2026-11.
"""

from __future__ import annotations

import ast
import gzip
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from quantized_model_operator.domain.activation_memory import (
    activation_peak_bytes,
    forward_peak_bytes,
)
from quantized_model_operator.domain.gpu_memory import estimate_memory
from quantized_model_operator.domain.memory_rows import memory_row
from quantized_model_operator.domain.quantity import GIB
from unit.domain.memory_runs import RUNS, V25, Run, setup_of

if TYPE_CHECKING:
    from collections.abc import Mapping

EVIDENCE = Path(__file__).parent / "evidence"
LOGS: Mapping[str, str] = {
    "0.25 int8 warm": "h200-0.25-7b-int8-warm",
    "0.25 int8 fp8": "h200-0.25-7b-int8-fp8",
    "0.25 int8 tight": "h200-0.25-7b-int8-tight",
    "0.33 int4": "h200-0.33-7b-int4",
    "0.33 int8": "h200-0.33-7b-int8",
    "0.33 int8 eager": "h200-0.33-7b-int8-eager",
    "0.33 0.5b eager": "h200-0.33-0.5b-int4-eager",
    "0.33 int8 H100": "h100-7b-int8",
    "0.33 0.5b H100": "h100-0.5b-int4",
    "0.33 int8 fp8 H100 few sequences": "h100-7b-int8-fp8-half-64",
}
LOGGED = [run for run in RUNS if run.name in LOGS]
PROFILED = [run for run in LOGGED if run.version != V25]
each_logged = pytest.mark.parametrize("run", LOGGED, ids=[run.name for run in LOGGED])
each_profiled = pytest.mark.parametrize("run", PROFILED, ids=[run.name for run in PROFILED])


def logged(run: Run, pattern: str) -> str:
    """What the last line with this pattern says in the log of the run."""
    packed = (EVIDENCE / f"{LOGS[run.name]}.log.gz").read_bytes()
    return str(re.findall(pattern, gzip.decompress(packed).decode())[-1])


def test_every_log_belongs_to_a_run() -> None:
    """No name of a log is misspelt."""
    assert len(LOGGED) == len(LOGS)


@each_logged
def test_the_table_says_what_the_log_says(run: Run) -> None:
    """KV cache, settings and batch limits of a run stand in its log."""
    arguments = ast.literal_eval(logged(run, r"non-default args: (\{.*\})"))
    assert run.kv_gib == pytest.approx(
        float(logged(run, r"Available KV cache memory: ([\d.]+) GiB")), abs=0.006
    )
    assert run.utilization == arguments.get("gpu_memory_utilization", 0.92)
    assert run.batch.max_num_seqs == arguments.get("max_num_seqs", 1024)
    assert run.batch.max_num_batched_tokens == arguments.get("max_num_batched_tokens", 8192)
    assert run.kv_cache_dtype == arguments.get("kv_cache_dtype", "auto")
    assert run.enforce_eager == arguments.get("enforce_eager", False)


@each_logged
def test_weights_are_as_logged(run: Run) -> None:
    """Weights after loading are within 0.02 GiB; scales of an fp8 KV cache take 0.03 more."""
    loaded_gib = float(logged(run, r"Model loading took ([\d.]+) GiB"))
    weights_gib = estimate_memory(run.facts, setup_of(run)).weights_bytes / GIB
    allowed = 0.06 if run.kv_cache_dtype == "fp8" else 0.025
    assert weights_gib == pytest.approx(loaded_gib, abs=allowed)


@each_profiled
def test_what_is_consumed_is_as_logged(run: Run) -> None:
    """Weights, process and penalties are within 0.05 GiB of what vLLM consumed."""
    consumed_gib = float(logged(run, r"Actual usage is ([\d.]+) GiB for consumed memory"))
    memory = estimate_memory(run.facts, setup_of(run))
    assert (memory.weights_bytes + memory.process_bytes) / GIB == pytest.approx(
        consumed_gib, abs=0.05
    )


@each_profiled
def test_the_peak_is_as_logged(run: Run) -> None:
    """Activations and the estimate of graphs are within 0.03 GiB of the peak that vLLM logged."""
    peak_gib = float(logged(run, r"([\d.]+) GiB for peak activation"))
    memory = estimate_memory(run.facts, setup_of(run))
    assert (memory.activation_bytes + memory.graph_bytes) / GIB == pytest.approx(peak_gib, abs=0.03)


def test_a_compiled_model_from_the_cache_has_more() -> None:
    """With caches warm 0.25.1 had 0.09 GiB more, as a peak without compilation explains."""
    run = next(run for run in LOGGED if run.name == "0.25 int8 warm")
    assert logged(run, "Directly load AOT compilation")
    chosen, row = setup_of(run), memory_row(run.version)
    peak_bytes = activation_peak_bytes(run.facts, chosen, row)
    warm_bytes = forward_peak_bytes(run.facts, chosen, run.batch.max_num_batched_tokens)
    expected_bytes = estimate_memory(run.facts, chosen).expected_kv_bytes
    assert (peak_bytes - warm_bytes) / GIB == pytest.approx(0.09, abs=0.01)
    assert (expected_bytes + peak_bytes - warm_bytes) / GIB == pytest.approx(run.kv_gib, abs=0.01)
