"""Pure: a trouble of a pod, and what is looked at to find it."""

from dataclasses import dataclass

from quantized_model_operator.domain.cluster_state import Observed
from quantized_model_operator.domain.failure_cause import Patch, Situation

MOST_CHARACTERS = 2000
"""Of a message in ``status.failure``, so that a condition says the same as the failure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Where a pod is in trouble."""

    observed: Observed
    situation: Situation
    unprepared: tuple[str, ...] = ()
    """Names of pods that the kubelet could not prepare for a long time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """One container or pod that does not run, and why."""

    reason: str
    message: str
    pod: str
    container: str = ""
    exit_code: int | None = None
    log_excerpt: str = ""
    patch: Patch | None = None
    """A merge patch for ``spec`` that mends it."""
    suggestion: str = ""
    """The patch as it was published before; wins over ``patch``."""
    revision: str = ""
    """Of the pods: the Deployment controller's hash of their template."""
    restarts: int = 0
    """At least so often was the container started again since; see ``first_cause``."""
