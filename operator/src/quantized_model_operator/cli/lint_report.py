"""Findings as text for people, as JSON for programs, and as annotations for GitHub."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from quantized_model_operator.cli.lint_finding import Finding, Severity
from quantized_model_operator.domain.readable_text import counted


@dataclass(frozen=True, slots=True, kw_only=True)
class LintReport:
    """What was looked at, and what was found, in the order of files and places."""

    findings: tuple[Finding, ...]
    models: int
    others: int
    """Objects of other kinds, which were passed over."""
    files: int

    @property
    def errors(self) -> int:
        """Number of errors."""
        return sum(finding.severity is Severity.ERROR for finding in self.findings)

    @property
    def warnings(self) -> int:
        """Number of warnings."""
        return len(self.findings) - self.errors

    def count(self, reason: str) -> int:
        """Number of findings of a reason."""
        return sum(finding.reason == reason for finding in self.findings)

    @property
    def summary(self) -> str:
        """One sentence over all."""
        looked = f"{counted(self.models, 'QuantizedModel')} in {counted(self.files, 'file')}"
        if not self.models and not self.findings:
            return f"No QuantizedModel found in {counted(self.files, 'file')}."
        if not self.findings:
            return f"{looked}: nothing to complain about."
        found = f"{counted(self.errors, 'error')}, {counted(self.warnings, 'warning')}"
        return f"{looked}: {found}."


def sorted_findings(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """By file in the order in which they were read, then by place."""
    order = {file: index for index, file in enumerate(dict.fromkeys(f.file for f in findings))}
    return tuple(sorted(findings, key=lambda finding: (order[finding.file], finding.place)))


def text(report: LintReport) -> str:
    """A line for each finding as compilers write it, with the remedy below it."""
    lines: list[str] = []
    for finding in report.findings:
        where = f"{finding.file}:{finding.place.line}:{finding.place.column}"
        lines.append(f"{where}: {finding.severity}: {finding.message}")
        if finding.remedy:
            lines.append(f"    {finding.remedy}")
    return "\n".join([*lines, report.summary])


def as_json(report: LintReport) -> str:
    """One document with everything."""
    document = {
        "models": report.models,
        "files": report.files,
        "errors": report.errors,
        "warnings": report.warnings,
        "findings": [_as_object(finding) for finding in report.findings],
    }
    return json.dumps(document, indent=2, ensure_ascii=False)


def github(report: LintReport) -> str:
    """Workflow commands, which GitHub shows at the lines of a change.

    Source: GitHub documentation, workflow commands for GitHub Actions, checked 2026-11-24.
    """
    lines = [
        f"::{finding.severity} file={_property(finding.file)},line={finding.place.line},"
        f"col={finding.place.column},title={_property(_title(finding))}::{_message(finding)}"
        for finding in report.findings
    ]
    return "\n".join([*lines, report.summary])


WRITERS: Mapping[str, Callable[[LintReport], str]] = MappingProxyType(
    {"text": text, "json": as_json, "github": github}
)
"""Name of the output -> what writes it."""


def _as_object(finding: Finding) -> dict[str, Any]:
    found = {
        "severity": finding.severity.value,
        "reason": finding.reason,
        "file": finding.file,
        "line": finding.place.line,
        "column": finding.place.column,
        "model": finding.model,
        "field": finding.field,
        "message": finding.message,
        "remedy": finding.remedy,
        "suggestion": finding.suggestion,
    }
    return {name: value for name, value in found.items() if value}


def _title(finding: Finding) -> str:
    return f"{finding.model}: {finding.reason}" if finding.model else finding.reason


def _message(finding: Finding) -> str:
    words = [finding.message, finding.remedy]
    return _escaped("; ".join(word for word in words if word))


def _escaped(value: str) -> str:
    return value.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(value: str) -> str:
    return _escaped(value).replace(":", "%3A").replace(",", "%2C")
