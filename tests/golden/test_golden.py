"""Golden files at the pure seam: what a user writes, what is observed, what comes of it."""

from pathlib import Path

import pytest

from golden.pipeline import observed_of, outcome
from golden.yaml_files import yaml_text

CASES = sorted(path.parent for path in Path(__file__).parent.glob("*/model.yaml"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_golden(case: Path, request: pytest.FixtureRequest) -> None:
    """Each case renders exactly the objects and the status that its files show."""
    assert (case / "model.yaml").read_text(encoding="utf-8").startswith("# guarantee: ")
    objects, status = outcome(observed_of(case))
    for name, text in (("objects.yaml", yaml_text(objects)), ("status.yaml", yaml_text([status]))):
        file = case / name
        if request.config.getoption("--rewrite-golden"):
            file.write_text(text, encoding="utf-8")
        assert file.read_text(encoding="utf-8") == text, f"{file} differs; `make golden` rewrites"


def test_a_case_exists() -> None:
    """The folder of golden cases is found at all."""
    assert len(CASES) > 10
