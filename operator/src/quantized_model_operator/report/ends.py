"""Pure: why a container ended, from its exit, its last words and its log.

The table of vLLM's texts comes first; then what exit codes and times tell; then vLLM is quoted.
"""

from collections.abc import Callable, Iterator
from datetime import timedelta

from quantized_model_operator.domain.checkpoint import InvalidReportError, report_from_json
from quantized_model_operator.domain.cluster_state import (
    ContainerEnd,
    LogKey,
    Observed,
    ObservedContainer,
    ObservedPod,
)
from quantized_model_operator.domain.engine_log import cause_line, excerpt, names_a_cause
from quantized_model_operator.domain.failure_cause import Diagnosis, Patch, Situation, told
from quantized_model_operator.domain.failure_causes import diagnose
from quantized_model_operator.domain.failure_causes_pod import START_INTERRUPTED
from quantized_model_operator.domain.failure_remedies import memory_patch
from quantized_model_operator.domain.probe_report import probe_problem
from quantized_model_operator.domain.well_known import FETCH_CONTAINER, SERVING_CONTAINER
from quantized_model_operator.report.scene import MOST_CHARACTERS, Scene, Trouble

_ENDED_FROM_OUTSIDE = frozenset({0, 137, 143})
"""What vLLM ends with when the kubelet stops it, the first one after draining."""
_NOT_RUN = frozenset({"StartError", "ContainerCannotRun"})
"""The runtime could not even run the command. Source: containerd 2.4, 2026-11."""
_GRACE = timedelta(seconds=30)
"""A startup probe ends vLLM a little before its budget is over: it counts whole periods."""

Cause = tuple[str, str, Patch | None]
"""Reason, message and patch."""


def end_trouble(
    pod: ObservedPod, container: ObservedContainer, end: ContainerEnd, scene: Scene
) -> Trouble:
    """The trouble of a container that ended."""
    log = _log_of(pod, container, scene.observed)
    line = None
    cause: Cause | None = None
    if end.reason == "OOMKilled":
        cause = _killed_for_memory(container, scene.situation)
    elif container.name != SERVING_CONTAINER:
        cause = _program_cause(container, end)
    else:
        cause = next(
            (found for rule in _ENGINE_RULES if (found := rule(end, log, scene.situation))), None
        )
        known = diagnose(log, scene.situation)
        if cause is None and known and not _is_early(known, end, scene.situation):
            line = known.line
            cause = (known.cause.reason, known.sentence, known.patch)
        cause = cause or _unknown_cause(end, log, scene.situation)
    reason, message, patch = cause
    return Trouble(
        reason=reason,
        message=message[:MOST_CHARACTERS],
        pod=pod.name,
        container=container.name,
        exit_code=end.exit_code,
        log_excerpt=excerpt(log, line),
        patch=patch,
    )


def _log_of(pod: ObservedPod, container: ObservedContainer, observed: Observed) -> str:
    """The log of the newest ended run that was read."""
    for run in (container.restart_count, container.restart_count - 1):
        text = observed.logs.get(LogKey(pod.uid, container.name, run))
        if text:
            return text
    return ""


def _killed_for_memory(container: ObservedContainer, situation: Situation) -> Cause:
    message = f"container {container.name} used more memory than its limit and was killed; "
    if container.name != SERVING_CONTAINER:
        return "OutOfMemory", f"{message}raise spec.hardware.memory", None
    limit = f" of {situation.memory}" if situation.memory else ""
    message = f"container {container.name} used more memory than its limit{limit} and was killed; "
    patch = memory_patch(situation.memory)
    return "OutOfMemory", f"{message}raise spec.hardware.memory", patch


def _not_run(end: ContainerEnd, _log: str, _situation: Situation) -> Cause | None:
    if end.reason not in _NOT_RUN:
        return None
    message = (
        "spec.engine.image: the container cannot run vllm, so the image is none of vLLM, or not "
        f"for this kind of node; correct it ({end.message or end.reason})"
    )
    return "ContainerFailed", message, None


def _damaged_answers(end: ContainerEnd, _log: str, _situation: Situation) -> Cause | None:
    damaged = probe_problem(end.message)
    engine_is_dead = damaged.startswith("HTTP 5")
    if not damaged or engine_is_dead or end.exit_code not in _ENDED_FROM_OUTSIDE:
        return None
    canary = ", or correct spec.engine.canary" if "canary" in damaged else ""
    message = (
        f"vLLM started, but its first answer was not sane: {damaged}; the checkpoint or its kernel "
        "is damaged: fetch or quantise spec.model.uri again, or set another spec.engine.version"
        f"{canary}"
    )
    return "AnswersDamaged", message, None


_ENGINE_RULES: tuple[Callable[[ContainerEnd, str, Situation], Cause | None], ...] = (
    _not_run,
    _damaged_answers,
)


def _unknown_cause(end: ContainerEnd, log: str, situation: Situation) -> Cause:
    """No row of the table knows the log."""
    return next(
        found
        for rule in (_too_slow, _killed_process, _quoted)
        for found in rule(end, log, situation)
    )


def _too_slow(end: ContainerEnd, log: str, situation: Situation) -> Iterator[Cause]:
    """Stopped from outside after as long as the startup probe waits, without an error."""
    if end.exit_code not in _ENDED_FROM_OUTSIDE or names_a_cause(log):
        return
    ran = _ran(end)
    budget = timedelta(seconds=situation.startup_seconds)
    if ran and budget and budget - _GRACE <= ran <= budget + 4 * _GRACE:
        cause = told(START_INTERRUPTED, {}, situation)
        yield cause.cause.reason, cause.sentence, cause.patch


def _is_early(known: Diagnosis, end: ContainerEnd, situation: Situation) -> bool:
    """Whether vLLM was stopped in its start, and long before its startup probe would do so."""
    ran = _ran(end)
    budget = timedelta(seconds=situation.startup_seconds)
    return known.cause is START_INTERRUPTED and ran is not None and ran < budget - _GRACE


def _ran(end: ContainerEnd) -> timedelta | None:
    return end.finished_at - end.started_at if end.started_at and end.finished_at else None


def _killed_process(end: ContainerEnd, log: str, situation: Situation) -> Iterator[Cause]:
    """One process of vLLM went without a word: the kernel ends only the largest one."""
    if end.exit_code != 0 or not log or names_a_cause(log):
        return
    limit = f", which is {situation.memory}" if situation.memory else ""
    message = (
        "vLLM ended by itself (exit code 0) because a process of its engine was killed, probably "
        f"for memory; raise spec.hardware.memory{limit}, if it happens again"
    )
    yield "EngineDied", message, memory_patch(situation.memory)


def _quoted(end: ContainerEnd, log: str, situation: Situation) -> Iterator[Cause]:
    known = diagnose(log, situation)
    if known and _is_early(known, end, situation):
        yield "EngineFailed", "vLLM was stopped from outside while it started", None
    cause = cause_line(log) or probe_problem(end.message) or end.message or end.reason
    if end.exit_code == 0:
        yield "EngineDied", f"vLLM ended by itself (exit code 0): {cause}", None
    yield "EngineFailed", f"vLLM ended with exit code {end.exit_code}: {cause}", None


def _program_cause(container: ObservedContainer, end: ContainerEnd) -> Cause:
    """What a program of ours said in its report, or that it said nothing."""
    reason = "FetchFailed" if container.name == FETCH_CONTAINER else "InspectionFailed"
    silent = f"the program {container.name} ended with exit code {end.exit_code} and no report"
    try:
        report = report_from_json(end.message)
    except InvalidReportError:
        return reason, silent, None
    if not report.problems:
        return reason, silent, None
    return report.problems[0].reason, report.problems[0].message, None
