"""Tools that wait by kstatus are never told too early that a model is done."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from e2e.support import documents, watching
from e2e.support.documents import claim_spec, cpu_spec
from e2e.support.world import World

pytestmark = pytest.mark.e2e


@contextmanager
def history(world: World, name: str, last: int) -> Iterator[list[dict[str, Any]]]:
    """Every version of a model that a watch shows, until generation ``last`` is Ready."""
    seen: list[dict[str, Any]] = []

    def is_last(models: Mapping[str, Mapping[str, Any]]) -> bool:
        body = models.get(name)
        if body is None:
            return False
        seen.append(json.loads(json.dumps(body)))
        return body["metadata"]["generation"] == last and documents.is_ready(body)

    watcher = threading.Thread(
        target=watching.until,
        args=(world.cluster, world.path("quantizedmodels"), is_last),
        kwargs={"name": name},
    )
    watcher.start()
    try:
        yield seen
    finally:
        watcher.join(90)


def kstatus(body: Mapping[str, Any]) -> str:
    """What a tool makes of it. Source: sigs.k8s.io/cli-utils kstatus, generic rules."""
    status = body.get("status") or {}
    if status.get("observedGeneration", -1) != body["metadata"]["generation"]:
        return "InProgress"
    if documents.condition(body, "Stalled").get("status") == "True":
        return "Failed"
    if documents.condition(body, "Reconciling").get("status") == "True":
        return "InProgress"
    return "Current"


def test_a_model_is_current_only_when_it_is_ready(world: World) -> None:
    """From creation over a change to a scaling, it is never Current before all replicas answer."""
    world.claim("weights")
    world.operator()

    with history(world, "otter", 3) as seen:
        world.model("otter", claim_spec("weights"))
        world.until_ready("otter")
        world.merge("quantizedmodels", "otter", {"spec": {"engine": {"maxNumSeqs": 8}}})
        world.until_ready("otter")
        world.merge("quantizedmodels", "otter", {"spec": {"replicas": 2}})
        world.until_ready("otter")

    for body in seen:
        conditions = (body.get("status") or {}).get("conditions") or []
        types = [item["type"] for item in conditions]
        assert len(set(types)) == len(types)
        assert not {"Stalled", "Reconciling"} <= set(types)
        if body.get("status") and kstatus(body) == "Current":
            assert documents.condition(body, "Ready")["status"] == "True"
            assert body["status"]["readyReplicas"] == body["spec"]["replicas"]
        generations = {item["observedGeneration"] for item in conditions}
        assert generations <= {body.get("status", {}).get("observedGeneration")}
    assert {"InProgress", "Current"} == {kstatus(body) for body in seen if body.get("status")}


def test_a_refusal_is_failed_and_a_mend_is_not(world: World) -> None:
    """Stalled shows as Failed for its own generation only."""
    world.know()
    world.operator()

    with history(world, "otter", 2) as seen:
        world.model("otter", cpu_spec(engine={"args": ["--port=1"]}))
        world.until_reason("otter", "OwnedArgument", "Stalled")
        world.merge("quantizedmodels", "otter", {"spec": {"engine": {"args": []}}})
        world.until_ready("otter")

    of_generation = {(body["metadata"]["generation"], kstatus(body)) for body in seen}
    assert (1, "Failed") in of_generation
    assert (1, "Current") not in of_generation
    assert (2, "Failed") not in of_generation
    assert (2, "Current") in of_generation


def test_transition_times_move_with_the_status_alone(world: World) -> None:
    """A condition keeps its lastTransitionTime while its status does, whatever else changes."""
    world.claim("weights")
    world.operator()
    with history(world, "otter", 2) as seen:
        world.model("otter", claim_spec("weights"))
        world.until_ready("otter")
        world.merge("quantizedmodels", "otter", {"spec": {"replicas": 2}})
        world.until_ready("otter")

    before: dict[str, dict[str, Any]] = {}
    kept = 0
    for body in seen:
        conditions = (body.get("status") or {}).get("conditions") or []
        for item in conditions:
            known = before.get(item["type"])
            if known and known["status"] == item["status"]:
                assert item["lastTransitionTime"] == known["lastTransitionTime"]
                kept += 1
        before = {item["type"]: item for item in conditions}
    assert kept
