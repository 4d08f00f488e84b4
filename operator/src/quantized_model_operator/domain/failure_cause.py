"""Pure: what a row of the tables of failure causes is, and what a remedy may know.

A row tells one text of vLLM from all others by a short part that is the same in every version.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Patch = Mapping[str, Any]
"""A merge patch for ``spec``: ``None`` in it removes a field, a list replaces a list."""

Area = Literal["Checkpoint", "Hardware", "Parallelism", "Memory and length", "Arguments and pod"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What the container that failed was started with."""

    spec: Mapping[str, Any] = field(default_factory=dict)
    """As the user wrote it."""
    device: str = "GPU"
    resource_name: str = "nvidia.com/gpu"
    tensor_parallel_size: int = 1
    legal_sizes: tuple[int, ...] = ()
    """Tensor parallel sizes that the model can be split into, rising."""
    memory: str = ""
    """Memory limit of the container, a quantity; empty when unknown."""
    startup_seconds: int = 0
    """How long vLLM may take to its first answer; 0 when unknown."""

    @property
    def engine(self) -> Mapping[str, Any]:
        """``spec.engine``."""
        return self.spec.get("engine") or {}

    @property
    def arguments(self) -> tuple[str, ...]:
        """``spec.engine.args``."""
        return tuple(str(item) for item in self.engine.get("args") or ())


Remedy = Callable[[Mapping[str, str], Situation], Patch | None]
"""From what the pattern found and the situation to a patch; ``None`` where none helps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureCause:
    """One text with which vLLM fails, and what a user does about it."""

    id: str
    area: Area
    text: str
    """As vLLM writes it, numbers as in one real case."""
    pattern: str
    """Regular expression for one line of the log; its named groups fill the sentence."""
    reason: str
    """CamelCase, one of ``api.conditions``."""
    sentence: str
    """Cause and remedy in the words of the spec; ``{name}``: a group or a fact of the situation."""
    source: str
    remedy: Remedy | None = None
    is_symptom: bool = False
    """True for texts that other causes bring along: they count only when nothing else is found."""

    def found_in(self, line: str) -> Mapping[str, str] | None:
        """The named groups when the line has this text, else ``None``."""
        match = re.search(self.pattern, line)
        if match is None:
            return None
        return {name: text or "?" for name, text in match.groupdict().items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """The cause that was found in a log, told to a user."""

    cause: FailureCause
    sentence: str
    patch: Patch | None
    line: int
    """Index of the line that told, among the plain lines of the log."""


def told(
    cause: FailureCause, found: Mapping[str, str], situation: Situation, line: int = 0
) -> Diagnosis:
    """The row with its blanks filled in; cannot fail for the groups of its own pattern."""
    facts = {
        "tp": situation.tensor_parallel_size,
        "memory": situation.memory or "its limit",
        "startup": situation.startup_seconds or "its",
    }
    return Diagnosis(
        cause=cause,
        sentence=cause.sentence.format(**{**facts, **found}),
        patch=cause.remedy(found, situation) if cause.remedy else None,
        line=line,
    )
