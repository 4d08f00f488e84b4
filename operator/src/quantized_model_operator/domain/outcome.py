"""Pure: what happens after a reconcile; errors say it, and nothing else decides it."""

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing a user can mend: a reason, the field at fault and a sentence with the remedy."""

    reason: str
    """CamelCase, one of ``api.conditions``."""
    field: str
    """Path in the QuantizedModel, for example ``spec.engine.args[0]``; empty when none is at
    fault."""
    message: str
    suggestion: Mapping[str, Any] | None = dataclass_field(default=None, hash=False)
    """A merge patch for ``spec`` that mends it, for example ``{"engine": {"dtype": "float16"}}``;
    ``None`` where no edit of the spec does."""
    rule: str = ""
    """Id of the row of ``domain.engine_rules`` that refuses; empty where no rule of vLLM does."""

    @property
    def sentence(self) -> str:
        """The message with the field at its beginning."""
        begins = self.message.startswith(self.field)
        return self.message if begins else f"{self.field}: {self.message}"


class InvalidModelError(Exception):
    """The model cannot be served as it is written: tell the user, do not retry."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("; ".join(problem.message for problem in problems))
        self.problems = problems


class NotYetError(Exception):
    """Something outside has to happen first: wait, then look again."""

    def __init__(self, reason: str, retry_after_seconds: float) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after_seconds = retry_after_seconds


@dataclass(frozen=True, slots=True)
class Outcome:
    """A reconcile that ended without an error; any exception means back-off."""

    retry_after_seconds: float | None = None
    """Look again by then even if no event comes; ``None``: only on events and resync."""
