"""Which objects are meant to be QuantizedModels, and what of their kind and version is misspelt."""

import difflib
from collections.abc import Iterator

from quantized_model_operator.api.v1alpha1 import API_VERSION, GROUP, KIND
from quantized_model_operator.cli.lint_finding import Finding, Severity
from quantized_model_operator.cli.manifests import Manifest

_CLOSE = 0.8
"""Similarity from which a kind or a group is taken for a misspelling of ours."""


def is_model(manifest: Manifest) -> bool:
    """Whether the object is a QuantizedModel, exactly as the API server knows it."""
    return manifest.kind == KIND and manifest.api_version == API_VERSION


def identity_findings(manifest: Manifest) -> Iterator[Finding]:
    """What is wrong with kind and version of an object that is meant to be a model."""
    if is_model(manifest):
        return
    group, _, version = manifest.api_version.rpartition("/")
    kind_is_close = _is_close(manifest.kind, KIND)
    if not (group == GROUP or (kind_is_close and (_is_close(group, GROUP) or not group))):
        return
    if manifest.kind != KIND:
        what = f"{manifest.kind} is no kind of {GROUP}" if manifest.kind else "it is missing"
        yield _finding(manifest, "kind", what, KIND)
    if group != GROUP:
        what = f"{manifest.api_version} is not that of {KIND}" if group else "the group is missing"
        yield _finding(manifest, "apiVersion", what, API_VERSION)
    elif manifest.api_version != API_VERSION:
        yield _finding(manifest, "apiVersion", f"{GROUP} has no version {version}", API_VERSION)


def _finding(manifest: Manifest, field: str, what: str, right: str) -> Finding:
    return Finding(
        severity=Severity.ERROR,
        reason="UnknownKind",
        file=manifest.file,
        place=manifest.place((field,)),
        model=manifest.name,
        field=field,
        message=f"{field}: {what}",
        remedy=f"write {field}: {right}",
    )


def _is_close(text: str, right: str) -> bool:
    return difflib.SequenceMatcher(None, text.lower(), right.lower()).ratio() >= _CLOSE
