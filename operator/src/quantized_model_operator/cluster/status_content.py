"""Pure: what a status says, apart from when it came to say so."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from quantized_model_operator.cluster.encoding import canonical_hash
from quantized_model_operator.domain.timestamps import format_time

Json = Any
"""A value of a parsed JSON document."""


def with_transition_times(
    status: Mapping[str, Any], cached: Mapping[str, Any], now: datetime
) -> dict[str, Any]:
    """The status with a ``lastTransitionTime`` in each condition.

    That of the cached condition while its ``status`` is the same, else ``now``.
    """
    before = {item["type"]: item for item in cached.get("conditions") or ()}
    stamp = format_time(now)
    conditions = []
    for condition in status.get("conditions") or ():
        known = before.get(condition["type"], {})
        kept = known.get("lastTransitionTime")
        same = kept and known.get("status") == condition["status"]
        conditions.append({**condition, "lastTransitionTime": kept if same else stamp})
    return {**status, "conditions": conditions} if conditions else dict(status)


def without_fields(
    status: Mapping[str, Any], undeclared: Collection[tuple[str, ...]]
) -> dict[str, Any]:
    """The status without the fields at these paths, each of which begins with ``status``."""
    kept = dict(status)
    for path in undeclared:
        kept = _without(kept, path[1:])
    return kept


def _without(document: Mapping[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    kept = dict(document)
    if len(path) == 1:
        kept.pop(path[0], None)
    elif path and isinstance(kept.get(path[0]), Mapping):
        kept[path[0]] = _without(kept[path[0]], path[1:])
    return kept


def status_hash(status: Mapping[str, Any]) -> str:
    """Hash of what the status says: no times, no empty values, conditions in any order."""
    said = {key: value for key, value in status.items() if key != "conditions"}
    conditions = {
        item["type"]: {key: value for key, value in item.items() if key != "lastTransitionTime"}
        for item in status.get("conditions") or ()
    }
    return canonical_hash(_without_empty({**said, "conditions": conditions}) or {})


def _without_empty(value: Json) -> Json:
    if isinstance(value, Mapping):
        cleaned = {key: _without_empty(item) for key, item in value.items()}
        return {key: item for key, item in cleaned.items() if item not in (None, {}, [])} or None
    if isinstance(value, (list, tuple)):
        return [_without_empty(item) for item in value]
    return value
