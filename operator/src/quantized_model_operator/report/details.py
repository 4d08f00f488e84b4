"""Pure: the parts of the status that tell about checkpoint, plan, weights and failure."""

from collections.abc import Sequence
from typing import Any

from quantized_model_operator.domain.checkpoint import CheckpointFacts
from quantized_model_operator.domain.cluster_state import Observed
from quantized_model_operator.domain.merge_patch import merged, suggestion
from quantized_model_operator.domain.model import ResolvedModel, Scheme
from quantized_model_operator.domain.outcome import Problem
from quantized_model_operator.domain.serving_plan import ServingPlan
from quantized_model_operator.domain.serving_pods import serving_pods
from quantized_model_operator.domain.well_known import FETCH_CONTAINER
from quantized_model_operator.plan.jobs import JobState
from quantized_model_operator.plan.plan import Plan, Stage
from quantized_model_operator.report.scene import MOST_CHARACTERS, Trouble
from quantized_model_operator.settings import Settings

_LEAST_KILO = 1024


def url(model: ResolvedModel, settings: Settings) -> str:
    """Base URL of the OpenAI API inside the cluster."""
    host = f"{model.key.name}.{model.key.namespace}.svc.{settings.cluster_domain}"
    port = "" if model.service_port == 80 else f":{model.service_port}"  # noqa: PLR2004 - http
    return f"http://{host}{port}/v1"


def checkpoint_details(facts: CheckpointFacts | None) -> dict[str, Any] | None:
    """``status.model``."""
    if facts is None:
        return None
    return {
        "resolvedRevision": facts.commit,
        "digest": facts.digest,
        "integrity": facts.integrity,
        "architecture": facts.architecture,
        "bits": facts.bits,
        "groupSize": facts.group_size,
        "symmetric": facts.symmetric,
        "descAct": facts.desc_act,
        "weightsBytes": facts.weights_bytes,
        "parameters": facts.parameters,
    }


def plan_details(plan: ServingPlan) -> dict[str, Any]:
    """``status.plan``; what is unknown or empty is left out."""
    details: dict[str, Any] = {
        "summary": plan_summary(plan),
        "kernel": plan.kernel,
        "device": plan.device,
        "products": list(plan.products),
        "tensorParallelSize": plan.tensor_parallel_size,
        "dtype": plan.dtype,
        "kvCacheDtype": plan.kv_cache_dtype,
        "weightsBytesPerGpu": plan.weights_bytes_per_gpu,
        "kvCacheBytesPerGpu": plan.kv_cache_bytes_per_gpu,
        "kvCacheTokens": plan.kv_cache_tokens,
        "expectedKvCacheTokens": plan.expected_kv_cache_tokens,
        "maxModelLen": plan.max_model_length,
        "maxConcurrency": plan.max_concurrency,
        "gpuMemoryBytes": plan.gpu_memory_bytes,
        "engineVersion": plan.engine_version,
        "alternatives": list(plan.alternatives),
        "warnings": list(plan.warnings),
    }
    return {key: value for key, value in details.items() if value not in ([], "", 0)}


def plan_summary(plan: ServingPlan) -> str:
    """The plan in a few words, for example ``Machete TP1 32k``."""
    length = plan.max_model_length
    text = f"{length // _LEAST_KILO}k" if length >= _LEAST_KILO else str(length)
    return f"{plan.kernel} TP{plan.tensor_parallel_size} {text}"


def failure_details(
    problems: Sequence[Problem], trouble: Trouble | None = None
) -> dict[str, Any] | None:
    """``status.failure``: what was refused before anything ran, else what does not run."""
    if problems:
        details: dict[str, Any] = {
            "reason": problems[0].reason,
            "message": sentences(problems)[:MOST_CHARACTERS],
            "suggestion": suggestion(merged(problem.suggestion for problem in problems)),
        }
    elif trouble:
        details = {
            "reason": trouble.reason,
            "message": trouble.message,
            "suggestion": trouble.suggestion or suggestion(trouble.patch),
            "pod": trouble.pod,
            "container": trouble.container or None,
            "exitCode": trouble.exit_code,
            "restarts": trouble.restarts or None,
            "revision": trouble.revision or None,
            "logExcerpt": trouble.log_excerpt or None,
        }
    else:
        return None
    return {key: value for key, value in details.items() if value is not None}


def sentences(problems: Sequence[Problem]) -> str:
    """All problems in one message."""
    return "; ".join(dict.fromkeys(problem.sentence for problem in problems))


def weights_condition(
    plan: Plan, observed: Observed, trouble: Trouble | None
) -> tuple[str, str, str] | None:
    """Status, reason and message of ``WeightsReady``; an empty message: the reason's own."""
    found = _weights(plan, observed)
    if found and found[0] == "False" and trouble and trouble.container == FETCH_CONTAINER:
        return "False", trouble.reason, trouble.message
    return found


def _weights(plan: Plan, observed: Observed) -> tuple[str, str, str] | None:
    if plan.facts is None:
        return None
    if plan.model.source.scheme is Scheme.CLAIM:
        verified = plan.facts.integrity == "Manifest"
        return (
            ("True", "DigestsVerified", "") if verified else ("Unknown", "IntegrityUnverified", "")
        )
    if plan.stage is Stage.FETCH:
        failed = plan.fetch is not None and plan.fetch.state is JobState.FAILED
        if failed and plan.problems:
            return "False", plan.problems[0].reason, plan.problems[0].sentence
        return "False", "Fetching", ""
    if plan.stage is not Stage.SERVE:
        return None
    return _fetched_in_pods(observed)


def _fetched_in_pods(observed: Observed) -> tuple[str, str, str]:
    """The init container of any pod has finished well."""
    for pod in serving_pods(observed.pods):
        for container in pod.containers:
            if container.name == FETCH_CONTAINER and container.end:
                if container.end.exit_code == 0:
                    return "True", "Fetched", ""
                break
    return "False", "Fetching", ""
