"""The CRD on a real API server: accepted, explained, defaulted, and refusing with its sentences."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from qmo_cluster.api_client import ApiError
from quantized_model_operator.api.crd import crd_document
from quantized_model_operator.api.v1alpha1 import API_VERSION, KIND
from unit.api.spec_examples import CLAIM, HUB, RULES, WRONG_FIELDS, WRONG_NAMES, Spec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qmo_cluster.cluster import Cluster

pytestmark = pytest.mark.e2e

REPOSITORY = Path(__file__).resolve().parents[2]
NAMESPACE = "crd-tests"
MODELS = f"/apis/{API_VERSION}/namespaces/{NAMESPACE}/quantizedmodels"
CRD_PATH = (
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    "/quantizedmodels.serving.quantizedmodel.dev"
)


@pytest.fixture(scope="module")
def cluster(control_plane_with_crd: Cluster) -> Iterator[Cluster]:
    """The cluster with a namespace for these tests."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    control_plane_with_crd.api.create("/api/v1/namespaces", namespace)
    yield control_plane_with_crd
    control_plane_with_crd.api.delete(f"/api/v1/namespaces/{NAMESPACE}")


def model(spec: Spec, name: str = "otter") -> dict[str, Any]:
    """A model with this spec."""
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": name}, "spec": spec}


def try_to_create(cluster: Cluster, document: dict[str, Any]) -> str:
    """What the API server says against a new model; empty when it would accept it."""
    try:
        cluster.api.create(f"{MODELS}?dryRun=All&fieldValidation=Strict", document)
    except ApiError as error:
        return str(error)
    return ""


def rules_of(schema: dict[str, Any]) -> Iterator[str]:
    """The sentences of all rules in a schema."""
    yield from (rule["message"] for rule in schema.get("x-kubernetes-validations", ()))
    inner = [schema["items"]] if "items" in schema else []
    for child in (*schema.get("properties", {}).values(), *inner):
        yield from rules_of(child)


def test_every_rule_has_an_example() -> None:
    """No rule is in the CRD without a model below that breaks it, and one that does not."""
    root = crd_document()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    own = {message for child in root["properties"].values() for message in rules_of(child)}
    assert {message for message, _, _ in RULES} == own


def test_the_crd_is_established_without_complaints(cluster: Cluster) -> None:
    """The API server finds nothing non-structural, and serves the kind under its names."""
    conditions = {
        item["type"]: item["status"] for item in cluster.api.get(CRD_PATH)["status"]["conditions"]
    }
    assert conditions == {"NamesAccepted": "True", "Established": "True"}


def test_client_side_apply_accepts_the_crd(cluster: Cluster) -> None:
    """The document fits the annotation that plain `kubectl apply` writes."""
    path = REPOSITORY / "crds" / "quantizedmodels.yaml"
    printed = cluster.kubectl("apply", "--dry-run=server", "-f", str(path), check=False)
    assert printed.returncode == 0, printed.stderr


@pytest.mark.parametrize(("sentence", "bad", "good"), RULES, ids=[rule[0] for rule in RULES])
def test_a_rule_refuses_its_bad_example_only(
    cluster: Cluster, sentence: str, bad: Spec, good: Spec
) -> None:
    """Each rule refuses a model with the written sentence, and accepts the one beside it."""
    assert sentence in try_to_create(cluster, model(bad))
    assert try_to_create(cluster, model(good)) == ""


@pytest.mark.parametrize("name", WRONG_NAMES)
def test_a_name_that_cannot_name_a_service_is_refused(cluster: Cluster, name: str) -> None:
    """Names from which no Service could be made are refused when the model is written."""
    assert "metadata.name must begin with a letter" in try_to_create(
        cluster, model({"model": HUB}, name)
    )


def test_the_longest_name_is_accepted(cluster: Cluster) -> None:
    """A name of 45 characters is fine."""
    assert try_to_create(cluster, model({"model": HUB}, "o" * 45)) == ""


@pytest.mark.parametrize(("spec", "field"), WRONG_FIELDS)
def test_a_wrong_field_is_named(cluster: Cluster, spec: Spec, field: str) -> None:
    """What the schema alone can see is refused with the path of the field."""
    assert field in try_to_create(cluster, model(spec))


def test_defaults_are_written_and_nothing_else(cluster: Cluster) -> None:
    """A minimal model is stored with the few defaults that other tools rely on."""
    stored = cluster.api.create(MODELS, model({"model": HUB}, "minimal"))
    assert stored["spec"] == {
        "model": {**HUB, "revision": "main"},
        "replicas": 1,
        "suspended": False,
    }
    cluster.api.delete(f"{MODELS}/minimal")


def test_nested_defaults_appear_with_their_parent(cluster: Cluster) -> None:
    """Groups that a user writes get their own defaults."""
    spec = {"model": HUB, "hardware": {"tolerations": [{"key": "a"}]}, "service": {}}
    stored = cluster.api.create(f"{MODELS}?dryRun=All", model(spec))
    assert stored["spec"]["hardware"] == {
        "device": "GPU",
        "resourceName": "nvidia.com/gpu",
        "tolerations": [{"key": "a", "operator": "Equal"}],
    }
    assert stored["spec"]["service"] == {"port": 80}


def test_a_model_nobody_has_seen_does_not_pass_for_ready(cluster: Cluster) -> None:
    """Until the operator writes a status, the generation it speaks of is older than the spec's."""
    cluster.api.create(MODELS, model({"model": HUB}, "unseen"))
    stored = cluster.api.get(f"{MODELS}/unseen")
    assert stored["metadata"]["generation"] == 1
    assert stored["status"] == {"observedGeneration": 0}
    cluster.api.delete(f"{MODELS}/unseen")


def test_status_and_spec_are_written_apart(cluster: Cluster) -> None:
    """A status does not change the generation, and a user's status is not taken."""
    sent = {**model({"model": HUB}, "apart"), "status": {"url": "http://user"}}
    stored = cluster.api.create(MODELS, sent)
    assert "url" not in stored["status"]
    status = {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": "apart"},
        "status": {
            "observedGeneration": 1,
            "url": "http://otter",
            "replicas": 2,
            "selector": "a=b",
        },
    }
    written = cluster.api.apply(f"{MODELS}/apart/status", status, manager="otter-status")
    assert written["metadata"]["generation"] == 1
    assert written["status"] == status["status"]
    cluster.api.delete(f"{MODELS}/apart")


def test_scale_reads_and_writes_replicas(cluster: Cluster) -> None:
    """`kubectl scale` sets the spec; the subresource shows status and selector for autoscalers."""
    cluster.api.create(MODELS, model({"model": HUB}, "scaled"))
    cluster.kubectl("scale", "--namespace", NAMESPACE, "qm/scaled", "--replicas=3")
    cluster.api.merge(
        f"{MODELS}/scaled/status", {"status": {"replicas": 2, "selector": "app=otter"}}
    )
    scale = cluster.api.get(f"{MODELS}/scaled/scale")
    assert scale["spec"] == {"replicas": 3}
    assert scale["status"] == {"replicas": 2, "selector": "app=otter"}
    assert cluster.api.get(f"{MODELS}/scaled")["spec"]["replicas"] == 3
    cluster.api.delete(f"{MODELS}/scaled")


def test_explain_tells_what_the_types_say(cluster: Cluster) -> None:
    """`kubectl explain` shows the description of every field of the spec, in the types' words."""
    spec = crd_document()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    printed = " ".join(cluster.kubectl("explain", "quantizedmodel.spec").stdout.split())
    assert len(spec["properties"]) > 8
    for name, field in spec["properties"].items():
        assert f"{name} <" in printed
        assert " ".join(field["description"].split()) in printed


def test_get_shows_the_columns(cluster: Cluster) -> None:
    """`kubectl get` tells what runs and whether it is ready, in this order."""
    cluster.api.create(MODELS, model({"model": HUB, "replicas": 2}, "shown"))
    condition = {
        "type": "Ready",
        "status": "False",
        "reason": "Fetching",
        "message": "3 of 4 files.",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
        "observedGeneration": 1,
    }
    status = {
        "conditions": [condition],
        "readyReplicas": 1,
        "url": "http://shown",
        "model": {"bits": 8, "resolvedRevision": "c0ffee"},
        "plan": {"summary": "Machete TP1 32k"},
    }
    cluster.api.merge(f"{MODELS}/shown/status", {"status": status})
    words = ("get", "--namespace", NAMESPACE, "qm", "shown")
    head, row = cluster.kubectl(*words).stdout.splitlines()
    assert head.split() == [
        *("NAME", "MODEL", "BITS", "READY", "REASON", "REPLICAS", "DESIRED", "PLAN", "URL", "AGE"),
    ]
    assert row.split()[1:10] == [
        *(HUB["uri"], "8", "False", "Fetching", "1", "2", "Machete", "TP1", "32k"),
    ]
    assert "3 of 4 files." in cluster.kubectl(*words, "--output=wide").stdout
    cluster.api.delete(f"{MODELS}/shown")


def test_models_can_be_selected_by_field(cluster: Cluster) -> None:
    """The API server filters models by source, device and suspension."""
    cluster.api.create(MODELS, model({"model": HUB, "suspended": True}, "one"))
    cluster.api.create(MODELS, model({"model": CLAIM, "hardware": {"device": "CPU"}}, "two"))
    for selector, name in (
        (f"spec.model.uri={HUB['uri']}", "one"),
        ("spec.suspended=true", "one"),
        ("spec.hardware.device=CPU", "two"),
    ):
        found = cluster.api.get(MODELS, {"fieldSelector": selector})["items"]
        assert [item["metadata"]["name"] for item in found] == [name]
    for name in ("one", "two"):
        cluster.api.delete(f"{MODELS}/{name}")


def test_two_writers_of_variables_do_not_collide(cluster: Cluster) -> None:
    """Server-side apply merges environment variables by name: each writer keeps its own."""
    for manager in ("first", "second"):
        spec = {"model": HUB, "engine": {"env": [{"name": manager.upper(), "value": "1"}]}}
        cluster.api.apply(f"{MODELS}/merged", model(spec, "merged"), manager=manager)
    stored = cluster.api.get(f"{MODELS}/merged")
    assert [item["name"] for item in stored["spec"]["engine"]["env"]] == ["FIRST", "SECOND"]
    cluster.api.delete(f"{MODELS}/merged")


@pytest.mark.parametrize(
    "path",
    sorted((REPOSITORY / "operator" / "docs" / "examples").glob("*.yaml")),
    ids=lambda path: path.stem,
)
def test_an_example_can_be_applied(cluster: Cluster, path: Path) -> None:
    """The API server takes every example of the documentation as it is, rules included."""
    for document in yaml.safe_load_all(path.read_text(encoding="utf-8")):
        if document["kind"] == KIND:
            assert try_to_create(cluster, document) == ""


def test_the_served_schema_is_the_generated_one(cluster: Cluster) -> None:
    """What the API server keeps of the CRD is what was sent: nothing was dropped in silence."""
    kept = cluster.api.get(CRD_PATH)["spec"]["versions"][0]["schema"]
    sent = crd_document()["spec"]["versions"][0]["schema"]
    assert json.dumps(kept, sort_keys=True) == json.dumps(sent, sort_keys=True)
