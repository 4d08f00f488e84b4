"""Pure: every text with which vLLM is known to fail, and which of them a log holds.

The cause is the earliest line that any row knows: what comes later ('Engine core initialization
failed. See root cause above', 'Worker failed with error') only repeats it or points to it. Lines
that vLLM itself calls informative or a warning do not count.
"""

import re
from collections.abc import Iterable, Sequence

from quantized_model_operator.domain.engine_log import cause_lines
from quantized_model_operator.domain.failure_cause import (
    Diagnosis,
    FailureCause,
    Situation,
    told,
)
from quantized_model_operator.domain.failure_causes_checkpoint import CHECKPOINT_CAUSES
from quantized_model_operator.domain.failure_causes_hardware import HARDWARE_CAUSES
from quantized_model_operator.domain.failure_causes_memory import MEMORY_CAUSES
from quantized_model_operator.domain.failure_causes_parallel import PARALLEL_CAUSES
from quantized_model_operator.domain.failure_causes_pod import POD_CAUSES

FAILURE_CAUSES: tuple[FailureCause, ...] = (
    *CHECKPOINT_CAUSES,
    *HARDWARE_CAUSES,
    *PARALLEL_CAUSES,
    *MEMORY_CAUSES,
    *POD_CAUSES,
)


def diagnose(log: str, situation: Situation) -> Diagnosis | None:
    """The cause that the log tells, or ``None`` when no row knows any of its lines."""
    lines = cause_lines(log)
    return _first(lines, _CAUSES, situation) or _first(lines, _SYMPTOMS, situation)


def _first(
    lines: Iterable[tuple[int, str]], rows: "_Rows", situation: Situation
) -> Diagnosis | None:
    for number, line in lines:
        if rows.any_of.search(line) is None:
            continue
        for cause in rows.causes:
            found = cause.found_in(line)
            if found is not None:
                return told(cause, found, situation, number)
    return None


class _Rows:
    """Rows with one expression that tells quickly whether any of them knows a line."""

    def __init__(self, causes: Sequence[FailureCause]) -> None:
        self.causes = causes
        unnamed = (re.sub(r"\?P<\w+>", "?:", cause.pattern) for cause in causes)
        self.any_of = re.compile("|".join(f"(?:{pattern})" for pattern in unnamed))


_CAUSES = _Rows([cause for cause in FAILURE_CAUSES if not cause.is_symptom])
_SYMPTOMS = _Rows([cause for cause in FAILURE_CAUSES if cause.is_symptom])
