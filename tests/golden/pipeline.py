"""The pure pipeline over the files of one golden case.

``cluster.yaml`` holds what is observed: Nodes, PersistentVolumeClaims, Pods, Jobs and so on as
the API server has them, and two kinds of our own that save space:

* ``Checkpoint``: facts of a checkpoint that the namespace has a record of,
* ``Rendered``: 'what this operator rendered is there', with a status to add by kind.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from quantized_model_operator.cluster.parsing import (
    claim_from,
    devices_by_node,
    node_from,
    pod_from,
)
from quantized_model_operator.domain.checkpoint import (
    CheckpointFacts,
    InspectionReport,
    report_to_json,
)
from quantized_model_operator.domain.child_objects import (
    AppliedObjects,
    DesiredObjects,
    Manifest,
    key_of,
)
from quantized_model_operator.domain.cluster_state import LogKey, ModelKey, ObjectKey, Observed
from quantized_model_operator.domain.decision import record_name
from quantized_model_operator.domain.outcome import InvalidModelError
from quantized_model_operator.plan.decide import plan
from quantized_model_operator.render.objects import render
from quantized_model_operator.report.status import report, report_invalid
from quantized_model_operator.resolve import resolve
from quantized_model_operator.settings import EngineSettings, Settings

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
SETTINGS = Settings(
    operator_image="mirror.example/operator:3",
    gpu_engine=EngineSettings(image="mirror.example/engine:{version}", default_version="0.33.0"),
    cpu_engine=EngineSettings(image="mirror.example/cpu:{version}", default_version="0.32.0"),
    hub_endpoint="https://hub.example",
)
Document = dict[str, Any]


def documents(path: Path) -> list[Document]:
    """The documents of a YAML file; none when it does not exist."""
    if not path.exists():
        return []
    return [item for item in yaml.safe_load_all(path.read_text(encoding="utf-8")) if item]


def observed_of(case: Path) -> Observed:
    """What the files of a case say exists."""
    (model,) = documents(case / "model.yaml")
    metadata = model["metadata"] = {"uid": "uid-of-model", "generation": 1, **model["metadata"]}
    key = ModelKey(metadata["namespace"], metadata["name"])
    cluster = documents(case / "cluster.yaml")
    children = {key_of(item): item for item in cluster if item["kind"] in {"Job", "Service"}}
    observed = Observed(
        key=key,
        model=model,
        children=children,
        records=dict(_records(cluster)),
        pods=tuple(pod_from(item) for item in cluster if _is_own_pod(item, key)),
        claims={
            item["metadata"]["name"]: claim_from(item)
            for item in cluster
            if item["kind"] == "PersistentVolumeClaim"
        },
        nodes=tuple(node_from(item) for item in cluster if item["kind"] == "Node"),
        logs={
            LogKey(item["podUid"], item["container"], item["run"]): item["text"]
            for item in cluster
            if item["kind"] == "Log"
        },
    )
    pods = [pod_from(item) for item in cluster if item["kind"] == "Pod"]
    if any(pod.unschedulable_message for pod in observed.pods):
        observed = replace(observed, devices_taken=devices_by_node(pods))
    return _with_rendered(observed, [item for item in cluster if item["kind"] == "Rendered"])


def _is_own_pod(item: Document, key: ModelKey) -> bool:
    """Pods of other namespaces only take room."""
    return item["kind"] == "Pod" and bool(item["metadata"]["namespace"] == key.namespace)


def outcome(observed: Observed) -> tuple[list[Document], Document]:
    """Objects in the order of application (removals last) and the status."""
    try:
        model = resolve(observed, SETTINGS)
    except InvalidModelError as error:
        return [], dict(report_invalid(error.problems, observed).status)
    planned = plan(model, observed, NOW, SETTINGS)
    desired = render(planned, observed, SETTINGS)
    applied = AppliedObjects(
        objects=dict(_applied(desired, observed)),
        writes=0,
        conflicts=observed.conflicts,
    )
    status = report(planned, observed, applied, SETTINGS).status
    return [*_plain(desired), *_removals(desired)], dict(status)


def _applied(desired: DesiredObjects, observed: Observed) -> Iterator[tuple[ObjectKey, Manifest]]:
    """What the API server would answer: the live status, and one generation more on a change."""
    yield from observed.children.items()
    for manifest in desired.manifests():
        live = observed.children.get(key_of(manifest), {})
        generation = live.get("metadata", {}).get("generation", 0)
        changed = live.get("spec") != manifest.get("spec")
        metadata = {**manifest["metadata"], "generation": generation + changed}
        yield (
            key_of(manifest),
            {**manifest, "metadata": metadata, "status": live.get("status", {})},
        )


def _plain(desired: DesiredObjects) -> Iterator[Document]:
    for manifest in desired.manifests():
        yield dict(manifest)


def _removals(desired: DesiredObjects) -> Iterator[Document]:
    for removal in desired.removals:
        yield {"removed": f"{removal.key.kind} {removal.key.name}", "why": removal.why}


def _records(cluster: list[Document]) -> Iterator[tuple[str, Manifest]]:
    for item in cluster:
        if item["kind"] == "Checkpoint":
            facts = CheckpointFacts(
                **{**item["facts"], "warnings": tuple(item["facts"].get("warnings", ()))}
            )
            report_text = report_to_json(InspectionReport(facts=facts))
            yield record_name(facts.uri, facts.commit), {"data": {"report": report_text}}


def _with_rendered(observed: Observed, wanted: list[Document]) -> Observed:
    """The case as it looks once this operator has applied what it rendered for it."""
    for item in wanted:
        before = _with_spec(observed, item.get("specBefore"))
        model = resolve(before, SETTINGS)
        desired = render(plan(model, before, NOW, SETTINGS), before, SETTINGS)
        statuses: Mapping[str, Any] = item.get("status", {})
        children = dict(observed.children)
        for manifest in desired.manifests():
            child: Document = {**manifest, "status": statuses.get(manifest["kind"], {})}
            child["metadata"] = {**manifest["metadata"], "generation": 1, "uid": "uid-of-child"}
            children[ObjectKey(child["kind"], child["metadata"]["name"])] = child
        observed = replace(observed, children=children)
    return observed


def _with_spec(observed: Observed, spec: Document | None) -> Observed:
    return replace(observed, model={**observed.model, "spec": spec}) if spec else observed
