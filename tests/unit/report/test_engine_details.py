"""vLLM's own figures in the status: told once, kept, compared with the plan, and learned from."""

import gzip
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from quantized_model_operator.api.status_types import EngineStatus
from quantized_model_operator.domain.child_objects import AppliedObjects
from quantized_model_operator.domain.cluster_state import EngineStart, Observed, ObservedNode
from quantized_model_operator.domain.engine_figures import EngineFigures, engine_figures
from quantized_model_operator.report.status import Report, report
from unit.otter import (
    COMMIT,
    GPU_SPEC,
    HUB_URI,
    SETTINGS,
    container,
    desired,
    facts,
    observed,
    planned,
    running,
    serving_pod,
    with_applied,
    with_deployment_status,
)

EVIDENCE = Path(__file__).parents[1] / "domain" / "evidence"
ANSWERING = {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1}
BANK = ObservedNode(
    name="bank",
    labels={
        "nvidia.com/gpu.product": "NVIDIA-L4",
        "nvidia.com/gpu.memory": "23034",
        "nvidia.com/gpu.compute.major": "8",
        "nvidia.com/gpu.compute.minor": "9",
    },
    allocatable={"cpu": "8", "memory": "32Gi", "nvidia.com/gpu": "1"},
    schedulable=True,
)
MEASURED = engine_figures(
    gzip.decompress((EVIDENCE / "h100-0.5b-int4.log.gz").read_bytes()).decode()
)


ODD = "the answer to '1, 2, 3,' is one token repeated"


def on_gpu(figures: EngineFigures | None, **status: int) -> Observed:
    """Otter on an L4 whose pod has told this."""
    seen = replace(observed(GPU_SPEC, known=facts(HUB_URI, COMMIT)), nodes=(BANK,))
    seen = with_applied(seen, desired(seen)[1])
    pod = replace(serving_pod(container(started=True)), node_name="bank", ready=True)
    start = (
        EngineStart(revision="6f", pod=pod.name, node="bank", figures=figures) if figures else None
    )
    return replace(with_deployment_status(seen, **(status or ANSWERING)), pods=(pod,), start=start)


def told(seen: Observed) -> Report:
    """What is reported of it."""
    applied = AppliedObjects(objects=seen.children, writes=0, conflicts={})
    return report(planned(seen), seen, applied, SETTINGS)


def recorded(seen: Observed, result: Report) -> Observed:
    """The same after the status was written and the log is not told again."""
    return replace(seen, model={**seen.model, "status": result.status}, start=None)


def ready(result: Report) -> Mapping[str, Any]:
    """The condition."""
    return next(item for item in result.status["conditions"] if item["type"] == "Ready")


def as_planned(seen: Observed) -> EngineFigures:
    """Figures that are just what the plan says."""
    serving = planned(seen).serving
    assert serving
    return EngineFigures(
        version="0.33.0",
        kernels=(serving.plan.kernel,),
        kv_cache_tokens=serving.plan.kv_cache_tokens,
    )


def test_figures_stand_beside_the_plan_under_its_names() -> None:
    """Names that the plan has too are spelled alike, so that both can be laid side by side."""
    result = told(on_gpu(MEASURED))

    engine, plan = result.status["engine"], result.status["plan"]
    assert engine["kvCacheTokens"] == 6_046_960
    assert engine["attentionBackend"] == "FLASH_ATTN"
    assert (engine["revision"], engine["product"]) == ("6f", "NVIDIA-L4")
    assert (engine["startSeconds"], engine["compileSeconds"]) == (61, 21)
    assert engine["phases"] == {"configure": 21, "load": 4, "profile": 28, "warmUp": 7, "listen": 1}
    shared = {"kernel", "kvCacheTokens", "kvCacheBytesPerGpu", "weightsBytesPerGpu"}
    assert shared <= set(engine) & set(plan)
    EngineStatus.model_validate(engine)


def test_every_figure_is_declared() -> None:
    """No field of status.engine is pruned by the schema."""
    names = {field.alias or name for name, field in EngineStatus.model_fields.items()}
    assert set(told(on_gpu(MEASURED)).status["engine"]) <= names


@pytest.mark.parametrize(
    "line",
    [
        "Using {}LinearKernel for AutoGPTQLinearMethod",
        "Using {} attention backend",
        "Initializing a V1 LLM engine (v{})",
        "GPU KV cache size: {} tokens",
        "Maximum concurrency for 1 tokens per request: {}x",
        "Available KV cache memory: {} GiB",
        "Graph capturing finished in {} secs, took {} GiB",
    ],
)
@pytest.mark.parametrize("filling", ["A" * 5000, "9" * 5000, "9" * 16, "9.9", "-1", "9,9,9"])
def test_no_log_makes_a_status_that_is_refused(line: str, filling: str) -> None:
    """Whatever stands in a line, texts stay short and numbers below 2**63."""
    figures = engine_figures("\n".join([line.replace("{}", filling)] * 20))

    engine = told(on_gpu(figures)).status["engine"]

    EngineStatus.model_validate(engine)
    numbers = [value for value in engine.values() if isinstance(value, int)]
    assert all(-(2**63) < number < 2**63 for number in numbers)


def test_many_kernels_are_cut() -> None:
    """Of very many kernels the first ones are told."""
    lines = [f"Using K{number}LinearKernel for AutoGPTQLinearMethod" for number in range(900)]

    engine = told(on_gpu(engine_figures("\n".join(lines)))).status["engine"]

    EngineStatus.model_validate(engine)
    assert engine["kernel"].startswith("K0 + K1 + ")


def test_the_write_that_says_ready_carries_them() -> None:
    """Before a replica answers nothing is told, so that the figures cost no write of their own."""
    starting = {**ANSWERING, "readyReplicas": 0}
    rolling = {**ANSWERING, "replicas": 2}

    assert "engine" not in told(on_gpu(MEASURED, **starting)).status
    assert "engine" not in told(on_gpu(MEASURED, **rolling)).status
    result = told(on_gpu(MEASURED))
    assert ready(result)["status"] == "True"
    assert "engine" in result.status


def test_figures_stay_without_being_read_again() -> None:
    """What the status has is repeated word for word by later reconciles and later processes."""
    seen = on_gpu(MEASURED)
    first = told(seen)

    again = told(recorded(seen, first))

    assert again.status == first.status
    assert (again.surprise, list(again.events)) == (None, [])


def test_figures_stay_while_nothing_runs() -> None:
    """Scaled to zero or rolling out, a model keeps what its last revision told."""
    seen = on_gpu(MEASURED)
    kept = recorded(seen, told(seen))

    away = replace(kept, pods=())
    assert told(away).status["engine"] == told(seen).status["engine"]
    rolling = with_deployment_status(kept, **{**ANSWERING, "updatedReplicas": 0})
    assert told(rolling).status["engine"] == told(seen).status["engine"]


def test_another_revision_does_not_speak_for_this_one() -> None:
    """When the log of a revision cannot be read, the figures of the one before go."""
    seen = on_gpu(MEASURED)
    kept = recorded(seen, told(seen))
    newer = serving_pod(container(started=True), revision="7a")

    assert "engine" not in told(replace(kept, pods=(newer,))).status


def test_an_unreadable_log_leaves_ready_alone() -> None:
    """A model whose log cannot be read is Ready without figures."""
    result = told(on_gpu(None))

    assert ready(result)["status"] == "True"
    assert "engine" not in result.status


def test_other_words_leave_figures_out() -> None:
    """A version that words its log otherwise is recorded as read, with what is known anyway."""
    engine = told(on_gpu(EngineFigures())).status["engine"]

    assert engine == {"revision": "6f", "pod": "otter-6f-x", "product": "NVIDIA-L4"}


def test_what_goes_as_planned_is_no_warning() -> None:
    """The planned kernel and at least the tokens that were sure are nothing to tell."""
    seen = on_gpu(None)
    start = EngineStart(revision="6f", pod="p", node="bank", figures=as_planned(seen))
    result = told(replace(seen, start=start))

    assert "warnings" not in result.status["engine"]
    assert result.surprise is None
    assert "plan" not in ready(result)["message"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            {"kernels": ("Exllama",)},
            "vLLM reports ExllamaLinearKernel, the plan expected Marlin",
        ),
        ({"kv_cache_tokens": 16}, "vLLM has room for 16 tokens of KV cache, the plan counted on "),
        ({"version": "0.34.1"}, "vLLM calls itself 0.34.1, the plan was made for 0.33.0"),
    ],
)
def test_what_is_unlike_the_plan_is_told(change: dict[str, Any], sentence: str) -> None:
    """Status, condition and one Event say what vLLM reports and the plan did not expect."""
    seen = on_gpu(None)
    figures = replace(as_planned(seen), **change)
    start = EngineStart(revision="6f", pod="p", node="bank", figures=figures)
    result = told(replace(seen, start=start))

    (warning,) = result.status["engine"]["warnings"]
    assert warning.startswith(sentence)
    assert ready(result)["status"] == "True"
    assert warning in ready(result)["message"]
    assert result.surprise == ("EngineDiffersFromPlan", warning)
    again = told(recorded(seen, result))
    assert ready(again) == ready(result)
    assert list(again.events) == []


def test_a_local_build_of_the_planned_version_is_no_surprise() -> None:
    """A version with the build's ending is the planned one."""
    seen = on_gpu(None)
    figures = replace(as_planned(seen), version="0.33.0+cu130")
    start = EngineStart(revision="6f", pod="p", node="bank", figures=figures)

    assert told(replace(seen, start=start)).surprise is None


def test_a_cpu_start_has_no_product_and_no_setup() -> None:
    """On CPU nothing is profiled, so nothing is learned."""
    pod = replace(serving_pod(container(started=True)), ready=True)
    start = EngineStart(revision="6f", pod=pod.name, node="den", figures=MEASURED)
    engine = told(replace(running(), pods=(pod,), start=start)).status["engine"]

    assert not {"product", "setup"} & set(engine)


def test_the_next_plan_of_the_same_setup_uses_what_was_measured() -> None:
    """A changed length is planned with the measured memory, a changed batch is estimated."""
    seen = on_gpu(replace(MEASURED, gpu_memory_bytes=22 << 30))
    kept = recorded(seen, told(seen))

    def tokens(engine: Mapping[str, Any], of: Observed) -> int:
        spec = {**GPU_SPEC, "engine": engine}
        metadata = {**of.model["metadata"], "generation": 2}
        changed = replace(of, model={**of.model, "metadata": metadata, "spec": spec})
        serving = planned(changed).serving
        assert serving
        return serving.plan.expected_kv_cache_tokens

    assert tokens({"maxModelLen": 1024}, kept) != tokens({"maxModelLen": 1024}, seen)
    assert tokens({"maxNumSeqs": 8}, kept) == tokens({"maxNumSeqs": 8}, seen)


def test_a_running_plan_is_not_touched_by_what_was_learned() -> None:
    """A decision sticks: figures that come later change neither plan nor pods."""
    seen = on_gpu(MEASURED)
    kept = recorded(seen, told(seen))

    assert planned(kept).serving == planned(seen).serving
    assert desired(kept)[1] == desired(seen)[1]


def test_what_the_startup_probe_found_odd_is_a_warning() -> None:
    """The model is Ready all the same, and the remark stands beside vLLM's figures."""
    seen = on_gpu(None)
    seen = on_gpu(replace(as_planned(seen), remarks=(ODD,)))

    result = told(seen)

    assert ready(result)["status"] == "True"
    assert ODD in ready(result)["message"]
    assert result.status["engine"]["warnings"] == [ODD]
