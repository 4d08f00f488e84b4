"""Pure: what must hold before vLLM serves a GPTQ checkpoint, as rows by version.

Each row says what vLLM itself would say, and where the operator sees to it. The checks ask their
row whether it holds for a version and make their refusal from it; so this list is complete, and
the documentation is written from it. A new vLLM release is new rows here and in the tables
that they name; a version newer than all rows is judged by the rows without an end.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from quantized_model_operator.domain.engine_version import OLDEST_KNOWN_VERSION, EngineVersion
from quantized_model_operator.domain.outcome import Problem

Area = Literal["Checkpoint", "Hardware", "Parallelism", "Memory and length", "Arguments", "Pod"]

Means = Literal["Refused", "Rendered", "Explained"]
"""``Refused`` before any GPU is taken; ``Rendered``: the pod is written so that it holds;
``Explained``: only a running pod shows it, and its log is read."""

SILENT = ""
"""vLLM says nothing: it starts, and answers wrongly or not at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineRule:
    """One thing that must hold, for a range of minor versions of vLLM."""

    id: str
    area: Area
    means: Means
    holds: str
    """What must hold, as a sentence."""
    vllm_says: str
    """The text it ends with otherwise, numbers as ``{}``; ``SILENT`` where it says nothing."""
    remedy: str
    """What a user does about it, as a sentence."""
    source: str
    checked_by: str
    """``module:function`` that sees to it."""
    reason: str = ""
    """Of the refusal, one of ``api.conditions``."""
    field: str = ""
    """At fault in the refusal, unless the check names a closer one."""
    since: EngineVersion = OLDEST_KNOWN_VERSION
    until: EngineVersion | None = None
    """The last minor version it holds for; ``None`` while no version is known to have ended it."""

    def applies(self, version: EngineVersion) -> bool:
        """Whether it holds for this version; for all newer ones if it has no end."""
        release = version.release
        return self.since <= release and (self.until is None or release <= self.until)

    def problem(
        self, message: str, suggestion: Mapping[str, Any] | None = None, field: str = ""
    ) -> Problem:
        """The refusal by this rule."""
        return Problem(
            reason=self.reason,
            field=field or self.field,
            message=message,
            suggestion=suggestion,
            rule=self.id,
        )


def rules_by_id(rules: Iterable[EngineRule]) -> Mapping[str, EngineRule]:
    """The rows by id; ``ValueError`` when two have the same."""
    found: dict[str, EngineRule] = {}
    for rule in rules:
        if rule.id in found:
            raise ValueError(f"two rules are called {rule.id}")
        found[rule.id] = rule
    return found
