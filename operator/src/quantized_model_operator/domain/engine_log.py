"""Pure: the tail of a vLLM log made readable: prefixes off, and the line that tells the cause.

Source: vLLM 0.32.0 and 0.33.0, logs of real failures; checked 2026-11-24.
"""

import re

_PROCESS_PREFIX = re.compile(r"^\((?:APIServer|EngineCore|Worker)[^)]*pid=\d+\)\s?")
_LOG_PREFIX = re.compile(
    r"^(?:DEBUG|INFO|WARNING|ERROR|CRITICAL) \d\d-\d\d \d\d:\d\d:\d\d "
    r"(?:\[[^\]]+\] ?)?"
)
_CAUSE = re.compile(r"^(?:[A-Za-z_][\w.]*\.)?[A-Z]\w*(?:Error|Exception|Interrupt|Exit)\b")
_USAGE_ERROR = re.compile(r"^vllm(?: serve)?: error: ")
_WRAPPERS = (
    "Engine core initialization failed",
    "EngineCore failed to start",
    "EngineCore encountered an issue",
)
_EXCERPT_LINES = 40
_EXCERPT_CHARACTERS = 6000


def plain_lines(log: str) -> list[str]:
    """The lines without process prefixes and time stamps; empty lines are dropped."""
    lines = (_LOG_PREFIX.sub("", _PROCESS_PREFIX.sub("", line)) for line in log.splitlines())
    return [line.rstrip() for line in lines if line.strip()]


def cause_line(log: str) -> str:
    """The line that names the cause: the last error that is no mere wrapper, else the last line.

    vLLM ends a failed start with 'Engine core initialization failed. See root cause above', so
    errors that only point elsewhere do not count.
    """
    lines = plain_lines(log)
    causes = [
        line
        for line in lines
        if (_CAUSE.match(line) or _USAGE_ERROR.match(line))
        and not any(text in line for text in _WRAPPERS)
    ]
    return (causes or lines or [""])[-1]


def excerpt(log: str) -> str:
    """The last lines of the log, readable, of at most 6000 characters."""
    return "\n".join(plain_lines(log)[-_EXCERPT_LINES:])[-_EXCERPT_CHARACTERS:]
