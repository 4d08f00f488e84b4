"""Pure: the tail of a vLLM log made readable: prefixes off, and the line that tells the cause.

Source: vLLM 0.25.1, 0.32.0 and 0.33.0, logs of real failures; checked 2026-11-24.
"""

import re

_PROCESS_PREFIX = re.compile(
    r"^\((?:APIServer|ApiServer|EngineCore|Worker|VllmWorker)[^)]*pid=\d+\)\s?"
)
_LOG_PREFIX = re.compile(
    r"^(?P<level>DEBUG|INFO|WARNING|ERROR|CRITICAL) \d\d-\d\d \d\d:\d\d:\d\d "
    r"(?:\[[^\]]+\] ?)?"
)
_HARMLESS = frozenset({"DEBUG", "INFO", "WARNING"})
_CAUSE = re.compile(r"^(?:[A-Za-z_][\w.]*\.)?[A-Z]\w*(?:Error|Exception|Interrupt|Exit)\b")
_USAGE_ERROR = re.compile(r"^(?:vllm|[\w./-]+\.py)(?: serve)?: error: ")
_WRAPPERS = (
    "Engine core initialization failed",
    "EngineCore failed to start",
    "EngineCore encountered an issue",
    "EngineDeadError",
    "Worker failed with error",
    "WorkerProc initialization failed",
)
"""Errors that only point to another one. Source: as above, and vLLM 0.33.0 v1/executor."""
_EXCERPT_LINES = 40
_EXCERPT_CHARACTERS = 6000
_LINES_BEFORE = 24
_LINES_AFTER = 3
_LAST_LINES = 8
_CUT = "..."


def plain_lines(log: str) -> list[str]:
    """The lines without process prefixes and time stamps; empty lines are dropped."""
    lines = (_LOG_PREFIX.sub("", _PROCESS_PREFIX.sub("", line)) for line in log.splitlines())
    return [line.rstrip() for line in lines if line.strip()]


def cause_lines(log: str) -> list[tuple[int, str]]:
    """The plain lines that may tell a cause, each with its index among all plain lines.

    Left out are those that vLLM calls informative or a warning.
    """
    found = []
    number = -1
    for line in log.splitlines():
        if not (bare := _PROCESS_PREFIX.sub("", line)).strip():
            continue
        level = _LOG_PREFIX.match(bare)
        plain = bare[level.end() :] if level else bare
        if not plain.strip():
            continue
        number += 1
        if level is None or level["level"] not in _HARMLESS:
            found.append((number, plain.rstrip()))
    return found


def cause_line(log: str) -> str:
    """The line that names the cause: the last error that is no mere wrapper, else the last line.

    vLLM ends a failed start with 'Engine core initialization failed. See root cause above', so
    errors that only point elsewhere do not count.
    """
    lines = plain_lines(log)
    causes = [line for line in lines if _is_cause(line)]
    return (causes or lines or [""])[-1]


def names_a_cause(log: str) -> bool:
    """Whether any line names a cause; false where a process was killed from outside."""
    return any(_is_cause(line) for line in plain_lines(log))


def excerpt(log: str, line: int | None = None) -> str:
    """The last lines of the log, readable, of at most 6000 characters.

    With the index of a line that lies before them: the lines around it, then the last ones.
    """
    lines = plain_lines(log)
    if line is None or line >= len(lines) - _EXCERPT_LINES:
        return "\n".join(lines[-_EXCERPT_LINES:])[-_EXCERPT_CHARACTERS:]
    before = "\n".join(lines[max(0, line - _LINES_BEFORE) : line])
    around = "\n".join([*lines[line : line + 1 + _LINES_AFTER], _CUT, *lines[-_LAST_LINES:]])
    room = max(0, _EXCERPT_CHARACTERS - len(around) - 1)
    return f"{before[-room:] if room else ''}\n{around[:_EXCERPT_CHARACTERS]}".lstrip("\n")


def _is_cause(line: str) -> bool:
    named = _CAUSE.match(line) or _USAGE_ERROR.match(line)
    return bool(named) and not any(text in line for text in _WRAPPERS)
