"""Generated parts of the chart, and the manifest for clusters without Helm. Texts, no files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from quantized_model_operator.api.crd import crd_document
from quantized_model_operator.cluster.permissions import Scope, policy_rules
from tools.helm_program import render_chart

if TYPE_CHECKING:
    from collections.abc import Mapping

INSTALL_NAMESPACE = "quantized-model-system"
INSTALL_RELEASE = "quantized-model-operator"

NAMESPACE = {
    "apiVersion": "v1",
    "kind": "Namespace",
    "metadata": {
        "name": INSTALL_NAMESPACE,
        "labels": {
            "app.kubernetes.io/part-of": INSTALL_RELEASE,
            "pod-security.kubernetes.io/enforce": "restricted",
        },
    },
}


def crd_template() -> str:
    """The CRD as a template of the chart: labels, annotations and a switch are the release's."""
    crd = crd_document()
    body = _yaml({"spec": crd["spec"]})
    if "{{" in body:
        raise ValueError("a description contains {{, which Helm would execute")
    return f"""{{{{- /* Generated; to change it: make generate */ -}}}}
{{{{- if .Values.crds.enabled }}}}
apiVersion: {crd["apiVersion"]}
kind: {crd["kind"]}
metadata:
  name: {crd["metadata"]["name"]}
  {{{{- include "qmo.crdMetadata" . | nindent 2 }}}}
{body}{{{{- end }}}}
"""


def permissions_template() -> str:
    """The rules of each scope as a named template."""
    parts = ["{{/* Generated; to change it: make generate */}}"]
    parts += [
        f'{{{{- define "qmo.permissions.{scope}" -}}}}\n{_yaml(policy_rules(scope))}{{{{- end -}}}}'
        for scope in Scope
    ]
    return "\n\n".join(parts) + "\n"


def install_manifest() -> str:
    """The chart with its own values, and a namespace for it, as one file."""
    rendered = render_chart(release=INSTALL_RELEASE, namespace=INSTALL_NAMESPACE)
    documents = [document for document in yaml.safe_load_all(rendered) if document]
    return "# Generated; to change it: make generate\n" + "---\n".join(
        _yaml(_without_helm(document)) for document in (NAMESPACE, *documents)
    )


def _without_helm(document: Mapping[str, Any]) -> dict[str, Any]:
    """The object without what only Helm understands."""
    metadata = dict(document["metadata"])
    foreign = {"app.kubernetes.io/managed-by", "helm.sh/chart", "helm.sh/resource-policy"}
    for part in ("labels", "annotations"):
        kept = {key: value for key, value in metadata.pop(part, {}).items() if key not in foreign}
        if kept:
            metadata[part] = kept
    return {**document, "metadata": metadata}


def _yaml(value: Any) -> str:  # noqa: ANN401 - manifests
    return yaml.safe_dump(value, sort_keys=True, allow_unicode=True, width=10_000)
