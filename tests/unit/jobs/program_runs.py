"""Running the programs in this process, and reading what they leave."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from quantized_model_jobs import fetch, inspect
from quantized_model_operator.api.conditions import REASONS
from quantized_model_operator.domain.checkpoint import (
    REPORT_LIMIT_BYTES,
    InspectionReport,
    report_from_json,
)

if TYPE_CHECKING:
    from pathlib import Path

    from hub import Hub

VERDICT, FILLED, TRY_AGAIN, REFUSED = 0, 0, 1, 2
OTTER = "zoo/otter"
MANIFEST = "quantized-model-manifest.json"


def read_report(path: Path) -> InspectionReport:
    """The report that a program left, within its limits and with reasons of the API."""
    text = path.read_text(encoding="utf-8")
    assert len(text.encode()) <= REPORT_LIMIT_BYTES
    report = report_from_json(text)
    assert {problem.reason for problem in report.problems} <= set(REASONS)
    return report


def inspect_claim(folder: Path, report: Path, *more: str) -> tuple[int, InspectionReport]:
    """Exit code and report of an inspection of a folder."""
    arguments = ["--uri", "pvc://shelf/otter", "--path", str(folder), "--claim-uid", "uid-1"]
    code = inspect.main([*arguments, "--report", str(report), *more])
    return code, read_report(report)


def inspect_hub(name: str, report: Path, *more: str) -> tuple[int, InspectionReport]:
    """Exit code and report of an inspection of a repository."""
    code = inspect.main(["--uri", f"hf://{name}", "--report", str(report), *more])
    return code, read_report(report)


def commit_of(hub: Hub, name: str) -> str:
    """The commit of a repository now."""
    repository = hub.repositories.get(name)
    assert repository is not None
    return repository.commit


def fetch_arguments(hub: Hub, name: str, destination: Path, report: Path) -> list[str]:
    """Arguments of a fetch with a short rhythm."""
    return [
        *("--uri", f"hf://{name}"),
        *("--commit", commit_of(hub, name)),
        *("--destination", str(destination)),
        *("--report", str(report)),
        *("--stall-seconds", "0.5"),
        *("--heartbeat-seconds", "0.1"),
        *("--stale-seconds", "1"),
    ]


def run_fetch(hub: Hub, name: str, destination: Path, report: Path, *more: str) -> int:
    """Exit code of a fetch."""
    return fetch.main([*fetch_arguments(hub, name, destination, report), *more])


def the_problem(report: InspectionReport) -> tuple[str, str]:
    """Reason and message of a report with one problem."""
    assert report.facts is None
    assert len(report.problems) == 1
    return report.problems[0].reason, report.problems[0].message


def files_of(folder: Path) -> dict[str, bytes]:
    """Visible files of a folder with their content."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.relative_to(folder).as_posix().startswith(".")
    }


def manifest_of(folder: Path) -> dict[str, dict[str, object]]:
    """The files that the manifest in a folder names."""
    document = json.loads((folder / MANIFEST).read_text())
    files: dict[str, dict[str, object]] = document["files"]
    return files


def assert_filled(destination: Path, source: Path) -> None:
    """The folder holds exactly the files of the repository and their digests."""
    expected = files_of(source)
    found = files_of(destination)
    found.pop(MANIFEST)
    assert found == expected
    assert manifest_of(destination) == {
        name: {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in expected.items()
    }
