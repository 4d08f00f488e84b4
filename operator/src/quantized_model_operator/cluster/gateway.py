"""I/O: what the reconciler needs of a cluster, as a protocol; no implementation here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from quantized_model_operator.domain.child_objects import AppliedObjects, DesiredObjects
from quantized_model_operator.domain.cluster_state import ModelKey, Observed


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelEvent:
    """A Kubernetes Event about a model."""

    kind: str
    """``Normal`` or ``Warning``."""
    reason: str
    message: str


class Gateway(Protocol):
    """Observe, apply, publish; the same contract suite runs on ``live`` and ``in_memory``."""

    async def observe(self, key: ModelKey) -> Observed | None:
        """What exists now, from caches; ``None`` when the model is gone or being deleted.

        The only requests it may make are for logs that were not read before: of containers that
        ended, and of the first pod of a revision that has started.
        """

    async def apply(self, observed: Observed, desired: DesiredObjects) -> AppliedObjects:
        """Make the desired objects exist by server-side apply, in their order, then remove.

        Writes only what differs from the cache. The first apply of a Deployment or Service that
        the cache does not hold is made without force: a conflict means that somebody else owns
        the name, which is reported in ``conflicts`` and written nowhere. A Job is created once
        and never patched. ``NotYetError`` when the model turns out to be gone.
        """

    async def write_status(self, observed: Observed, status: Mapping[str, Any]) -> bool:
        """Write the status if it differs from the cached one; true when it was written.

        ``lastTransitionTime`` of conditions is set here: kept while ``status`` of the condition
        is unchanged, else now.
        """

    async def emit_event(self, observed: Observed, event: ModelEvent) -> None:
        """Record an event about the model; repeats of the same event are not sent again."""
