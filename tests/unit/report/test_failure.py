"""status.failure: the cause from log, exit and node, with the patch that mends it."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from quantized_model_operator.domain.child_objects import AppliedObjects
from quantized_model_operator.domain.cluster_state import (
    ContainerEnd,
    LogKey,
    Observed,
    ObservedNode,
    ObservedPod,
)
from quantized_model_operator.domain.merge_patch import patched
from quantized_model_operator.domain.outcome import Problem
from quantized_model_operator.report.status import report, report_invalid
from unit.domain.engine_logs import engine_failed
from unit.otter import (
    CPU_SPEC,
    DEN,
    NOW,
    SETTINGS,
    container,
    ended,
    facts,
    observed,
    planned,
    running,
    serving_pod,
    with_deployment_status,
)

TOO_LONG = (
    "ValueError: To serve at least one request with the model's max seq len (2048), (0.1 GiB KV "
    "cache is needed, which is larger than the available KV cache memory (0.0 GiB). Based on the "
    "available memory, the estimated maximum model length is 384."
)
PORT_TAKEN = "OSError: [Errno 98] Address already in use"
DEAD = (
    "(APIServer pid=1) ERROR 11-22 08:01:06 [core_client.py:9] Engine core proc EngineCore died "
    "unexpectedly, shutting down client.\n"
    "(APIServer pid=1) vllm.v1.engine.exceptions.EngineDeadError: EngineCore encountered an issue."
)


def _seen(*pods: ObservedPod, **more: Any) -> Observed:  # noqa: ANN401 - fields of Observed
    starting = with_deployment_status(
        running(), observedGeneration=1, replicas=1, updatedReplicas=1
    )
    return replace(starting, pods=pods, **more)


def _failure(seen: Observed) -> dict[str, Any]:
    applied = AppliedObjects(objects=seen.children, writes=0, conflicts={})
    status = report(planned(seen), seen, applied, SETTINGS).status
    failure = dict(status.get("failure") or {})
    if failure:
        ready = next(item for item in status["conditions"] if item["type"] == "Ready")
        assert (ready["reason"], ready["message"]) == (failure["reason"], failure["message"])
    return failure


def _crashed(
    text: str, restarts: int = 0, code: int = 1, end: ContainerEnd | None = None, name: str = "6f"
) -> Observed:
    """Otter after its vLLM ended with this log."""
    last = end or ended(code)
    pod = serving_pod(container(last_end=last, restarts=restarts + 1), revision=name)
    return _seen(pod, logs={LogKey(pod.uid, "vllm", restarts): text})


def _told(seen: Observed, failure: Mapping[str, Any]) -> Observed:
    """The same after the failure was published."""
    return replace(seen, model={**seen.model, "status": {"failure": failure}})


def test_a_known_text_is_explained_with_a_patch() -> None:
    """The table's sentence is the message, its patch the suggestion, and the log shows the line."""
    failure = _failure(_crashed(engine_failed(TOO_LONG)))
    assert failure["reason"] == "ModelLengthTooLong"
    assert failure["message"].startswith("spec.engine.maxModelLen: ")
    assert json.loads(failure["suggestion"]) == {"spec": {"engine": {"maxModelLen": 384}}}
    assert TOO_LONG in failure["logExcerpt"]
    assert failure["logExcerpt"].splitlines()[-1].startswith("RuntimeError: Engine core init")


def test_a_loop_keeps_its_first_cause() -> None:
    """Ends that follow, of the same pods, change nothing that is published."""
    first = _failure(_crashed(engine_failed(TOO_LONG)))
    for restarts in (1, 2):
        later = _told(_crashed(engine_failed(PORT_TAKEN), restarts=restarts - 1), first)
        assert _failure(later) == first


def test_restarts_are_told_rarely() -> None:
    """The count of restarts is published at 3, 10, 30 and so on, and never goes back."""
    first = _failure(_crashed(engine_failed(TOO_LONG)))
    counts = []
    for restarts in (2, 3, 8, 9, 10, 11):
        first = _failure(_told(_crashed(engine_failed(PORT_TAKEN), restarts=restarts), first))
        counts.append(first.get("restarts", 0))
    assert counts == [3, 3, 3, 10, 10, 10]
    assert _failure(_told(_crashed(PORT_TAKEN), first))["restarts"] == 10


def test_another_revision_has_its_own_cause() -> None:
    """A change of the pods forgets the cause of those before."""
    first = _failure(_crashed(engine_failed(TOO_LONG)))
    failure = _failure(_told(_crashed(PORT_TAKEN, name="7a"), first))
    assert (failure["reason"], failure["revision"]) == ("InvalidArgument", "7a")


@pytest.mark.parametrize("first", ["ValueError: the moon is full", ""])
def test_an_unknown_first_end_gives_way(first: str) -> None:
    """A first end that told nothing known is replaced by the first one that does."""
    unknown = _failure(_crashed(first))
    assert unknown["reason"] == "EngineFailed"
    known = _failure(_told(_crashed(engine_failed(TOO_LONG), restarts=1), unknown))
    assert known["reason"] == "ModelLengthTooLong"
    assert _failure(_told(_crashed("RuntimeError: else", restarts=1), known)) == known


def test_a_model_that_is_well_has_no_failure() -> None:
    """What was published goes once all replicas answer."""
    first = _failure(_crashed(engine_failed(TOO_LONG)))
    assert _failure(_told(running(), first)) == {}


def test_a_dead_engine_says_probably_memory() -> None:
    """Where only the engine's process was killed, the exit is 0 and no log names a cause."""
    failure = _failure(_crashed(DEAD, code=0))
    assert failure["reason"] == "EngineDied"
    assert "probably for memory" in failure["message"]
    assert json.loads(failure["suggestion"]) == {"spec": {"hardware": {"memory": "7Gi"}}}


def test_a_start_that_took_too_long_says_how_long_it_had() -> None:
    """A vLLM that was stopped when its startup probe gave up tells the time it had."""
    end = ended(137)
    probe = planned(running())
    assert probe.serving is not None
    seen = _crashed("", end=end)
    budget = _startup_seconds(seen)
    slow = replace(end, started_at=NOW - timedelta(seconds=budget), finished_at=NOW)
    failure = _failure(_crashed("INFO 11-22 08:00:40 [core.py:1] Loading", end=slow))
    assert failure["reason"] == "StartupTimedOut"
    assert f"within {budget} s" in failure["message"]
    quick = replace(slow, started_at=NOW - timedelta(seconds=20))
    assert _failure(_crashed("", end=quick))["reason"] == "EngineFailed"


def test_a_start_that_was_interrupted_early_is_no_slow_one() -> None:
    """A signal from outside in the middle of a start is not blamed on the startup probe."""
    log = engine_failed("KeyboardInterrupt: terminated")
    early = replace(ended(1), started_at=NOW - timedelta(seconds=20), finished_at=NOW)
    failure = _failure(_crashed(log, end=early))
    assert failure["reason"] == "EngineFailed"
    assert failure["message"] == "vLLM was stopped from outside while it started"
    assert _failure(_crashed(log))["reason"] == "StartupTimedOut"


def _startup_seconds(seen: Observed) -> int:
    (deployment,) = (child for key, child in seen.children.items() if key.kind == "Deployment")
    probe = deployment["spec"]["template"]["spec"]["containers"][0]["startupProbe"]
    return int(probe["failureThreshold"]) * int(probe["periodSeconds"])


def test_an_image_without_vllm_names_its_field() -> None:
    """A command that the runtime cannot run is the image's fault."""
    end = ended(128, reason="StartError", message='exec: "vllm": executable file not found')
    failure = _failure(_crashed("", end=end))
    assert failure["reason"] == "ContainerFailed"
    assert failure["message"].startswith("spec.engine.image: ")
    assert "executable file not found" in failure["message"]


def test_a_lost_node_is_named() -> None:
    """A pod that ran on a node that no longer reports is told of with the node's name."""
    lost = replace(DEN, reports=False, schedulable=False)
    failure = _failure(_seen(serving_pod(container()), nodes=(lost,)))
    assert failure["reason"] == "NodeLost"
    assert "node den " in failure["message"]
    waiting = replace(serving_pod(container()), phase="Pending")
    assert _failure(_seen(waiting, nodes=(lost,))) == {}


@pytest.mark.parametrize(
    ("why", "field"),
    [
        ("The node was low on resource: memory.", "spec.hardware.memory"),
        ("The node was low on resource: ephemeral-storage.", "spec.cache"),
    ],
)
def test_an_eviction_names_what_was_short(why: str, field: str) -> None:
    """The kubelet's words are told, with the field that helps."""
    failure = _failure(_seen(replace(serving_pod(reason="Evicted"), message=why)))
    assert failure["reason"] == "Evicted"
    assert why in failure["message"]
    assert field in failure["message"]


PULL = (
    'failed to pull and unpack image "m.example/e:9": failed to resolve reference "m.example/e:9"'
)


@pytest.mark.parametrize(
    ("reason", "message", "words"),
    [
        (
            "ErrImagePull",
            f"rpc error: code = NotFound desc = {PULL}: m.example/e:9: not found",
            (
                "image m.example/e:9 of container vllm cannot be pulled: m.example/e:9: not found; "
                "correct spec.engine.image or spec.engine.version, or put the image there"
            ),
        ),
        (
            "ImagePullBackOff",
            f'Back-off pulling image "m.example/e:9": ErrImagePull: {PULL}: 401 Unauthorized',
            (
                "image m.example/e:9 of container vllm cannot be pulled: 401 Unauthorized; "
                "let the pods' ServiceAccount have an imagePullSecret for this registry"
            ),
        ),
        (
            "ErrImagePull",
            f"{PULL}: dial tcp 192.0.2.1:443: i/o timeout",
            (
                "image m.example/e:9 of container vllm cannot be pulled: dial tcp 192.0.2.1:443: "
                "i/o timeout; it is tried again"
            ),
        ),
        (
            "ErrImageNeverPull",
            'Container image "m.example/e:9" is not present with pull policy of Never',
            (
                "image m.example/e:9 of container vllm cannot be pulled: Container image "
                '"m.example/e:9" is not present with pull policy of Never; correct '
                "spec.engine.image or spec.engine.version, or put the image there"
            ),
        ),
    ],
)
def test_pulling(reason: str, message: str, words: str) -> None:
    """The registry's words are told without the runtime's around them, with what to do."""
    failure = _failure(_seen(serving_pod(container(waiting=(reason, message)))))
    assert (failure["reason"], failure["message"]) == ("ImagePullFailed", words)


def test_attempts_to_pull_do_not_change_the_status() -> None:
    """Back-off and attempt, other ports and times, are the same failure."""
    first = _failure(
        _seen(serving_pod(container(waiting=("ErrImagePull", f"{PULL}: dial tcp 1.2.3.4:5: no"))))
    )
    for reason, message in (
        ("ImagePullBackOff", 'Back-off pulling image "m.example/e:9"'),
        ("ErrImagePull", f"{PULL}: dial tcp 1.2.3.4:678: no"),
    ):
        again = _seen(serving_pod(container(waiting=(reason, message))))
        assert _failure(_told(again, first)) == first
    other = _seen(serving_pod(container(waiting=("ErrImagePull", f"{PULL}: 404 not found"))))
    assert "not found" in _failure(_told(other, first))["message"]


def test_memory_that_no_node_has() -> None:
    """A pod larger than every node says what the largest has."""
    small = ObservedNode(name="small", labels={}, allocatable={"memory": "2Gi"}, schedulable=True)
    pod = serving_pod(unschedulable="0/1 nodes are available: 1 Insufficient memory.")
    message = _failure(_seen(pod, nodes=(small,)))["message"]
    assert "asks for 5.0 GiB of one node, and the largest has 2.0 GiB" in message
    assert "(scheduler: 0/1 nodes" in message


def test_a_suggestion_mends_what_was_refused() -> None:
    """A spec with the published patch applied is planned."""
    spec = {**CPU_SPEC, "engine": {"maxModelLen": 999_999}}
    seen = observed(spec, known=facts())
    failure = _failure(seen)
    assert failure["reason"] == "ModelLengthTooLong"
    mended = patched(seen.model, json.loads(failure["suggestion"]))
    assert planned(observed(mended["spec"], known=facts())).problems == ()


def test_refusals_have_a_failure_with_their_patch() -> None:
    """A refused spec tells in status.failure too, and patches of several problems are one."""
    problems = (
        Problem(
            reason="DtypeUnsupported",
            field="spec.engine.dtype",
            message="spec.engine.dtype: no",
            suggestion={"engine": {"dtype": "float16"}},
        ),
        Problem(
            reason="InvalidSpec",
            field="spec.engine.maxNumSeqs",
            message="spec.engine.maxNumSeqs: no",
            suggestion={"engine": {"maxNumSeqs": 8, "dtype": "bfloat16"}},
        ),
    )
    failure = report_invalid(problems, running(CPU_SPEC)).status["failure"]
    assert failure["reason"] == "DtypeUnsupported"
    assert failure["message"] == "spec.engine.dtype: no; spec.engine.maxNumSeqs: no"
    assert json.loads(failure["suggestion"]) == {
        "spec": {"engine": {"dtype": "float16", "maxNumSeqs": 8}}
    }


@pytest.mark.parametrize(
    ("verdict", "reason", "remedy"),
    [
        (
            "spec.engine.canary expects 'the otter', vLLM answered 'the heron'",
            "AnswersDamaged",
            "correct spec.engine.canary",
        ),
        (
            "every question is answered with HTTP 500: Internal Server Error",
            "AnswersDamaged",
            "spec.model.uri",
        ),
        ("HTTP 500: EngineDeadError", "EngineDied", "spec.hardware.memory"),
    ],
)
@pytest.mark.parametrize("code", [0, 143])
def test_a_verdict_of_the_startup_probe_is_told(
    verdict: str, reason: str, remedy: str, code: int
) -> None:
    """What lives and answers wrongly is damaged; what died at the first question died."""
    message = json.dumps({"reason": "AnswersDamaged", "message": verdict})
    if reason == "EngineDied":
        code = 0
    failure = _failure(_crashed("INFO all is well", end=ended(code, message=message)))
    assert failure["reason"] == reason
    assert remedy in failure["message"]
    if reason == "AnswersDamaged":
        assert verdict in failure["message"]


def test_a_damaged_replica_is_told_while_others_answer() -> None:
    """A replica whose vLLM was started again and answers wrongly counts, whoever else is Ready."""
    message = json.dumps({"reason": "AnswersDamaged", "message": "the answer has no token"})
    pods = _crashed("", end=ended(0, message=message)).pods
    seen = with_deployment_status(
        running({**CPU_SPEC, "replicas": 2}),
        observedGeneration=1,
        replicas=2,
        updatedReplicas=2,
        readyReplicas=1,
    )
    assert _failure(seen) == {}
    seen = replace(seen, pods=pods)
    assert _failure(seen)["reason"] == "AnswersDamaged"
