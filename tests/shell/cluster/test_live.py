"""The live gateway against a server that fails: logs, changes, races and events."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from e2e.manifests import deployment, desired, job, labels, record, service
from quantized_model_operator.cluster.api_client import ApiClient
from quantized_model_operator.cluster.api_errors import (
    ConflictError,
    UndeclaredFieldError,
)
from quantized_model_operator.cluster.gateway import ModelEvent
from quantized_model_operator.cluster.kinds import (
    CLAIM,
    CONFIG_MAP,
    DEPLOYMENT,
    EVENT,
    JOB,
    MODEL,
    NODE,
    POD,
    SERVICE,
)
from quantized_model_operator.domain.child_objects import Removal
from quantized_model_operator.domain.cluster_state import ModelKey, ObjectKey
from quantized_model_operator.domain.well_known import MANAGED_BY_LABEL
from shell.cluster.clients import until
from shell.cluster.fake_api_server import FakeApiServer
from shell.cluster.live_gateway import OTTER, Bench, pod

pytestmark = pytest.mark.shell


async def test_changes_of_children_and_pods_enqueue_their_model(bench: Bench) -> None:
    """A change and a deletion of a child or a pod name the model they belong to."""
    observed = await bench.seen()
    for collection, body in (
        (DEPLOYMENT.collection(), deployment(observed)),
        (SERVICE.collection(), service(observed)),
        (JOB.collection(), job(observed)),
        (POD.collection(), pod()),
    ):
        bench.changed.clear()
        bench.server.put(collection, body)
        await until(lambda: bench.changed == [OTTER])
        bench.server.remove(collection, "zoo", body["metadata"]["name"])
        await until(lambda: bench.changed == [OTTER, OTTER])


async def test_own_writes_enqueue_nothing(bench: Bench) -> None:
    """The echo of what was applied is no reason to look again."""
    observed = await bench.seen()
    wanted = desired(record("zoo"), job(observed), deployment(observed), service(observed))
    applied = await bench.gateway.apply(observed, wanted)
    assert applied.writes == 4
    bench.server.put(CONFIG_MAP.collection(), {**record("zoo"), "data": {"report": "other"}})
    await until(lambda: bool(bench.changed))
    assert bench.changed == [OTTER]


async def test_capacity_is_told_once_to_those_who_wait(bench: Bench) -> None:
    """A burst of nodes enqueues each model that is not Ready once, and no other."""
    bench.put_model("heron", ready="True")
    assert (await bench.seen()).nodes == ()
    for number in range(5):
        bench.server.put(NODE.collection(), {"metadata": {"name": f"node-{number}"}})
    await until(lambda: bool(bench.changed))
    await until(lambda: len(bench.gateway.caches.nodes) == 5)
    assert bench.changed == [OTTER]
    assert [node.name for node in (await bench.seen()).nodes] == [f"node-{n}" for n in range(5)]


async def test_a_claim_is_told_to_those_who_wait_beside_it(bench: Bench) -> None:
    """A new claim enqueues the models of its namespace that are not Ready."""
    bench.server.put(CLAIM.collection(), {"metadata": {"namespace": "pond", "name": "weights"}})
    bench.server.put(CLAIM.collection(), {"metadata": {"namespace": "zoo", "name": "weights"}})
    await until(lambda: bool(bench.changed))
    assert bench.changed == [OTTER]
    assert set((await bench.seen()).claims) == {"weights"}


async def test_a_repair_follows_a_deletion(bench: Bench) -> None:
    """A child that somebody deletes is seen to be gone and is made again."""
    observed = await bench.seen()
    await bench.gateway.apply(observed, desired(service(observed)))
    bench.server.remove(SERVICE.collection(), "zoo", "otter")
    await until(lambda: bench.changed == [OTTER])
    assert (await bench.gateway.apply(await bench.seen(), desired(service(observed)))).writes == 1


async def test_a_job_that_exists_unseen_is_taken(bench: Bench) -> None:
    """A Job that an unanswered attempt has made is found, not made twice and not a conflict."""
    observed = await bench.seen()
    for watch in bench.server.watches:
        watch.silent = True
    bench.server.put(JOB.collection(), job(observed))
    applied = await bench.gateway.apply(observed, desired(job(observed)))
    assert (applied.writes, dict(applied.conflicts)) == (0, {})
    assert set((await bench.seen()).children) == {ObjectKey("Job", "otter-inspect-1")}


async def test_a_foreign_job_is_a_conflict(bench: Bench) -> None:
    """A Job of somebody else's with our name is reported and left alone."""
    observed = await bench.seen()
    theirs = job(observed)
    theirs["metadata"] = {"namespace": "zoo", "name": "otter-inspect-1"}
    bench.server.put(JOB.collection(), theirs)
    applied = await bench.gateway.apply(observed, desired(job(observed)))
    assert set(applied.conflicts) == {ObjectKey("Job", "otter-inspect-1")}


async def test_a_job_that_belongs_to_nobody_is_a_conflict(bench: Bench) -> None:
    """A Job that has our labels and no owner is not taken for the model's own."""
    observed = await bench.seen()
    orphan = job(observed)
    del orphan["metadata"]["ownerReferences"]
    bench.server.put(JOB.collection(), orphan)
    await until(lambda: len(bench.gateway.caches.jobs) == 1)
    applied = await bench.gateway.apply(observed, desired(job(observed)))
    assert set(applied.conflicts) == {ObjectKey("Job", "otter-inspect-1")}


async def test_an_object_held_by_a_finalizer_stays_visible(bench: Bench) -> None:
    """A Job that a finalizer holds back after its deletion is still observed, as ending."""
    observed = await bench.seen()
    held = job(observed)
    held["metadata"]["finalizers"] = ["example.org/hold"]
    uid = bench.server.put(JOB.collection(), held)["metadata"]["uid"]
    await until(lambda: len(bench.gateway.caches.jobs) == 1)
    key = ObjectKey("Job", "otter-inspect-1")
    removal = Removal(key=key, uid=uid, why="test")
    assert (await bench.gateway.apply(observed, desired(removals=(removal,)))).writes == 1
    assert "deletionTimestamp" in (await bench.seen()).children[key]["metadata"]
    bench.server.remove(JOB.collection(), "zoo", "otter-inspect-1")
    await until(lambda: len(bench.gateway.caches.jobs) == 0)


async def test_a_restart_writes_nothing(
    server: FakeApiServer, client: ApiClient, bench: Bench
) -> None:
    """A new process finds everything as it should be and writes neither objects nor status."""
    observed = await bench.seen()
    wanted = desired(record("zoo"), job(observed), deployment(observed), service(observed))
    said = {"observedGeneration": 1, "conditions": [{"type": "Ready", "status": "True"}]}
    await bench.gateway.apply(observed, wanted)
    assert await bench.gateway.write_status(observed, said)
    again = Bench(server, client)
    again.gateway.models.put(server.get(MODEL.collection(), "zoo", "otter") or {})
    task = asyncio.create_task(again.gateway.run(asyncio.Event()))
    await again.gateway.caches.wait_synced()
    restarted = await again.seen()
    assert (await again.gateway.apply(restarted, wanted)).writes == 0
    assert not await again.gateway.write_status(restarted, said)
    task.cancel()
    await asyncio.wait({task})


async def test_a_refusal_is_part_of_the_answer(bench: Bench) -> None:
    """An apply that the server forbids is told with its answer, and it is no conflict of names."""
    observed = await bench.seen()
    bench.server.fail("PATCH", 403, reason="Forbidden")
    applied = await bench.gateway.apply(observed, desired(service(observed)))
    (key,) = applied.refusals
    assert key.kind == "Service"
    assert not applied.conflicts
    assert not applied.objects


async def test_an_event_that_cannot_be_sent_is_not_an_error(bench: Bench) -> None:
    """A refused event is logged and the reconcile goes on."""
    bench.server.fail("POST", 403, reason="Forbidden")
    event = ModelEvent(kind="Warning", reason="DoesNotFit", message="x" * 3000)
    await bench.gateway.emit_event(await bench.seen(), event)
    other = ModelEvent(kind="Normal", reason="Serving", message="ü" * 3000)
    await bench.gateway.emit_event(await bench.seen(), other)
    (sent,) = [body for body in _events(bench) if body["reason"] == "Serving"]
    assert len(sent["message"].encode()) <= 1024
    assert sent["involvedObject"]["uid"] == (await bench.seen()).uid


async def test_a_busy_object_is_no_conflict_of_names(bench: Bench) -> None:
    """A 409 because the object just changed is an error to retry, not somebody else's name."""
    observed = await bench.seen()
    bench.server.fail("PATCH", 409, reason="Conflict", message="has been modified", times=2)
    with pytest.raises(ConflictError):
        await bench.gateway.apply(observed, desired(service(observed)))
    with pytest.raises(ConflictError):
        await bench.gateway.write_status(observed, {"replicas": 1})


async def test_an_own_child_without_labels_is_taken_back(bench: Bench) -> None:
    """A child whose labels somebody took over is found by its owner and repaired by force."""
    observed = await bench.seen()
    stolen = service(observed)
    stolen["metadata"]["labels"] = {MANAGED_BY_LABEL: "thief"}
    bench.server.put(SERVICE.collection(), stolen)
    applied = await bench.gateway.apply(observed, desired(service(observed)))
    assert (applied.writes, dict(applied.conflicts)) == (1, {})
    assert set((await bench.seen()).children) == {ObjectKey("Service", "otter")}


async def test_an_older_crd_takes_what_it_knows(bench: Bench) -> None:
    """Fields that the CRD does not know are left out one by one, and never sent again."""
    message = "failed to create typed patch object (zoo/otter): {}: field not declared in schema"
    for path in (".status.plan.kernel", ".status.failure"):
        bench.server.fail("PATCH", 500, reason="", message=message.format(path))
    plan = {"kernel": "Machete", "dtype": "float16"}
    said = {"observedGeneration": 1, "failure": {"reason": "OutOfMemory"}, "plan": plan}
    assert await bench.gateway.write_status(await bench.seen(), said)
    assert bench.server.count("PATCH") == 3, "such a refusal is not worth a second attempt"
    written = (await bench.seen()).model["status"]
    assert written == {"observedGeneration": 1, "plan": {"dtype": "float16"}}
    assert not await bench.gateway.write_status(await bench.seen(), said)
    assert bench.server.count("PATCH") == 3


async def test_what_the_crd_does_not_know_is_no_reason_to_write(bench: Bench) -> None:
    """Once a field is known to be undeclared, a status that lacks only it is not written."""
    message = ".status.failure: field not declared in schema"
    bench.server.fail("PATCH", 500, reason="", message=message)
    said = {"observedGeneration": 1, "failure": {"reason": "OutOfMemory"}}
    assert await bench.gateway.write_status(await bench.seen(), said)
    bench.put_model("heron", status={"observedGeneration": 1})
    heron = await bench.gateway.observe(ModelKey("zoo", "heron"))
    assert heron is not None
    assert not await bench.gateway.write_status(heron, said)


async def test_an_event_is_sent_once(bench: Bench) -> None:
    """The same event about the same model is one request, not one that the server refuses."""
    event = ModelEvent(kind="Warning", reason="DoesNotFit", message="too large")
    for _ in range(3):
        await bench.gateway.emit_event(await bench.seen(), event)
    assert bench.server.count("POST") == 1


async def test_an_undeclared_field_of_another_form_is_raised(bench: Bench) -> None:
    """A refusal that leaving out does not mend is an error, not an endless loop."""
    message = ".status.failure: field not declared in schema"
    bench.server.fail("PATCH", 500, reason="", message=message, times=100)
    with pytest.raises(UndeclaredFieldError):
        await bench.gateway.write_status(await bench.seen(), {"observedGeneration": 1})
    assert bench.server.count("PATCH") == 2


async def test_a_model_that_is_being_deleted_is_none(bench: Bench) -> None:
    """A model with a deletion timestamp is not observed, so nothing is applied for it."""
    body = dict(bench.gateway.models.get(OTTER) or {})
    body["metadata"] = {
        **body["metadata"],
        "deletionTimestamp": "2026-03-01T12:00:00Z",
        "resourceVersion": "9999",
    }
    bench.gateway.models.put(body)
    assert await bench.gateway.observe(OTTER) is None


async def test_health_knows_every_watch(bench: Bench) -> None:
    """Each watch tells the age of what it last heard, each cache its size."""
    assert bench.gateway.caches.synced
    ages = bench.gateway.caches.silent_seconds()
    assert set(ages) == set(bench.gateway.caches.sizes())
    assert all(0 <= age < 5 for age in ages.values())


def _events(bench: Bench) -> list[Mapping[str, Any]]:
    return [
        stored.body
        for (collection, _, _), stored in bench.server._objects.items()  # noqa: SLF001 - the fake
        if collection == EVENT.collection()
    ]


async def test_devices_are_counted_for_a_pod_without_a_node(bench: Bench) -> None:
    """What pods of all models hold is told while a pod of this one finds no node, else nothing."""
    holder = pod()
    holder["metadata"] |= {"name": "heron-1", "uid": "heron", "labels": labels("heron")}
    limits = {"nvidia.com/gpu": "2", "memory": "5Gi"}
    holder["spec"] = {
        "nodeName": "den",
        "containers": [{"name": "engine", "resources": {"limits": limits}}],
    }
    await bench.heard_pod(holder)
    await bench.heard_pod(pod())
    assert not (await bench.seen()).devices_taken
    waiting = pod()
    waiting["status"]["conditions"] = [
        {"type": "PodScheduled", "status": "False", "message": "0/1 nodes are available"}
    ]
    await bench.heard_pod(waiting)
    assert (await bench.seen()).devices_taken == {"den": {"nvidia.com/gpu": 2}}
