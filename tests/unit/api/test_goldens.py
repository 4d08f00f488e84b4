"""The golden cases speak the language of the CRD."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from quantized_model_operator.api.v1alpha1 import API_VERSION, KIND
from unit.api.crd_validation import complaints

GOLDEN = Path(__file__).resolve().parents[2] / "golden"
CASES = sorted(path.parent for path in GOLDEN.glob("*/status.yaml"))
STAMP = {"lastTransitionTime": "2026-01-01T00:00:00Z"}


def read(path: Path) -> dict[str, Any]:
    """The only document of a file."""
    document: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return document


def test_there_are_cases() -> None:
    """The tests below have something to judge."""
    assert len(CASES) > 5


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_reported_status_is_one_the_schema_keeps(case: Path) -> None:
    """No field that the operator reports is unknown to the API server, which would drop it."""
    status = read(case / "status.yaml")
    # The time of a change is added where the status is written.
    status["conditions"] = [{**item, **STAMP} for item in status["conditions"]]
    spec = {"model": {"uri": "pvc://weights/river"}}
    model = {"apiVersion": API_VERSION, "kind": KIND, "spec": spec, "status": status}
    assert complaints(model) == []


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_golden_model_is_one_a_user_could_write(case: Path) -> None:
    """The API server would accept the model that a case begins with."""
    assert complaints(read(case / "model.yaml")) == []
