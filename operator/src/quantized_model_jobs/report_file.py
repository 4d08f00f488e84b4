"""I/O: the report of a program, left where the kubelet picks it up."""

from pathlib import Path

from quantized_model_operator.domain.checkpoint import (
    CheckpointProblem,
    InspectionReport,
    report_to_json,
)


def write_report(path: Path, report: InspectionReport) -> None:
    """Write the report in place: the termination log is a mount and cannot be replaced."""
    path.write_text(report_to_json(report), encoding="ascii")


def refusal(*problems: CheckpointProblem) -> InspectionReport:
    """A verdict: trying again does not help."""
    return InspectionReport(problems=problems, problem_count=len(problems))


def transient(reason: str, message: str) -> InspectionReport:
    """No verdict: trying again may help."""
    problem = CheckpointProblem(reason=reason, message=message)
    return InspectionReport(problems=(problem,), problem_count=1, transient=True)
