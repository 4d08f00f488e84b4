"""I/O: the QuantizedModel of a file, checked as the operator checks it."""

from collections.abc import Mapping, Sequence
from typing import Any

import click

from quantized_model_operator.api.v1alpha1 import GROUP, KIND
from quantized_model_operator.cli.manifests import (
    Manifest,
    Unreadable,
    read_manifests,
    read_text,
)
from quantized_model_operator.cluster.parsing import claim_names
from quantized_model_operator.domain.cluster_state import ModelKey, Observed, ObservedClaim
from quantized_model_operator.domain.model import ResolvedModel
from quantized_model_operator.domain.serving_plan import ServingRequest
from quantized_model_operator.plan.learning import learned_request
from quantized_model_operator.resolve import resolve
from quantized_model_operator.settings import Settings


def chosen_manifest(file: str, name: str | None) -> Mapping[str, Any]:
    """The one QuantizedModel in the file, or the one of the name."""
    try:
        documents = list(read_manifests(read_text(file), file))
    except (OSError, ValueError) as error:
        raise click.ClickException(f"{file} cannot be read as YAML: {error}") from error
    models = [item for item in documents if isinstance(item, Manifest) and _is_model(item)]
    found = [item for item in models if name in {None, item.name, f"{item.namespace}/{item.name}"}]
    if len(found) == 1:
        return found[0].content
    raise click.ClickException(_why_not_one(file, documents, models, name))


def key_of(content: Mapping[str, Any]) -> ModelKey:
    """Namespace and name; without a namespace kubectl's own is meant."""
    written = content.get("metadata")
    metadata = written if isinstance(written, Mapping) else {}
    return ModelKey(str(metadata.get("namespace") or "default"), str(metadata.get("name", "")))


def resolved(
    content: Mapping[str, Any], settings: Settings
) -> tuple[ResolvedModel, ServingRequest]:
    """The model of the manifest, and what is asked of its plan; its claims are taken to exist.

    A manifest that was read back from a cluster has in its status what vLLM measured, which
    enters the plan as in the operator. ``InvalidModelError`` with everything that the operator
    would refuse.
    """
    written = content.get("metadata")
    metadata = written if isinstance(written, Mapping) else {}
    status = content.get("status")
    model = {
        **content,
        "metadata": {**metadata, "uid": "", "generation": 0},
        "status": status if isinstance(status, Mapping) else {},
    }
    claims = {
        claim: ObservedClaim(name=claim, uid="", phase="Bound", access_modes=("ReadWriteMany",))
        for claim in claim_names(model)
    }
    observed = Observed(key=key_of(content), model=model, claims=claims)
    resolved_model = resolve(observed, settings)
    return resolved_model, learned_request(resolved_model, observed)


def _is_model(manifest: Manifest) -> bool:
    return manifest.kind == KIND and manifest.api_version.partition("/")[0] == GROUP


def _why_not_one(
    file: str,
    documents: Sequence[Manifest | Unreadable],
    models: Sequence[Manifest],
    name: str | None,
) -> str:
    names = ", ".join(item.name or "(without a name)" for item in models)
    if models and name is None:
        return f"{file} has {len(models)} QuantizedModels: choose one with --name: {names}"
    if models:
        return f"{file} has no single QuantizedModel of the name {name}; it has {names}"
    for item in documents:
        if isinstance(item, Unreadable):
            return f"{file}:{item.place.line}:{item.place.column} is no YAML: {item.message}"
    return f"{file} has no QuantizedModel of {GROUP}"
