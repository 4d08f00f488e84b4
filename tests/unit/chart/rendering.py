"""Renders the chart once for each file of values, for the tests of this folder."""

from __future__ import annotations

from functools import cache
from typing import Any

import yaml

from tools.helm_program import CHART, render_chart

NAMESPACE = "system"
RELEASE = "release"
CI_VALUES = sorted((CHART / "ci").glob("*-values.yaml"))

Manifest = dict[str, Any]


@cache
def rendered(values: str = "") -> tuple[Manifest, ...]:
    """The manifests for values given as YAML text; callers must not change them."""
    text = render_chart(values, release=RELEASE, namespace=NAMESPACE)
    return tuple(document for document in yaml.safe_load_all(text) if document)


def of_kind(manifests: tuple[Manifest, ...], *kinds: str) -> list[Manifest]:
    """The manifests of these kinds."""
    return [manifest for manifest in manifests if manifest["kind"] in kinds]


def operator_container(manifests: tuple[Manifest, ...]) -> Manifest:
    """The only container of the only Deployment."""
    (deployment,) = of_kind(manifests, "Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    found: Manifest = container
    return found


def environment(manifests: tuple[Manifest, ...]) -> dict[str, str]:
    """The environment of the operator, with the downward API answered."""
    answers = {"metadata.name": "operator-pod", "metadata.namespace": NAMESPACE}
    variables = operator_container(manifests)["env"]
    return {
        item["name"]: item["value"]
        if "value" in item
        else answers[item["valueFrom"]["fieldRef"]["fieldPath"]]
        for item in variables
    }
