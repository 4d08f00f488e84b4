"""Pure: what is known of a model, as the story that `qm explain` tells."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from quantized_model_operator.cli.explain_commands import (
    kubectl,
    log_command,
    patch_command,
    reach,
)
from quantized_model_operator.cli.explain_stages import StageRow, conditions_of, stages
from quantized_model_operator.cluster.model_objects import ModelObjects
from quantized_model_operator.domain.quantity import GIB

Body = Mapping[str, Any]

HEALTHY, WORKING, STALLED, UNHEARD = "Healthy", "Working", "Stalled", "Unheard"
"""It does what the spec says; it is on the way; somebody has to act; no operator has seen it."""

MOST_EVENTS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One figure: as planned, and as vLLM reported it; empty where it is not known."""

    name: str
    planned: str
    reported: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """All that is told of a model."""

    namespace: str
    name: str
    state: str
    reason: str
    message: str
    stages: Sequence[StageRow]
    comparisons: Sequence[Comparison]
    warnings: Sequence[str]
    alternatives: Sequence[str]
    failure: Body
    """``status.failure``; empty when nothing failed."""
    patch_command: str
    """Empty when no patch is known."""
    log_command: str
    """Shows the log that the failure is about; empty without one."""
    reach: Sequence[str]
    """Commands that ask the model something; empty until it answers."""
    url: str
    """Inside the cluster; empty before there is a Service."""
    meanwhile: str
    """What still answers while this spec does not; empty otherwise."""
    events: Sequence[str]
    """The last warnings, oldest first."""
    unreadable: Sequence[str]


def story(objects: ModelObjects, now: datetime, context: str) -> Story:
    """The story at this moment; commands name the context when the user named one."""
    model = objects.model
    status, metadata = model.get("status") or {}, model["metadata"]
    ready = conditions_of(model).get("Ready") or {}
    state = _state(model)
    failure = status.get("failure") or {}
    begin = kubectl(metadata["namespace"], context)
    plan, engine = status.get("plan") or {}, status.get("engine") or {}
    return Story(
        namespace=str(metadata["namespace"]),
        name=str(metadata["name"]),
        state=state,
        reason=str(ready.get("reason", "")),
        message=_message(model, ready, state),
        stages=stages(objects, now),
        comparisons=tuple(_comparisons(plan, engine)),
        warnings=(*(plan.get("warnings") or ()), *(engine.get("warnings") or ())),
        alternatives=tuple(plan.get("alternatives") or ()),
        failure=failure,
        patch_command=patch_command(begin, metadata["name"], failure),
        log_command=log_command(begin, failure),
        reach=tuple(reach(begin, model)) if state == HEALTHY else (),
        url=str(status.get("url", "")),
        meanwhile=_meanwhile(model, state),
        events=tuple(_warnings(objects.events))[-MOST_EVENTS:],
        unreadable=objects.unreadable,
    )


def document(told: Story) -> dict[str, Any]:
    """The story as JSON: names as in the API where the API has them."""
    return {
        "namespace": told.namespace,
        "name": told.name,
        "state": told.state,
        "reason": told.reason,
        "message": told.message,
        "stages": [
            {
                "name": row.name.strip(),
                "state": row.state,
                **({} if row.seconds is None else {"seconds": row.seconds}),
                **({"detail": row.detail} if row.detail else {}),
            }
            for row in told.stages
        ],
        "figures": [
            {"name": item.name, "planned": item.planned, "reported": item.reported}
            for item in told.comparisons
        ],
        "warnings": list(told.warnings),
        "alternatives": list(told.alternatives),
        "failure": dict(told.failure),
        "patchCommand": told.patch_command,
        "logCommand": told.log_command,
        "reach": list(told.reach),
        "url": told.url,
        "meanwhile": told.meanwhile,
        "events": list(told.events),
        "unreadable": list(told.unreadable),
    }


def _state(model: Body) -> str:
    status = model.get("status") or {}
    if status.get("observedGeneration") != model["metadata"].get("generation"):
        return UNHEARD
    conditions = conditions_of(model)
    if (conditions.get("Stalled") or {}).get("status") == "True":
        return STALLED
    if (conditions.get("Ready") or {}).get("status") == "True":
        return HEALTHY
    return WORKING


def _message(model: Body, ready: Body, state: str) -> str:
    if state != UNHEARD:
        return str(ready.get("message", ""))
    seen = (model.get("status") or {}).get("observedGeneration")
    if seen is None:
        return "no operator has looked at this model yet: is one running for its namespace?"
    return (
        f"the operator has seen generation {seen} of the spec, and this is generation "
        f"{model['metadata'].get('generation')}: is it running?"
    )


def _meanwhile(model: Body, state: str) -> str:
    available = conditions_of(model).get("Available") or {}
    if state == HEALTHY or available.get("status") != "True":
        return ""
    return str(available.get("message") or "At least one replica answers.")


def _comparisons(plan: Body, engine: Body) -> Iterator[Comparison]:
    """Figures that the plan has or that vLLM reported, side by side."""
    sure, expected = plan.get("kvCacheTokens"), plan.get("expectedKvCacheTokens")
    tokens = f"{_count(sure)} sure, {_count(expected)} expected" if expected else _count(sure)
    each = "" if plan.get("device") == "CPU" else " per GPU"
    rows = (
        ("vLLM", plan.get("engineVersion"), engine.get("engineVersion")),
        ("Hardware", _gpus(plan), engine.get("product")),
        ("Kernel", plan.get("kernel"), engine.get("kernel")),
        ("Attention", None, engine.get("attentionBackend")),
        (f"Weights{each}", *_sizes(plan, engine, "weightsBytesPerGpu")),
        (f"KV cache{each}", *_sizes(plan, engine, "kvCacheBytesPerGpu")),
        ("KV cache tokens", tokens, _count(engine.get("kvCacheTokens"))),
        ("Max length", _count(plan.get("maxModelLen")), None),
        ("Full requests", plan.get("maxConcurrency"), engine.get("maxConcurrency")),
        ("Memory of a GPU", *_sizes(plan, engine, "gpuMemoryBytes")),
        ("Start", None, _seconds(engine.get("startSeconds"))),
    )
    for name, planned, reported in rows:
        if planned or reported:
            yield Comparison(name=name, planned=str(planned or ""), reported=str(reported or ""))


def _sizes(plan: Body, engine: Body, field: str) -> tuple[str, str]:
    return _gib(plan.get(field)), _gib(engine.get(field))


def _gib(size: int | None) -> str:
    return f"{size / GIB:.2f} GiB" if size else ""


def _count(number: int | None) -> str:
    return f"{number:,}" if number else ""


def _seconds(number: int | None) -> str:
    return "" if number is None else f"{number} s"


def _gpus(plan: Body) -> str:
    if plan.get("device") == "CPU":
        return "CPU"
    products = " or ".join(plan.get("products") or ())
    return f"{plan.get('tensorParallelSize', 1)} \N{MULTIPLICATION SIGN} {products}" * bool(
        products
    )


def _warnings(events: Sequence[Body]) -> Iterator[str]:
    """What the cluster complained about, oldest first, each once.

    A probe that fails is how a start looks until vLLM answers.
    """
    ordered = sorted(
        (
            event
            for event in events
            if event.get("type") == "Warning" and event.get("reason") != "Unhealthy"
        ),
        key=lambda event: str(event.get("lastTimestamp") or event.get("eventTime") or ""),
    )
    texts = (
        f"{event.get('reason')} ({(event.get('involvedObject') or {}).get('kind')} "
        f"{(event.get('involvedObject') or {}).get('name')}): {event.get('message', '')}"
        for event in ordered
    )
    yield from dict.fromkeys(texts)
