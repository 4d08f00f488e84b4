"""Pure: what vLLM said about itself at the first start of a revision, beside what was planned.

The figures are told once, with the write that says that the revision answers, and are kept in
the status from then on: later reconciles and later processes repeat what they find there.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from quantized_model_operator.domain.cluster_state import EngineStart, Observed
from quantized_model_operator.domain.engine_figures import EngineFigures
from quantized_model_operator.domain.engine_start import (
    recorded_engine,
    started_pod,
)
from quantized_model_operator.domain.serving_plan import ServingPlan
from quantized_model_operator.domain.serving_pods import revision_of
from quantized_model_operator.plan.learning import setup_on
from quantized_model_operator.plan.plan import Plan
from quantized_model_operator.report.readiness import Readiness

_RELEASE = re.compile(r"\d+(?:\.\d+)+")


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineTold:
    """``status.engine``, and what is new and unlike the plan in it."""

    details: Mapping[str, Any] | None
    surprise: str
    """Empty when nothing is new or all is as planned."""

    @property
    def warnings(self) -> str:
        """What is unlike the plan, new or not, as one sentence."""
        return "; ".join((self.details or {}).get("warnings") or ())


def engine_told(plan: Plan, observed: Observed, state: Readiness) -> EngineTold:
    """The figures of the revision that answers, else those that the status has."""
    recorded = recorded_engine(observed.model) or None
    if not state.only_current_answers:
        return EngineTold(details=recorded, surprise="")
    start = observed.start
    if start is not None and plan.serving is not None:
        details = _details(start, plan, observed)
        return EngineTold(details=details, surprise="; ".join(details.get("warnings", ())))
    pod = started_pod(observed.pods)
    if recorded and pod and revision_of(pod) != recorded.get("revision"):
        # The log could not be read; what an earlier revision said is not said of this one.
        return EngineTold(details=None, surprise="")
    return EngineTold(details=recorded, surprise="")


def plan_differences(figures: EngineFigures, plan: ServingPlan) -> Iterator[str]:
    """What vLLM does otherwise than planned, a sentence for each."""
    if figures.kernels and plan.kernel not in figures.kernels:
        named = " and ".join(f"{kernel}LinearKernel" for kernel in figures.kernels)
        yield f"vLLM reports {named}, the plan expected {plan.kernel}"
    if figures.kv_cache_tokens is not None and figures.kv_cache_tokens < plan.kv_cache_tokens:
        yield (
            f"vLLM has room for {figures.kv_cache_tokens} tokens of KV cache, "
            f"the plan counted on {plan.kv_cache_tokens}"
        )
    if figures.version and _release(figures.version) != _release(plan.engine_version):
        yield f"vLLM calls itself {figures.version}, the plan was made for {plan.engine_version}"


def _release(version: str) -> str:
    found = _RELEASE.match(version)
    return found[0] if found else version


def _details(start: EngineStart, plan: Plan, observed: Observed) -> dict[str, Any]:
    """``status.engine``; what vLLM did not say is left out."""
    figures = start.figures
    product, setup = _where(start, plan, observed)
    serving = plan.serving.plan if plan.serving else None
    details: dict[str, Any] = {
        "revision": start.revision,
        "pod": start.pod,
        "product": product,
        "engineVersion": figures.version,
        "kernel": " + ".join(figures.kernels),
        "attentionBackend": figures.attention_backend,
        "weightsBytesPerGpu": figures.weights_bytes,
        "kvCacheBytesPerGpu": figures.kv_cache_bytes,
        "kvCacheTokens": figures.kv_cache_tokens,
        "maxConcurrency": figures.max_concurrency,
        "gpuMemoryBytes": figures.gpu_memory_bytes,
        "consumedBytesPerGpu": figures.consumed_bytes,
        "activationBytesPerGpu": figures.activation_bytes,
        "graphBytesPerGpu": figures.graph_bytes,
        "startSeconds": figures.start_seconds,
        "phases": dict(figures.phase_seconds),
        "compileSeconds": _whole(figures.compiling_seconds),
        "setup": setup,
        "warnings": [*(plan_differences(figures, serving) if serving else ()), *figures.remarks],
    }
    return {key: value for key, value in details.items() if value not in (None, "", [], {})}


def _where(start: EngineStart, plan: Plan, observed: Observed) -> tuple[str, str]:
    """The GPU product of the pod's node, and the setup that a profiled start measured there."""
    node = next((item for item in observed.nodes if item.name == start.node), None)
    if node is None or plan.facts is None or plan.serving is None:
        return "", ""
    product, setup = setup_on(node, plan.facts, plan.model, plan.serving.plan)
    return product, setup if start.figures.consumed_bytes else ""


def _whole(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds)
