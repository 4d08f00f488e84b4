"""The examples of the documentation and of the chart are models that the CRD accepts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from quantized_model_operator.api.v1alpha1 import API_VERSION, KIND, QuantizedModelSpec
from unit.api.crd_validation import complaints

REPOSITORY = Path(__file__).resolve().parents[3]
EXAMPLES = sorted((REPOSITORY / "operator" / "docs" / "examples").glob("*.yaml"))


def chart_examples() -> list[dict[str, Any]]:
    """The examples that the chart's page in a catalogue shows."""
    chart = REPOSITORY / "charts" / "quantized-model-operator" / "Chart.yaml"
    annotations = yaml.safe_load(chart.read_text(encoding="utf-8"))["annotations"]
    examples: list[dict[str, Any]] = yaml.safe_load(annotations["artifacthub.io/crdsExamples"])
    return examples


def models_of(path: Path) -> list[dict[str, Any]]:
    """The QuantizedModels in a file."""
    documents = yaml.safe_load_all(path.read_text(encoding="utf-8"))
    return [document for document in documents if document["kind"] == KIND]


def test_there_are_examples() -> None:
    """The documentation shows the usual cases, so that the tests below have something to judge."""
    assert {path.stem for path in EXAMPLES} >= {
        "gpu-minimal",
        "pvc",
        "shared-cache",
        "cpu-development",
    }


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_accepted(path: Path) -> None:
    """Every example has a model, which both the schema and the types accept."""
    models = models_of(path)
    assert models
    for model in models:
        assert complaints(model) == []
        assert model["apiVersion"] == API_VERSION
        QuantizedModelSpec.model_validate(model["spec"])


def test_the_examples_of_the_chart_are_accepted() -> None:
    """What the chart's catalogue page shows can be applied as it is."""
    examples = chart_examples()
    assert examples
    for model in examples:
        assert complaints(model) == []


def test_the_schema_refuses_an_unknown_field() -> None:
    """The judge of these tests does refuse: a misspelt field is named."""
    (model,) = models_of(EXAMPLES[0])
    model["spec"]["replicaz"] = 2
    (complaint,) = complaints(model)
    assert "replicaz" in complaint
