"""Pure: a loop of crashes keeps its first cause until the pods change or the model is well.

What comes later is often a consequence (memory that a dying process still holds, a cache cut
short), and a status that changes with each attempt tells nobody anything. The published status is
the memory: nothing else is kept.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from quantized_model_operator.domain.well_known import SERVING_CONTAINER
from quantized_model_operator.report.pulling import says_nothing_new
from quantized_model_operator.report.scene import Trouble

_GIVES_WAY = frozenset({"EngineFailed", "EngineDied", "GpuMemoryTaken"})
"""Nothing known, or nothing that lasts: a cause that is known and lasts replaces it."""
_TOLD_RESTARTS = (300, 100, 30, 10, 3)
"""The status is not written for each restart, only when these counts are passed."""


def first_cause(published: Mapping[str, Any], now: Trouble, restarts: int) -> Trouble:
    """The failure to tell: the published one of the same pods and container, else the new one.

    ``published`` is ``status.failure`` as it is; ``restarts`` those of the container until now.
    """
    told = next((count for count in _TOLD_RESTARTS if restarts >= count), 0)
    same = all(
        published.get(key) == value
        for key, value in (("revision", now.revision), ("container", now.container))
    )
    if same and now.reason == published["reason"] == "ImagePullFailed":
        repeated = says_nothing_new(published["message"], now.message)
        return replace(now, message=published["message"]) if repeated else now
    if now.exit_code is None or now.container != SERVING_CONTAINER:
        return now
    if not same or "exitCode" not in published:
        return replace(now, restarts=told)
    if published["reason"] in _GIVES_WAY and now.reason not in _GIVES_WAY:
        return replace(now, restarts=told)
    return Trouble(
        reason=published["reason"],
        message=published["message"],
        pod=published.get("pod", ""),
        container=published["container"],
        exit_code=published["exitCode"],
        log_excerpt=published.get("logExcerpt", ""),
        suggestion=published.get("suggestion", ""),
        revision=now.revision,
        restarts=max(told, published.get("restarts", 0)),
    )
