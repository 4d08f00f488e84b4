"""Plans against the logs of vLLM 0.33.0 that ran with the rendered pods' arguments on one H100.

The logs are in ``evidence``, without progress bars and access lines; measured 2026-11-24.
"""

from __future__ import annotations

import ast
import gzip
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from quantized_model_operator.domain.kv_cache import kv_bytes_per_token
from quantized_model_operator.domain.quantity import GIB
from quantized_model_operator.render.vllm_arguments import DRAIN_SECONDS
from unit.domain.model_shapes import (
    QWEN2_05B_INT4,
    QWEN2_7B_INT8,
    changed,
    gpu_node,
    gpu_planned,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from quantized_model_operator.domain.checkpoint import CheckpointFacts
    from quantized_model_operator.domain.serving_plan import ServingPlan

EVIDENCE = Path(__file__).parent / "evidence"
NODE = gpu_node("one-h100", "NVIDIA-H100-80GB-HBM3", 1, memory_mib=81559, compute_capability=(9, 0))
INT8 = changed(QWEN2_7B_INT8, weights_bytes=8_863_515_016)
SMALL = changed(QWEN2_05B_INT4, weights_bytes=459_383_592)
SMALL_GROUPS = changed(SMALL, group_size=32, weights_bytes=480_350_336)


@dataclass(frozen=True)
class Run:
    """One start of vLLM."""

    log: str
    facts: CheckpointFacts
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def plan(self) -> ServingPlan:
        """What is planned for the node that it ran on."""
        return gpu_planned(self.facts, [NODE], **self.settings)

    def logged(self, pattern: str) -> str:
        """What the last line of its log with this pattern says."""
        text = gzip.decompress((EVIDENCE / f"{self.log}.log.gz").read_bytes()).decode()
        return str(re.findall(pattern, text)[-1])

    @property
    def kv_tokens(self) -> int:
        """Tokens of the KV cache that vLLM logged."""
        return int(self.logged(r"GPU KV cache size: ([\d,]+) tokens").replace(",", ""))


TIGHT = {
    "dtype": "bfloat16",
    "kv_cache_dtype": "fp8",
    "gpu_memory_utilization": 0.5,
    "max_num_seqs": 64,
}
SERVED = (
    Run("h100-7b-int8", INT8),
    Run("h100-0.5b-int4", SMALL),
    Run("h100-7b-int8-fp8-half-64", INT8, TIGHT),
)
LOADED = (*SERVED, Run("h100-0.5b-int4-g32-loading", SMALL_GROUPS))
each_served = pytest.mark.parametrize("run", SERVED, ids=[run.log for run in SERVED])
each_loaded = pytest.mark.parametrize("run", LOADED, ids=[run.log for run in LOADED])


@each_loaded
def test_vllm_took_the_planned_kernel(run: Run) -> None:
    """The kernel that vLLM chose among those left to it is the planned one."""
    kernel = run.logged(r"Using (\w+)LinearKernel for AutoGPTQLinearMethod")
    assert kernel == run.plan.kernel


@each_served
def test_the_promised_kv_cache_was_there(run: Run) -> None:
    """The KV cache that a verdict relies on is no more than the one that vLLM logged."""
    assert 0 < run.plan.kv_cache_tokens <= run.kv_tokens


@each_served
def test_the_expected_kv_cache_was_there(run: Run) -> None:
    """The expected KV cache is within 0.2 GiB of the logged one, other batch limits included."""
    token_bytes = kv_bytes_per_token(run.facts, 1, run.plan.kv_cache_dtype)
    difference_bytes = abs(run.plan.expected_kv_cache_tokens - run.kv_tokens) * token_bytes
    assert difference_bytes <= 0.2 * GIB


@each_served
def test_weights_are_as_loaded(run: Run) -> None:
    """The planned weights are within 0.02 GiB of what vLLM logged after loading."""
    loaded_gib = float(run.logged(r"Model loading took ([\d.]+) GiB"))
    assert run.plan.weights_bytes_per_gpu / GIB == pytest.approx(loaded_gib, abs=0.02)


@each_served
def test_the_card_has_the_memory_of_the_table(run: Run) -> None:
    """The card has the memory that the plan counts on, and at most 0.1 GiB more."""
    total_gib = float(run.logged(r"Free memory on device \([\d.]+/([\d.]+) GiB\)"))
    assert 0 <= total_gib - run.plan.gpu_memory_bytes / GIB <= 0.1


@each_loaded
def test_vllm_understood_the_plan(run: Run) -> None:
    """Dtype, length and the settings that differ from vLLM's own arrived as planned."""
    arrived = ast.literal_eval(run.logged(r"non-default args: (\{.*\})"))
    plan = run.plan
    assert arrived["dtype"] == plan.dtype
    assert arrived["max_model_len"] == plan.max_model_length
    assert arrived["shutdown_timeout"] == DRAIN_SECONDS
    assert arrived.get("kv_cache_dtype", "auto") == plan.kv_cache_dtype
    assert arrived.get("gpu_memory_utilization", 0.92) == plan.gpu_memory_utilization
    assert arrived.get("max_num_seqs") == run.settings.get("max_num_seqs")
