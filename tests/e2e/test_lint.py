"""`qm lint` says of a manifest what a real API server says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from qmo_cluster.api_client import ApiError
from quantized_model_operator.api.v1alpha1 import API_VERSION, KIND
from quantized_model_operator.cli.lint_api_server import api_server_complaints
from unit.api.spec_examples import HUB, RULES, WRONG_FIELDS, WRONG_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qmo_cluster.cluster import Cluster

pytestmark = pytest.mark.e2e

REPOSITORY = Path(__file__).resolve().parents[2]
NAMESPACE = "lint-tests"
MODELS = f"/apis/{API_VERSION}/namespaces/{NAMESPACE}/quantizedmodels"
ANSWERS = yaml.safe_load(
    (REPOSITORY / "tests/unit/cli/api_server_answers.yaml").read_text(encoding="utf-8")
)
SPECS = [
    *(example["spec"] for example in ANSWERS),
    *(spec for spec, _ in WRONG_FIELDS),
    *(spec for _, bad, good in RULES for spec in (bad, good)),
]


@pytest.fixture(scope="module")
def cluster(control_plane_with_crd: Cluster) -> Iterator[Cluster]:
    """The cluster with a namespace for these tests."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    control_plane_with_crd.api.create("/api/v1/namespaces", namespace)
    yield control_plane_with_crd
    control_plane_with_crd.api.delete(f"/api/v1/namespaces/{NAMESPACE}")


def model(spec: dict[str, Any], name: str = "otter") -> dict[str, Any]:
    """A model with this spec."""
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": name}, "spec": spec}


def answer(cluster: Cluster, document: dict[str, Any]) -> str:
    """What the API server says against a new model; empty when it would accept it."""
    try:
        cluster.api.create(f"{MODELS}?dryRun=All&fieldValidation=Strict", document)
    except ApiError as error:
        return str(error)
    return ""


def disagreements(cluster: Cluster, document: dict[str, Any]) -> list[str]:
    """What one of the two judges says and the other does not."""
    said = answer(cluster, document)
    found = [complaint.sentence for complaint in api_server_complaints(document)]
    silent = [f"only the API server: {said}"] if said and not found else []
    return silent + [f"only qm lint: {sentence}" for sentence in found if sentence not in said]


def test_every_example_gets_the_same_answer(cluster: Cluster) -> None:
    """For each example spec, good and bad, the sentences are those of the API server."""
    assert len(SPECS) > 60
    assert [found for spec in SPECS for found in disagreements(cluster, model(spec))] == []


@pytest.mark.parametrize("name", WRONG_NAMES)
def test_a_wrong_name_gets_the_same_answer(cluster: Cluster, name: str) -> None:
    """A name that cannot name a Service is refused by both in the same words."""
    document = model({"model": HUB}, name)
    assert answer(cluster, document)
    assert disagreements(cluster, document) == []
