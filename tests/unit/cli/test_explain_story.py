"""What is told of a model: stages with their times, figures, commands and warnings."""

from __future__ import annotations

import json
import shlex
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from fake_models import (
    EVENTS,
    HEALTHY_POD,
    MODEL_LABEL,
    STALLED_POD,
    STARTING_POD,
    condition,
    event,
    healthy,
    model,
    pod,
    refused,
    stalled,
    starting,
)
from quantized_model_operator.cli.explain_stages import stages
from quantized_model_operator.cli.explain_story import Story, story
from quantized_model_operator.cli.explain_text import duration
from quantized_model_operator.cluster.model_objects import ModelObjects
from quantized_model_operator.domain import well_known

if TYPE_CHECKING:
    from collections.abc import Sequence

NOW = datetime(2026, 11, 24, 10, 4, 24, tzinfo=UTC)


def objects(
    of: dict[str, Any],
    *pods: Any,  # noqa: ANN401 - JSON
    events: Sequence[Any] = (),
    jobs: Sequence[Any] = (),
) -> ModelObjects:
    """A model and what belongs to it."""
    return ModelObjects(
        model=of, deployment=None, pods=pods, jobs=jobs, events=events, unreadable=()
    )


def told(of: dict[str, Any], *pods: Any, context: str = "", **more: Any) -> Story:  # noqa: ANN401 - JSON
    """The story of it."""
    return story(objects(of, *pods, **more), NOW, context)


def rows(of: dict[str, Any], *pods: Any, **more: Any) -> list[tuple[str, str, int | None]]:  # noqa: ANN401 - JSON
    """Its stages."""
    found = stages(objects(of, *pods, **more), NOW)
    return [(row.name.strip(), row.state, row.seconds) for row in found]


# The stages


def test_stages_of_a_model_that_answers() -> None:
    """Every stage has the time that the API tells, and vLLM's phases come from its own log."""
    assert rows(healthy(), HEALTHY_POD, events=EVENTS) == [
        ("inspect", "done", 4),
        ("plan", "done", None),
        ("place", "done", 1),
        ("fetch", "done", 92),
        ("pull image", "done", 72),
        ("start vLLM", "done", 168),
        ("configure", "done", 52),
        ("load weights", "done", 8),
        ("compile, profile", "done", 97),
        ("graphs, warm up", "done", 7),
        ("listen", "done", 0),
    ]


def test_stages_of_a_model_that_starts() -> None:
    """The stage that goes on tells since when."""
    assert rows(starting(), STARTING_POD)[-1] == ("start vLLM", "running", 120)


def test_stages_of_a_model_that_fails() -> None:
    """The stage that failed is the last one, and says how vLLM ended."""
    (*_, last) = stages(objects(stalled(), STALLED_POD), NOW)
    assert (last.name, last.state) == ("start vLLM", "failed")
    assert last.detail == "exit code 1, started again 3 times"


def test_stages_of_a_refused_model() -> None:
    """A refused plan is where the story ends."""
    assert rows(refused()) == [("inspect", "done", 4), ("plan", "failed", None)]


def test_stages_of_an_inspection() -> None:
    """An inspection that goes on counts from the model's creation, a failed one to its end."""
    going = condition("Inspected", "Unknown", "Inspecting", "", "10:00:01")
    failed = condition("Inspected", "False", "TensorMissing", "", "10:00:09")
    for item, expected in ((going, ("running", 264)), (failed, ("failed", 9))):
        status = {"observedGeneration": 1, "conditions": [item]}
        assert rows(model("otter", status)) == [("inspect", *expected)]


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ([], ("running", 204)),
        ([("Complete", "10:02:00")], ("done", 60)),
        ([("Failed", "10:02:30")], ("failed", 90)),
    ],
)
def test_a_job_that_fetches(conditions: list[tuple[str, str]], expected: tuple[str, int]) -> None:
    """The Job that fills a shared volume is a stage before any pod."""
    job = {
        "metadata": {"name": "j", "labels": {"app.kubernetes.io/component": "fetch"}},
        "status": {
            "startTime": "2026-11-24T10:01:00Z",
            "conditions": [
                {"type": kind, "status": "True", "lastTransitionTime": f"2026-11-24T{time}Z"}
                for kind, time in conditions
            ],
        },
    }
    assert rows(starting(), jobs=[job])[2] == ("fetch", *expected)


def test_a_pod_without_a_node() -> None:
    """A pod that no node takes has waited since it was made."""
    unplaced = pod("qwen2-7b-new-5f6d8c9b7-k9w3t", {"state": {"waiting": {}}})
    unplaced["status"] = {
        "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]
    }
    assert rows(starting(), unplaced)[-1] == ("place", "running", 259)


@pytest.mark.parametrize("reason", ["ErrImagePull", "ImagePullBackOff"])
def test_an_image_that_is_not_there(reason: str) -> None:
    """A pod whose image cannot be pulled is told at this stage; vLLM has not started."""
    waiting = pod("qwen2-7b-new-5f6d8c9b7-k9w3t", {"state": {"waiting": {"reason": reason}}})
    (*_, last) = stages(objects(starting(), waiting), NOW)
    assert (last.name, last.state, last.detail) == ("pull image", "failed", f"vllm: {reason}")


def test_a_container_that_never_ran_has_no_log() -> None:
    """No command is shown for a log that does not exist."""
    item = stalled()
    del item["status"]["failure"]["exitCode"]
    del item["status"]["failure"]["logExcerpt"]
    assert told(item).log_command == ""


def test_the_newest_pod_tells() -> None:
    """Of several pods the youngest that stays is told of; ending ones only when alone."""
    ending = {**STARTING_POD, "metadata": {**STARTING_POD["metadata"], "deletionTimestamp": "x"}}
    older = {
        **HEALTHY_POD,
        "metadata": {**HEALTHY_POD["metadata"], "creationTimestamp": "2026-11-24T09:00:00Z"},
    }
    assert rows(starting(), ending, older)[-1][:2] == ("start vLLM", "done")
    assert rows(starting(), older, STARTING_POD)[-1] == ("start vLLM", "running", 120)
    assert rows(starting(), ending)[-1] == ("start vLLM", "running", 120)


# The story


def test_a_model_that_nobody_has_seen() -> None:
    """Without an operator the story says so, for a new model and for a changed one."""
    new = told(model("otter", {}))
    assert (new.state, new.reach) == ("Unheard", ())
    assert "no operator has looked at this model yet" in new.message
    changed = healthy()
    changed["metadata"]["generation"] = 2
    assert "has seen generation 1 of the spec, and this is generation 2" in told(changed).message


def test_what_still_answers_is_told() -> None:
    """While a new spec is stalled, the replicas of the one before are not forgotten."""
    item = stalled()
    available = condition("Available", "True", "Answering", "1 replica answers", "10:00:00")
    item["status"]["conditions"].append(available)
    assert told(item).meanwhile == "1 replica answers"
    assert told(stalled()).meanwhile == ""


def test_commands_name_the_context() -> None:
    """A context that was named is part of every command."""
    of_stalled = told(stalled(), context="prod eu")
    assert of_stalled.patch_command.startswith("kubectl --context 'prod eu' --namespace llm patch")
    assert of_stalled.log_command.startswith("kubectl --context 'prod eu' --namespace llm logs ")
    assert told(healthy(), context="prod").reach[0].startswith("kubectl --context prod ")


@pytest.mark.parametrize("suggestion", ["", "no json", "[1]", '"; rm -rf /"'])
def test_a_suggestion_that_is_no_patch_is_no_command(suggestion: str) -> None:
    """Only a JSON object becomes a command."""
    item = stalled()
    item["status"]["failure"]["suggestion"] = suggestion
    assert told(item).patch_command == ""


def test_a_patch_is_quoted_for_the_shell() -> None:
    """Whatever stands in a patch is one word of the command."""
    item = stalled()
    patch = {"spec": {"engine": {"args": ["it's", "$(touch x)"]}}}
    item["status"]["failure"]["suggestion"] = json.dumps(patch)
    assert json.loads(shlex.split(told(item).patch_command)[-1]) == patch


def test_reaching_a_model_with_a_key_and_another_port() -> None:
    """Port, served name and API key are those of the spec."""
    item = healthy()
    item["spec"] |= {
        "service": {"port": 8080},
        "apiKeySecretRef": {"name": "k", "key": "k"},
        "model": {"uri": "hf://a/b", "servedNames": ["chat", "other"]},
    }
    tunnel, question = told(item).reach
    assert tunnel.endswith("service/qwen2-7b 8000:8080")
    assert '"Authorization: Bearer $API_KEY"' in question
    assert '"model": "chat"' in question


def test_a_model_at_zero_cannot_be_reached() -> None:
    """Without a replica there is nothing to ask."""
    item = healthy()
    item["status"]["readyReplicas"] = 0
    assert told(item).reach == ()


def test_warnings_of_the_cluster_are_told_once() -> None:
    """Warnings about the model and its pods, oldest first; Normal events are no news."""
    late = {**event("p", "Failed", "late", "Warning"), "lastTimestamp": "2026-11-24T10:03:00Z"}
    early = event("p", "Failed", "early", "Warning")
    probing = event("p", "Unhealthy", "Startup probe failed:", "Warning")
    pulled = event("p", "Pulled", "fine")
    of_starting = told(starting(), events=[late, early, early, probing, pulled])
    assert list(of_starting.events) == ["Failed (Pod p): early", "Failed (Pod p): late"]


def test_what_is_unlike_the_plan_is_a_warning() -> None:
    """Warnings of the plan and those of vLLM's report are told together."""
    item = healthy()
    item["status"]["engine"] = {**item["status"]["engine"], "warnings": ["vLLM reports Exllama"]}
    assert list(told(item).warnings) == ["vLLM reports Exllama"]


def test_pods_are_asked_for_by_label() -> None:
    """The label by which the fake cluster's pods are listed is that of rendered pods."""
    assert well_known.MODEL_LABEL == MODEL_LABEL


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (59, "59s"),
        (60, "1m 00s"),
        (3599, "59m 59s"),
        (3600, "1h 00m"),
        (86_399, "23h 59m"),
        (86_400, "1d 0h"),
    ],
)
def test_durations_are_short(seconds: int, text: str) -> None:
    """Two units at most."""
    assert duration(seconds) == text
