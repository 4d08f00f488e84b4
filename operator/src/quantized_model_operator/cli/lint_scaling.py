"""Models whose replicas two parties set: a manifest in Git, and something that scales."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from quantized_model_operator.api.v1alpha1 import KIND
from quantized_model_operator.cli.lint_finding import Finding, Severity
from quantized_model_operator.cli.manifests import Manifest

SCALERS = frozenset({"HorizontalPodAutoscaler", "ScaledObject"})
"""Kinds that set the replicas of what their ``scaleTargetRef`` names."""


def scaling_findings(
    models: Sequence[Manifest], manifests: Sequence[Manifest]
) -> Iterator[Finding]:
    """A number of replicas in a manifest that is set back whenever it is applied."""
    scalers = {
        (manifest.namespace, name): manifest
        for manifest in manifests
        if manifest.kind in SCALERS and (name := _target(manifest.content.get("spec")))
    }
    for model in models:
        scaler = scalers.get((model.namespace, model.name))
        spec = model.content.get("spec")
        if scaler is None or not isinstance(spec, Mapping) or "replicas" not in spec:
            continue
        yield Finding(
            severity=Severity.WARNING,
            reason="ReplicasAreScaled",
            file=model.file,
            place=model.place(("spec", "replicas")),
            model=model.name,
            field="spec.replicas",
            message=f"spec.replicas: {scaler.kind} {scaler.name} in {scaler.file} sets it too, and "
            "every time this is applied it is set back; leave it out",
        )


def _target(spec: Any) -> str:  # noqa: ANN401 - any JSON
    """The model that a scaler names; empty when it names something else."""
    target = spec.get("scaleTargetRef") if isinstance(spec, Mapping) else None
    if not isinstance(target, Mapping) or target.get("kind") != KIND:
        return ""
    return str(target.get("name") or "")
