"""Runs every test layer, one after the other, and ends with a line per layer and the totals.

run_layers.py [LAYER ...]    without names, all of them

A layer that cannot run here may skip tests, with a reason. With CI=true in the environment nothing
may skip: a skipped test counts as failed, and so does a layer without tests.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

REPOSITORY = Path(__file__).resolve().parents[2]
PYTEST = (sys.executable, "-m", "pytest")
# A session fixture may build a whole control plane from source on its first run.
CLUSTER_TIMEOUT = "--timeout=3600"


@dataclass(frozen=True)
class Layer:
    """One row of the closing table: a command; pytest layers also write a JUnit report."""

    name: str
    command: tuple[str, ...]
    is_pytest: bool = True


LAYERS = (
    Layer(
        "lint",
        (sys.executable, "-m", "pre_commit", "run", "--all-files", "--show-diff-on-failure"),
        is_pytest=False,
    ),
    Layer("unit", (*PYTEST, "tests/unit")),
    Layer("golden", (*PYTEST, "tests/golden")),
    Layer("shell", (*PYTEST, "tests/shell")),
    Layer("cluster", (*PYTEST, "tests/cluster/smoke", CLUSTER_TIMEOUT)),
    Layer("e2e", (*PYTEST, "tests/e2e", "-m", "not node", CLUSTER_TIMEOUT)),
    Layer("node", (*PYTEST, "tests/e2e", "-m", "node", CLUSTER_TIMEOUT)),
)


@dataclass(frozen=True)
class Outcome:
    """What a layer ended with.

    Attributes:
        exit_code: Of the command; pytest says 5 when it found no test.
        passed: Tests that passed; 0 for a layer that is not pytest's.
        failed: Tests that failed or had an error.
        skip_reasons: One entry for each skipped test.
        seconds: Wall-clock time of the layer.
    """

    exit_code: int
    passed: int = 0
    failed: int = 0
    skip_reasons: tuple[str, ...] = field(default=())
    seconds: float = 0.0


NO_TESTS = 5


def read_report(report: Path) -> tuple[int, int, tuple[str, ...]]:
    """Passed, failed and the reasons of the skipped, from a JUnit report; zeros without one."""
    if not report.is_file():
        return 0, 0, ()
    cases = list(ET.parse(report).iter("testcase"))  # noqa: S314 - pytest wrote it a moment ago
    bad = {
        (case.get("classname"), case.get("name"))
        for case in cases
        if case.find("failure") is not None or case.find("error") is not None
    }
    skips = [skip for case in cases if (skip := case.find("skipped")) is not None]
    good = [case for case in cases if len(case.findall("skipped")) == 0]
    passed = sum((case.get("classname"), case.get("name")) not in bad for case in good)
    return passed, len(bad), tuple(skip.get("message") or "no reason given" for skip in skips)


def run(layer: Layer) -> Outcome:
    """The outcome of a layer; its output goes where ours goes."""
    print(f"\n=== {layer.name}: {' '.join(layer.command[1:])}", flush=True)
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        extra = (f"--junit-xml={report}",) if layer.is_pytest else ()
        completed = subprocess.run(  # noqa: S603 - commands of the table above
            [*layer.command, *extra], cwd=REPOSITORY, check=False
        )
        passed, failed, skip_reasons = read_report(report)
    return Outcome(
        exit_code=completed.returncode,
        passed=passed,
        failed=failed,
        skip_reasons=skip_reasons,
        seconds=time.monotonic() - started,
    )


def is_failure(layer: Layer, outcome: Outcome, *, may_skip: bool) -> bool:
    """Whether a layer breaks the build."""
    if layer.is_pytest and outcome.exit_code == NO_TESTS:
        return not may_skip
    return outcome.exit_code != 0 or (bool(outcome.skip_reasons) and not may_skip)


def describe(layer: Layer, outcome: Outcome, *, may_skip: bool) -> str:
    """The closing line of a layer."""
    reasons = "; ".join(sorted(set(outcome.skip_reasons)))
    nothing_ran = layer.is_pytest and outcome.passed + outcome.failed == 0
    if is_failure(layer, outcome, may_skip=may_skip):
        verdict = f"failed ({outcome.failed} failed, {outcome.passed} passed)"
        if outcome.exit_code == NO_TESTS:
            verdict = "failed: no tests found"
        elif not layer.is_pytest or nothing_ran:
            verdict = f"failed (exit code {outcome.exit_code})"
        if reasons:
            verdict += f", {len(outcome.skip_reasons)} skipped: {reasons}"
    elif nothing_ran:
        verdict = f"skipped: {reasons or 'no tests found'}"
    else:
        verdict = f"passed {outcome.passed}" if layer.is_pytest else "passed"
        if reasons:
            verdict += f", skipped {len(outcome.skip_reasons)}: {reasons}"
    return f"{layer.name:<8} {verdict} [{outcome.seconds:.0f} s]"


def totals(outcomes: Sequence[tuple[Layer, Outcome]], *, may_skip: bool) -> str:
    """The last line: sums over the pytest layers, where a forbidden skip counts as failed."""
    of_tests = [(layer, outcome) for layer, outcome in outcomes if layer.is_pytest]
    failed = 0
    for layer, outcome in of_tests:
        count = outcome.failed + (0 if may_skip else len(outcome.skip_reasons))
        # A layer that broke before any test ran still shows in the sum.
        failed += max(count, int(is_failure(layer, outcome, may_skip=may_skip)))
    return f"{sum(outcome.passed for _, outcome in of_tests)} passed, {failed} failed"


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 1 when a layer failed."""
    names = [layer.name for layer in LAYERS]
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("layers", nargs="*", metavar="LAYER", help=", ".join(names))
    wanted = parser.parse_args(arguments).layers or names
    if unknown := sorted(set(wanted) - set(names)):
        parser.error(f"no such layer: {', '.join(unknown)}; there are {', '.join(names)}")
    may_skip = os.environ.get("CI", "").lower() != "true"
    outcomes = [(layer, run(layer)) for layer in LAYERS if layer.name in wanted]
    print()
    for layer, outcome in outcomes:
        print(describe(layer, outcome, may_skip=may_skip))
    print(totals(outcomes, may_skip=may_skip))
    return int(any(is_failure(layer, outcome, may_skip=may_skip) for layer, outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
