"""From the manifests that were found to everything there is to say about them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from quantized_model_operator.cli.lint_files import FoundManifests
from quantized_model_operator.cli.lint_finding import Finding, Severity
from quantized_model_operator.cli.lint_hardware import problems_of_any_checkpoint
from quantized_model_operator.cli.lint_identity import identity_findings, is_model
from quantized_model_operator.cli.lint_model import (
    Claims,
    meaning_findings,
    model_name,
    patch_findings,
    problem_finding,
    written_findings,
)
from quantized_model_operator.cli.lint_report import LintReport, sorted_findings
from quantized_model_operator.cli.lint_scaling import scaling_findings
from quantized_model_operator.cli.manifests import Manifest, Unreadable
from quantized_model_operator.domain.cluster_state import ObservedClaim
from quantized_model_operator.domain.model import ResolvedModel
from quantized_model_operator.domain.outcome import Problem
from quantized_model_operator.settings import Settings

Planner = Callable[[ResolvedModel], tuple[Problem, ...]]
"""Why a model cannot be served, as far as it was looked into."""

UNREADABLE_CHECKPOINT = "CheckpointUnreadable"
"""Reason of a problem that is none of the model: its checkpoint could not be looked at."""

TEMPLATE_REMEDY = "render it first, for example: helm template CHART | qm lint -"


def lint(
    found: FoundManifests, settings: Settings, plan_problems: Planner = problems_of_any_checkpoint
) -> LintReport:
    """Everything there is to say about the manifests."""
    models = [manifest for manifest in found.manifests if is_model(manifest)]
    whole = [manifest for manifest in models if manifest.file not in found.patches]
    claims = _claims(found.manifests)
    findings = [_unreadable(item) for item in found.unreadable]
    for manifest in found.manifests:
        findings += identity_findings(manifest)
    for manifest in models:
        if manifest.file in found.patches:
            findings += patch_findings(manifest)
        else:
            findings += _model_findings(manifest, claims, settings, plan_problems)
    findings += _same_names(whole)
    findings += scaling_findings(models, found.manifests)
    return LintReport(
        findings=sorted_findings(findings),
        models=len(models),
        others=len(found.manifests) - len(models),
        files=found.files,
    )


def _model_findings(
    manifest: Manifest, claims: Claims, settings: Settings, plan_problems: Planner
) -> list[Finding]:
    written = written_findings(manifest)
    if any(finding.reason == "InvalidSpec" for finding in written):
        return written
    meant, resolved = meaning_findings(manifest, claims, settings)
    problems = plan_problems(resolved) if resolved else ()
    planned = [problem_finding(manifest, problem) for problem in problems]
    return [*written, *meant, *planned]


def _unreadable(item: Unreadable) -> Finding:
    """A mistake, or a template, which is none: it only has to be rendered first."""
    template = item.is_template
    return Finding(
        severity=Severity.WARNING if template else Severity.ERROR,
        reason="Template" if template else "InvalidYaml",
        file=item.file,
        place=item.place,
        model="",
        field="",
        message="not readable: it is a template" if template else f"no YAML: {item.message}",
        remedy=TEMPLATE_REMEDY if template else "",
    )


def _same_names(models: Sequence[Manifest]) -> Iterator[Finding]:
    """Models of one name in one namespace: whichever is applied last replaces the others.

    In folders of their own they may be meant for clusters of their own.
    """
    first: dict[tuple[str, str], Manifest] = {}
    for manifest in models:
        earlier = first.setdefault((manifest.namespace, manifest.name), manifest)
        if earlier is manifest or not manifest.name:
            continue
        where = f"{earlier.file}:{earlier.place(('metadata', 'name')).line}"
        together = Path(earlier.file).parent == Path(manifest.file).parent
        yield Finding(
            severity=Severity.ERROR if together else Severity.WARNING,
            reason="SameName",
            file=manifest.file,
            place=manifest.place(("metadata", "name")),
            model=model_name(manifest),
            field="metadata.name",
            message=f"metadata.name: {manifest.name} is also in {where}; applied to one cluster, "
            "the later one replaces the other",
            remedy="give it another name or another namespace",
        )


def _claims(manifests: Sequence[Manifest]) -> Claims:
    return {
        (manifest.namespace, manifest.name): ObservedClaim(
            name=manifest.name,
            uid="",
            phase="Bound",
            access_modes=_access_modes(manifest.content.get("spec")),
        )
        for manifest in manifests
        if manifest.kind == "PersistentVolumeClaim"
    }


def _access_modes(spec: Any) -> tuple[str, ...]:  # noqa: ANN401 - any JSON
    modes = spec.get("accessModes") if isinstance(spec, Mapping) else None
    return tuple(str(mode) for mode in modes) if isinstance(modes, list) else ()
