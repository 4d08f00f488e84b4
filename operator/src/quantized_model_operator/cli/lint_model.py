"""Judges one QuantizedModel: as the API server would, then as the operator would."""

from collections.abc import Iterator, Mapping

import yaml

from quantized_model_operator.api.v1alpha1 import QuantizedModelSpec
from quantized_model_operator.cli.lint_api_server import api_server_complaints
from quantized_model_operator.cli.lint_finding import Finding, Severity
from quantized_model_operator.cli.lint_remedies import remedy_of
from quantized_model_operator.cli.lint_schema import Complaint, field_name, path_of
from quantized_model_operator.cli.lint_warnings import CHECKS, Considered
from quantized_model_operator.cli.manifest_values import is_merge, key_of
from quantized_model_operator.cli.manifests import FieldPath, Manifest, Place
from quantized_model_operator.cluster.parsing import claim_names
from quantized_model_operator.domain.cluster_state import ModelKey, Observed, ObservedClaim
from quantized_model_operator.domain.model import ResolvedModel
from quantized_model_operator.domain.outcome import InvalidModelError, Problem
from quantized_model_operator.resolve import resolve
from quantized_model_operator.settings import Settings

DEFAULT_NAMESPACE = "default"

Claims = Mapping[tuple[str, str], ObservedClaim]
"""Claims among the given manifests by namespace, as it is written, and name."""


def model_name(manifest: Manifest) -> str:
    """How the model is called in a finding."""
    return "/".join(part for part in (manifest.namespace, manifest.name) if part)


def written_findings(manifest: Manifest) -> list[Finding]:
    """What is wrong with a model before anybody asks what it means."""
    return [
        *_duplicate_keys(manifest),
        *(_refused(manifest, item) for item in api_server_complaints(manifest.content)),
    ]


def patch_findings(manifest: Manifest) -> list[Finding]:
    """What is wrong with a part of a model: rules and required fields are for the whole."""
    return [
        *_duplicate_keys(manifest),
        *(
            _refused(manifest, item)
            for item in api_server_complaints(manifest.content)
            if item.about is None
            and not item.message.startswith("Required value")
            # $patch: delete and its like speak to Kustomize.
            and not str(item.path[-1]).startswith("$")
        ),
    ]


def resolved_model(manifest: Manifest, claims: Claims, settings: Settings) -> ResolvedModel:
    """The model as the operator understands it; ``InvalidModelError`` with what it refuses.

    A claim that is not among the given manifests is taken for a shared one.
    """
    metadata = {**manifest.content["metadata"], "uid": "", "generation": 1}
    known = {
        name: claims.get((manifest.namespace, name)) or _assumed(name)
        for name in claim_names(manifest.content)
    }
    observed = Observed(
        key=ModelKey(manifest.namespace or DEFAULT_NAMESPACE, manifest.name),
        model={**manifest.content, "metadata": metadata},
        claims=known,
    )
    return resolve(observed, settings)


def meaning_findings(
    manifest: Manifest, claims: Claims, settings: Settings
) -> tuple[list[Finding], ResolvedModel | None]:
    """What the operator would refuse or we would think over, and the model if it is accepted."""
    try:
        resolved = resolved_model(manifest, claims, settings)
    except InvalidModelError as error:
        return [problem_finding(manifest, problem) for problem in error.problems], None
    spec = QuantizedModelSpec.model_validate(manifest.content["spec"])
    claim = spec.cache.claim_name if spec.cache else None
    considered = Considered(
        spec=spec,
        resolved=resolved,
        claim_is_given=(manifest.namespace, claim or "") in claims,
    )
    found = [
        _finding(manifest, Severity.WARNING, advice.reason, advice.field, advice.message)
        for check in CHECKS
        for advice in check(considered)
    ]
    return found, resolved


def problem_finding(manifest: Manifest, problem: Problem) -> Finding:
    """A refusal of the operator at its place."""
    return Finding(
        severity=Severity.ERROR,
        reason=problem.reason,
        file=manifest.file,
        place=manifest.place(path_of(problem.field)),
        model=model_name(manifest),
        field=problem.field,
        message=problem.sentence,
        suggestion=problem.suggestion,
    )


def _finding(
    manifest: Manifest, severity: Severity, reason: str, field: str, message: str
) -> Finding:
    return Finding(
        severity=severity,
        reason=reason,
        file=manifest.file,
        place=manifest.place(path_of(field)),
        model=model_name(manifest),
        field=field,
        message=message,
    )


def _refused(manifest: Manifest, complaint: Complaint) -> Finding:
    path = complaint.path if complaint.about is None else complaint.about
    return Finding(
        severity=Severity.ERROR,
        reason="UnknownField" if complaint.unknown_field else "InvalidSpec",
        file=manifest.file,
        place=manifest.place(path, of_key=complaint.unknown_field),
        model=model_name(manifest),
        field=field_name(path),
        message=complaint.sentence,
        remedy=remedy_of(complaint, manifest.written(path)),
    )


def _duplicate_keys(manifest: Manifest) -> Iterator[Finding]:
    """Fields that are written twice: kubectl drops all but the last without a word."""
    for path, node in _mappings(manifest.node, (), set()):
        places: dict[str, Place] = {}
        for key, _ in node.value:
            name, place = key_of(key), manifest.place_of(key.start_mark)
            first = places.setdefault(name, place)
            if is_merge(key) or first is place:
                continue
            field = field_name((*path, name))
            yield Finding(
                severity=Severity.ERROR,
                reason="DuplicateKey",
                file=manifest.file,
                place=place,
                model=model_name(manifest),
                field=field,
                message=f"{field} is written twice, first on line {first.line}; the last counts",
                remedy="remove one of them",
            )


def _mappings(
    node: yaml.Node, path: FieldPath, seen: set[int]
) -> Iterator[tuple[FieldPath, yaml.MappingNode]]:
    """Every mapping in a node with its path; one that is used again is told once."""
    if id(node) in seen or isinstance(node, yaml.ScalarNode):
        return
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        yield path, node
        for key, child in node.value:
            yield from _mappings(child, (*path, key_of(key)), seen)
    else:
        for index, item in enumerate(node.value):
            yield from _mappings(item, (*path, index), seen)


def _assumed(name: str) -> ObservedClaim:
    return ObservedClaim(name=name, uid="", phase="Bound", access_modes=("ReadWriteMany",))
