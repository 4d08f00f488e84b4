"""The tool that runs the test layers and sums them up."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tools.run_layers import Layer, Outcome, describe, is_failure, main, read_report, run, totals

if TYPE_CHECKING:
    from pathlib import Path

UNIT = Layer("unit", ("pytest",))
PYTEST = (sys.executable, "-m", "pytest", "-q", "-c", "/dev/null", "--disable-plugin-autoload")
LINT = Layer("lint", ("pre-commit",), is_pytest=False)

TESTS = """
import pytest

def test_good():
    assert True

def test_bad():
    assert False

@pytest.mark.skip(reason="no otter here")
def test_skipped():
    pass

@pytest.fixture
def broken():
    raise ValueError("broken")

def test_error(broken):
    pass
"""


def pytest_layer(folder: Path, tests: str) -> Layer:
    """A layer that runs one file of tests with the real pytest."""
    (folder / "test_otter.py").write_text(tests, encoding="utf-8")
    return Layer("unit", (*PYTEST, "-p", "no:cacheprovider", str(folder)))


def test_counts_come_from_the_real_pytest(tmp_path: Path) -> None:
    """Passed, failed, broken and skipped tests of a real run are counted, reasons included."""
    outcome = run(pytest_layer(tmp_path, TESTS))
    assert (outcome.exit_code, outcome.passed, outcome.failed) == (1, 1, 2)
    assert outcome.skip_reasons == ("no otter here",)


def test_a_layer_without_tests_is_told_apart(tmp_path: Path) -> None:
    """A folder without tests is skipped, and a failure where nothing may skip."""
    layer = pytest_layer(tmp_path, "")
    outcome = run(layer)
    assert not is_failure(layer, outcome, may_skip=True)
    assert describe(layer, outcome, may_skip=True).startswith("unit     skipped: no tests found")
    assert is_failure(layer, outcome, may_skip=False)
    assert totals([(layer, outcome)], may_skip=False) == "0 passed, 1 failed"


def test_a_missing_folder_is_a_failure(tmp_path: Path) -> None:
    """A layer whose folder does not exist fails rather than passing with nothing."""
    layer = Layer("unit", (*PYTEST, str(tmp_path / "nowhere")))
    assert is_failure(layer, run(layer), may_skip=True)


@pytest.mark.parametrize(
    ("layer", "outcome", "may_skip", "line"),
    [
        (UNIT, Outcome(0, passed=7), False, "unit     passed 7 [0 s]"),
        (UNIT, Outcome(1, passed=6, failed=1), True, "unit     failed (1 failed, 6 passed) [0 s]"),
        (UNIT, Outcome(0, 6, 0, ("no Go",)), True, "unit     passed 6, skipped 1: no Go [0 s]"),
        (UNIT, Outcome(0, 0, 0, ("no Go", "no Go")), True, "unit     skipped: no Go [0 s]"),
        (UNIT, Outcome(2), True, "unit     failed (exit code 2) [0 s]"),
        (LINT, Outcome(0), False, "lint     passed [0 s]"),
        (LINT, Outcome(1), True, "lint     failed (exit code 1) [0 s]"),
    ],
)
def test_closing_line(layer: Layer, outcome: Outcome, line: str, *, may_skip: bool) -> None:
    """Each layer ends with one line that says passed, failed or skipped, and why."""
    assert describe(layer, outcome, may_skip=may_skip) == line


def test_a_skip_breaks_the_build_where_nothing_may_skip() -> None:
    """With nothing allowed to skip, a skipped test fails its layer and counts as failed."""
    outcome = Outcome(0, passed=6, skip_reasons=("no Go",))
    assert is_failure(UNIT, outcome, may_skip=False)
    assert totals([(UNIT, outcome)], may_skip=False) == "6 passed, 1 failed"
    assert "1 skipped: no Go" in describe(UNIT, outcome, may_skip=False)


def test_totals_sum_the_pytest_layers() -> None:
    """The last line sums tests over layers; lint has no tests and is not in it."""
    rows = [(LINT, Outcome(0)), (UNIT, Outcome(0, 5)), (UNIT, Outcome(1, 2, 3))]
    assert totals(rows, may_skip=True) == "7 passed, 3 failed"


def test_a_layer_that_broke_early_shows_in_the_totals() -> None:
    """A layer that ended before its first test counts as one failure, not as none."""
    assert totals([(UNIT, Outcome(4))], may_skip=True) == "0 passed, 1 failed"


def test_no_report_is_no_count(tmp_path: Path) -> None:
    """A run that wrote no report has no counts."""
    assert read_report(tmp_path / "report.xml") == (0, 0, ())


def test_an_unknown_layer_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """A misspelt layer name is refused with the list of layers."""
    with pytest.raises(SystemExit):
        main(["units"])
    assert "no such layer: units; there are lint, unit" in capsys.readouterr().err
