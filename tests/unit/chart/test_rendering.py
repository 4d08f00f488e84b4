"""Every file of values renders to manifests that Kubernetes knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml
from kubernetes import client

from quantized_model_operator import settings
from tools.helm_program import CHART, HelmError, run_helm
from unit.chart.rendering import CI_VALUES, NAMESPACE, Manifest, of_kind, rendered

if TYPE_CHECKING:
    from pathlib import Path

CLUSTER_SCOPED = {"ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition"}
FOREIGN = {"ServiceMonitor"}
"""Kinds of other projects, for which the official client has no type."""

each_values = pytest.mark.parametrize("values", CI_VALUES, ids=lambda path: path.stem)


def identity(manifest: Manifest) -> tuple[str, str, str]:
    """Kind, namespace and name."""
    metadata = manifest["metadata"]
    return manifest["kind"], metadata.get("namespace", ""), metadata["name"]


def test_the_values_of_ci_cover_the_usual_cases() -> None:
    """There are values for the chart as it is, for few rights and for every switch."""
    assert {path.stem for path in CI_VALUES} >= {
        "default-values",
        "everything-values",
        "namespaces-values",
        "single-values",
    }


@each_values
def test_helm_accepts_the_chart(values: Path) -> None:
    """`helm lint --strict` has nothing against the chart with these values."""
    assert "0 chart(s) failed" in run_helm("lint", "--strict", str(CHART), "--values", str(values))


@each_values
def test_the_official_types_accept_every_manifest(values: Path) -> None:
    """No manifest has a misspelt, missing or wrongly typed field."""
    manifests = rendered(values.read_text(encoding="utf-8"))
    assert manifests
    for manifest in manifests:
        if manifest["kind"] not in FOREIGN:
            getattr(client, f"V1{manifest['kind']}").model_validate(manifest)


@each_values
def test_every_object_is_named_once_and_labelled(values: Path) -> None:
    """No two objects are the same, all but extra ones carry the labels of the release."""
    manifests = rendered(values.read_text(encoding="utf-8"))
    names = [identity(manifest) for manifest in manifests]
    assert len(names) == len(set(names))
    for manifest in of_kind(manifests, *({item["kind"] for item in manifests} - {"ConfigMap"})):
        labels = manifest["metadata"]["labels"]
        assert labels["app.kubernetes.io/instance"] == "release"
        assert labels["app.kubernetes.io/part-of"] == "quantized-model-operator"


@each_values
def test_namespaced_objects_say_their_namespace(values: Path) -> None:
    """What is piped to kubectl lands where the release is, whatever its context says."""
    for manifest in rendered(values.read_text(encoding="utf-8")):
        if manifest["kind"] not in CLUSTER_SCOPED | {"ConfigMap"}:
            assert manifest["metadata"]["namespace"] in {NAMESPACE, "team-a", "team-b"}


def test_names_hold_the_length_that_kubernetes_allows() -> None:
    """A long release name is cut, so that suffixes still fit into 63 characters."""
    manifests = rendered(yaml.safe_dump({"fullnameOverride": "o" * 63}))
    assert max(len(identity(manifest)[2]) for manifest in of_kind(manifests, "Service")) <= 63


def test_the_crd_is_left_when_the_release_goes() -> None:
    """By default an uninstall keeps the CRD, and with it all models; a switch changes that."""
    (kept,) = of_kind(rendered(), "CustomResourceDefinition")
    assert kept["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    (gone,) = of_kind(rendered("crds: {keep: false}"), "CustomResourceDefinition")
    assert "annotations" not in gone["metadata"]
    assert of_kind(rendered("crds: {enabled: false}"), "CustomResourceDefinition") == []


def test_the_crd_of_the_chart_is_the_committed_one() -> None:
    """Helm passes the CRD through unchanged, large numbers and expressions included."""
    (templated,) = of_kind(rendered(), "CustomResourceDefinition")
    raw = (CHART.parents[1] / "crds" / "quantizedmodels.yaml").read_text(encoding="utf-8")
    assert templated["spec"] == yaml.safe_load(raw)["spec"]


@pytest.mark.parametrize(("version", "accepted"), [("1.34.9", False), ("1.35.0-gke.1", True)])
def test_old_clusters_are_refused(version: str, *, accepted: bool) -> None:
    """The chart installs on the supported minors, vendors' builds included, and on no older one."""
    words = ("template", "release", str(CHART), "--kube-version", version)
    if accepted:
        assert "kind: Deployment" in run_helm(*words)
    else:
        with pytest.raises(HelmError, match="requires kubeVersion"):
            run_helm(*words)


def test_two_replicas_need_an_election() -> None:
    """Values that would let two operators work at once do not render."""
    with pytest.raises(HelmError, match=r"set leaderElection\.enabled to true"):
        rendered("{replicas: 2, leaderElection: {enabled: false}}")


def test_without_an_election_the_old_pod_goes_first() -> None:
    """A rollout never has two pods at work: they queue for the Lease, or one replaces the other."""
    (elected,) = of_kind(rendered(), "Deployment")
    (single,) = of_kind(rendered("leaderElection: {enabled: false}"), "Deployment")
    assert elected["spec"]["strategy"]["type"] == "RollingUpdate"
    assert single["spec"]["strategy"] == {"type": "Recreate"}


def test_scope_namespaces_needs_namespaces() -> None:
    """Roles per namespace without any namespace are refused with the value to set."""
    with pytest.raises(HelmError, match="name them in `namespaces`"):
        rendered("rbac: {scope: namespaces}")


def test_the_versions_of_engines_are_those_of_the_program() -> None:
    """The chart's defaults are the defaults that the program has without a chart."""
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))["engines"]
    plain = settings.Settings(operator_image="mirror.example/operator:9")
    for device, engine in (("gpu", plain.gpu_engine), ("cpu", plain.cpu_engine)):
        assert values[device] == {"image": engine.image, "version": engine.default_version}
        assert values["pullPolicy"] == engine.pull_policy
