"""The shape of the repository: sizes, names and the completeness of the import contracts."""

from __future__ import annotations

import ast
import importlib.util
import statistics
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
SOURCE = REPOSITORY / "operator" / "src"
TESTS = REPOSITORY / "tests"
RECORDS = REPOSITORY / "operator" / "docs" / "adr"

FILE_LINES_HARD, FILE_LINES_P95 = 400, 250
FUNCTION_LINES_HARD, FUNCTION_LINES_P95 = 60, 35
RECONCILE_LINES_HARD = 40

CORE = ("api", "domain", "settings", "resolve", "plan", "render", "report")
# Which modules of the operator each contract must name once they exist.
CONTRACTS = {
    "The core does no I/O": CORE,
    "Only cluster speaks to Kubernetes": ("__main__", "cli", "shell", "reconcile", "metrics"),
    "Only shell knows kopf": ("__main__", "cli", "reconcile", "cluster", "metrics"),
    "Only metrics knows the registry": ("__main__", "cli", "shell", "reconcile", "cluster"),
}


@dataclass(frozen=True)
class Sized:
    """Something with a length in lines, named as an editor jumps to it."""

    name: str
    lines: int


def python_files(*roots: Path) -> list[Path]:
    """Every Python file below the roots, in a fixed order."""
    return sorted(path for root in roots for path in root.rglob("*.py"))


def files(*roots: Path) -> list[Sized]:
    """Every Python file below the roots with its length."""
    return [
        Sized(
            str(path.relative_to(REPOSITORY)),
            len(path.read_text(encoding="utf-8").splitlines()),
        )
        for path in python_files(*roots)
    ]


def functions(*roots: Path) -> list[Sized]:
    """Every function below the roots, with its decorators' lines left out and its docstring in."""
    return [sized for path in python_files(*roots) for sized in functions_of(path)]


@cache
def functions_of(path: Path) -> tuple[Sized, ...]:
    """The functions of one file."""
    return tuple(
        Sized(
            f"{path.relative_to(REPOSITORY)}:{node.lineno} {node.name}",
            (node.end_lineno or node.lineno) - node.lineno + 1,
        )
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )


def percentile_95(sizes: list[Sized]) -> float:
    """The 95th percentile of the lines, inclusive, so that a small sample cannot exceed its top."""
    return statistics.quantiles([sized.lines for sized in sizes], n=20, method="inclusive")[-1]


def over(sizes: list[Sized], limit: int) -> list[str]:
    """What exceeds a limit, longest first, in words for a failing assertion."""
    ordered = sorted(sizes, key=lambda sized: -sized.lines)
    return [f"{sized.name}: {sized.lines} lines" for sized in ordered if sized.lines > limit]


def test_no_file_is_beyond_its_hard_stop() -> None:
    """No Python file is longer than 400 lines."""
    assert over(files(SOURCE, TESTS), FILE_LINES_HARD) == []


def test_files_are_short() -> None:
    """Nineteen of twenty files of the operator have at most 250 lines."""
    assert percentile_95(files(SOURCE)) <= FILE_LINES_P95, over(files(SOURCE), FILE_LINES_P95)


def test_no_function_is_beyond_its_hard_stop() -> None:
    """No function, tests included, is longer than 60 lines with its docstring."""
    assert over(functions(SOURCE, TESTS), FUNCTION_LINES_HARD) == []


def test_functions_are_short() -> None:
    """Nineteen of twenty functions of the operator have at most 35 lines."""
    sizes = functions(SOURCE)
    assert percentile_95(sizes) <= FUNCTION_LINES_P95, over(sizes, FUNCTION_LINES_P95)


def test_reconcile_is_a_table_of_contents() -> None:
    """Every function called reconcile has at most 40 lines."""
    sizes = [sized for sized in functions(SOURCE) if sized.name.endswith(" reconcile")]
    assert over(sizes, RECONCILE_LINES_HARD) == []


def test_the_project_folder_is_no_package() -> None:
    """Nothing makes the folder operator/ importable in place of the standard library's module."""
    assert not (REPOSITORY / "operator" / "__init__.py").exists()
    modules = python_files(REPOSITORY / "operator", TESTS)
    assert [path for path in modules if path.name == "operator.py"] == []


@pytest.mark.parametrize("folder", [REPOSITORY, REPOSITORY / "operator", SOURCE])
def test_operator_is_the_standard_library(folder: Path) -> None:
    """`import operator` finds the standard library even when started inside the repository."""
    program = "import operator; print(operator.__file__, operator.add(1, 2))"
    completed = subprocess.run(  # noqa: S603 - a fixed program in this interpreter
        [sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=True
    )
    found, total = completed.stdout.split()
    assert total == "3"
    assert REPOSITORY not in Path(found).parents


def test_the_packages_are_installed_in_place() -> None:
    """The tests run against the source tree, not against a copy of it."""
    for package in ("quantized_model_operator", "quantized_model_jobs"):
        spec = importlib.util.find_spec(package)
        assert spec is not None
        assert spec.origin == str(SOURCE / package / "__init__.py")


def import_contracts() -> dict[str, dict[str, Any]]:
    """The contracts of the import linter by name."""
    tools = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    return {contract["name"]: contract for contract in tools["tool"]["importlinter"]["contracts"]}


def existing(modules: tuple[str, ...]) -> set[str]:
    """Those of the operator's modules that exist, by full name."""
    package = SOURCE / "quantized_model_operator"
    return {
        f"quantized_model_operator.{name}"
        for name in modules
        if (package / f"{name}.py").exists() or (package / name / "__init__.py").exists()
    }


@pytest.mark.parametrize("name", sorted(CONTRACTS))
def test_import_contracts_name_every_module(name: str) -> None:
    """Each contract covers every module of the operator that it is meant for."""
    owed = existing(CONTRACTS[name])
    covered = set(import_contracts().get(name, {}).get("source_modules", []))
    assert covered >= owed, f"add to the contract {name!r}: {sorted(owed - covered)}"


def test_decision_records_are_numbered_without_gaps() -> None:
    """Decision records count up from 0001, and the index links each of them."""
    records = sorted(path.name for path in RECORDS.glob("[0-9]*.md"))
    numbers = [int(name.split("-")[0]) for name in records]
    assert numbers == list(range(1, len(records) + 1))
    index = (RECORDS / "README.md").read_text(encoding="utf-8")
    assert [name for name in records if f"({name})" not in index] == []


HEADINGS = ("Context", "Drivers", "Options", "Outcome", "Consequences")


def test_decision_records_have_every_part() -> None:
    """Each decision record has a status and the five parts of the template, in order."""
    for path in sorted(RECORDS.glob("[0-9]*.md")):
        text = path.read_text(encoding="utf-8")
        assert "Status: " in text, path.name
        headings = [line[3:] for line in text.splitlines() if line.startswith("## ")]
        assert tuple(headings) == HEADINGS, path.name
