"""The operator with real kopf, in the loop of the test, against a fake API server."""

import asyncio

import pytest

from shell.cluster.clients import until
from shell.process.fake_cluster import (
    DEPLOYMENTS,
    LEASES,
    MODELS,
    NAMESPACE,
    FakeCluster,
)
from shell.process.running import Running, running

pytestmark = pytest.mark.shell


async def settled(operator: Running, cluster: FakeCluster) -> None:
    """Wait until nothing has been written for a moment."""
    written = -1
    while written != len(cluster.writes()):
        written = len(cluster.writes())
        await asyncio.wait([operator.task], timeout=0.4)


async def test_a_model_is_served_with_three_writes(
    cluster: FakeCluster, caplog: pytest.LogCaptureFixture
) -> None:
    """A new model whose checkpoint is known costs one apply per child and one status, no more."""
    async with running(cluster, caplog) as operator:
        await until(lambda: operator.said("working on 0 models"))
        cluster.add_model("otter")
        await until(lambda: cluster.status_of("otter").get("observedGeneration") == 1)
        await settled(operator, cluster)
        written = sorted(
            f"{seen.method} {seen.path.rpartition('v1')[2]}" for seen in cluster.writes()
        )
        assert written == [
            "PATCH /namespaces/zoo/deployments/otter",
            "PATCH /namespaces/zoo/services/otter",
            "PATCH alpha1/namespaces/zoo/quantizedmodels/otter/status",
        ]
        assert await operator.end() == 0


async def test_a_restart_writes_nothing(
    cluster: FakeCluster, caplog: pytest.LogCaptureFixture
) -> None:
    """A second process finds the models of the first one and writes nothing but its Lease."""
    for number in range(5):
        cluster.add_model(f"otter-{number}")
    async with running(cluster, caplog) as operator:
        await until(lambda: all(cluster.status_of(f"otter-{n}") for n in range(5)))
        await settled(operator, cluster)
        assert await operator.end() == 0
    cluster.seen.clear()
    caplog.clear()
    async with running(cluster, caplog, identity="operator-2") as operator:
        await until(lambda: operator.said("working on 5 models"))
        await settled(operator, cluster)
        assert cluster.writes() == []
        name = 'controller_runtime_reconcile_total{controller="quantizedmodel",result="success"}'
        assert (await operator.metric(name) or 0) >= 5


async def test_a_label_on_a_model_writes_nothing(
    cluster: FakeCluster, caplog: pytest.LogCaptureFixture
) -> None:
    """Labels and annotations that tools put on a model lead to no write."""
    cluster.add_model("otter")
    async with running(cluster, caplog) as operator:
        await until(lambda: bool(cluster.status_of("otter")))
        await settled(operator, cluster)
        before = len(cluster.writes())
        model = cluster.get(MODELS, NAMESPACE, "otter") or {}
        labelled = {**model["metadata"], "labels": {"argocd.example/instance": "x"}}
        cluster.put(MODELS, {**model, "metadata": labelled})
        await settled(operator, cluster)
        assert len(cluster.writes()) == before


async def test_an_error_in_the_stream_restarts_only_the_stream(
    cluster: FakeCluster, caplog: pytest.LogCaptureFixture
) -> None:
    """An error inside the watch of models ends neither the process, nor caches, nor leadership."""
    async with running(cluster, caplog) as operator:
        await until(lambda: operator.said("working on 0 models"))
        await until(lambda: any(watch.collection == MODELS for watch in cluster.watches))
        cluster.fail_watches(MODELS)
        await until(lambda: operator.said("the stream of models ended"))
        cluster.add_model("otter")
        await until(lambda: bool(cluster.status_of("otter")), 10.0)
        assert len(cluster.requests("GET", DEPLOYMENTS)) == 1
        assert len(cluster.requests("POST", f"{_lease_path()}")) == 1
        assert await operator.metric("quantizedmodel_model_stream_restarts_total") == 1.0
        assert (
            await operator.metric('leader_election_master_status{name="quantized-model-operator"}')
            == 1.0
        )
        assert await operator.get("/livez") == (200, "ok: leading\n")
        assert await operator.end() == 0


@pytest.mark.parametrize("code", [410, 500])
async def test_a_model_that_went_during_a_gap_is_forgotten(
    cluster: FakeCluster, caplog: pytest.LogCaptureFixture, code: int
) -> None:
    """A model that was deleted while nobody watched loses its series, and is not served again."""
    cluster.add_model("otter")
    series = f'quantizedmodel_replicas{{kind="desired",name="otter",namespace="{NAMESPACE}"}}'
    async with running(cluster, caplog) as operator:
        await until(lambda: bool(cluster.status_of("otter")))
        await settled(operator, cluster)
        assert await operator.metric(series) == 1.0
        # Nobody is told of the deletion: the watch is dead, and its history gone.
        for watch in cluster.watches:
            watch.silent = watch.collection == MODELS
        cluster.remove(MODELS, NAMESPACE, "otter")
        cluster.forget_history()
        cluster.fail_watches(MODELS, code)
        async with asyncio.timeout(10.0):
            while await operator.metric(series) is not None:
                await asyncio.wait([operator.task], timeout=0.1)
        cached = await operator.metric('quantizedmodel_cached_objects{kind="QuantizedModel"}')
        assert cached == 0.0


async def test_refused_credentials_are_renewed(
    cluster: FakeCluster, caplog: pytest.LogCaptureFixture
) -> None:
    """After a 401 kopf logs in anew, and its stream goes on without being started again."""
    async with running(cluster, caplog) as operator:
        await until(lambda: any(watch.collection == MODELS for watch in cluster.watches))
        cluster.fail("WATCH", 401)
        cluster.faults[-1].matches = lambda seen: seen.method == "WATCH" and seen.path == MODELS
        cluster.fail_watches(MODELS, 410)
        await until(lambda: cluster.faults[-1].times == 0)
        cluster.add_model("otter")
        await until(lambda: bool(cluster.status_of("otter")), 10.0)
        assert await operator.metric("quantizedmodel_model_stream_restarts_total") == 0.0


async def test_a_deleted_model_loses_its_series(
    cluster: FakeCluster, caplog: pytest.LogCaptureFixture
) -> None:
    """After the deletion of a model, no metric names it."""
    cluster.add_model("otter")
    cluster.add_model("badger")
    async with running(cluster, caplog) as operator:
        await until(lambda: bool(cluster.status_of("otter") and cluster.status_of("badger")))
        await settled(operator, cluster)
        assert 'name="otter"' in (await operator.get("/metrics"))[1]
        cluster.remove(MODELS, NAMESPACE, "otter")
        await settled(operator, cluster)
        _, text = await operator.get("/metrics")
        assert "otter" not in text
        assert 'name="badger"' in text


async def test_a_model_that_goes_between_the_two_lists_does_not_hold_up_the_start(
    cluster: FakeCluster, caplog: pytest.LogCaptureFixture
) -> None:
    """The process starts working although a model it expected is gone before kopf lists."""
    cluster.add_model("otter")
    cluster.add_model("badger")
    # kopf's list fails once; in the meantime the model goes.
    cluster.fail("GET", 500, times=1)
    cluster.faults[-1].matches = lambda seen: (
        seen.path == MODELS and "PartialObjectMetadataList" not in seen.headers.get("Accept", "")
    )
    async with running(cluster, caplog) as operator:
        await until(lambda: len(cluster.requests("GET", MODELS)) >= 2)
        cluster.remove(MODELS, NAMESPACE, "otter")
        await until(lambda: operator.said("working on 1 models"), 20.0)
        await until(lambda: cluster.has_deployment("badger"))


async def test_without_the_crd_the_process_waits(
    cluster: FakeCluster, caplog: pytest.LogCaptureFixture
) -> None:
    """Started before its CRD, the process says so, is alive, not ready, and works afterwards."""
    cluster.fail("GET", 404, times=1)
    cluster.faults[-1].matches = lambda seen: seen.path == MODELS
    async with running(cluster, caplog) as operator:
        await until(lambda: operator.said("the CRD of QuantizedModel is not installed"))
        assert (await operator.get("/livez"))[0] == 200
        assert (await operator.get("/readyz"))[0] == 503
        await until(lambda: operator.said("working on 0 models"), 10.0)
        assert await operator.get("/readyz") == (200, "ok: leading\n")


async def test_only_the_named_namespaces_are_served(
    cluster: FakeCluster, caplog: pytest.LogCaptureFixture
) -> None:
    """With namespaces given, everything but nodes is listed and watched in these alone."""
    cluster.add_model("otter")
    model = cluster.get(MODELS, NAMESPACE, "otter") or {}
    elsewhere = {"namespace": "farm", "name": "cow", "generation": 1}
    cluster.put(MODELS, {**model, "metadata": elsewhere})
    async with running(cluster, caplog, namespaces=("river", NAMESPACE)) as operator:
        await until(lambda: bool(cluster.status_of("otter")))
        await until(lambda: sum(watch.collection == MODELS for watch in cluster.watches) == 2)
        assert operator.said("working on 1 models")
        wide = {seen.path for seen in cluster.seen if seen.method in ("GET", "WATCH")}
        assert {path for path in wide if "/namespaces/" not in path} == {"/api/v1/nodes"}
        assert "status" not in (cluster.get(MODELS, "farm", "cow") or {})


async def test_a_standby_watches_nothing_and_is_ready(
    cluster: FakeCluster, caplog: pytest.LogCaptureFixture
) -> None:
    """While another process holds the Lease, there is no watch, and both probes succeed."""
    cluster.hold_lease("somebody-else")
    async with running(cluster, caplog) as operator:
        await until(lambda: len(cluster.requests("GET", _lease_path(one=True))) >= 2)
        assert cluster.watches == []
        assert cluster.writes() == []
        assert await operator.get("/readyz") == (200, "ok: standby\n")
        assert await operator.get("/livez") == (200, "ok: standby\n")
        leads = 'leader_election_master_status{name="quantized-model-operator"}'
        assert await operator.metric(leads) == 0.0
        assert await operator.end() == 0
    holder = (cluster.get(LEASES, "system", "quantized-model-operator") or {})["spec"]
    assert holder["holderIdentity"] == "somebody-else"


async def test_a_lost_lease_ends_the_process_with_an_error(
    cluster: FakeCluster, caplog: pytest.LogCaptureFixture
) -> None:
    """When another process takes the Lease, this one stops writing and ends with code 1."""
    async with running(cluster, caplog) as operator:
        await until(lambda: operator.said("working on 0 models"))
        cluster.hold_lease("somebody-else")
        async with asyncio.timeout(10.0):
            assert await operator.task == 1
        cluster.add_model("otter")
        assert cluster.writes() == []


async def test_a_clean_end_gives_the_lease_back(
    cluster: FakeCluster, caplog: pytest.LogCaptureFixture
) -> None:
    """After a clean end the Lease names nobody, so that the next process need not wait."""
    async with running(cluster, caplog) as operator:
        await until(lambda: operator.said("working on 0 models"))
        assert await operator.end() == 0
    lease = cluster.get(LEASES, "system", "quantized-model-operator") or {}
    assert lease["spec"]["holderIdentity"] == ""


async def test_kopf_takes_no_task_of_others_with_it(
    cluster: FakeCluster, caplog: pytest.LogCaptureFixture
) -> None:
    """A task that began while kopf ran goes on when kopf ends, and does not hold kopf up."""
    async with running(cluster, caplog) as operator:
        await until(lambda: any(watch.collection == MODELS for watch in cluster.watches))
        forever = asyncio.create_task(asyncio.Event().wait())
        started = asyncio.get_running_loop().time()
        cluster.fail_watches(MODELS)
        await until(lambda: operator.said("the stream of models ended"))
        assert asyncio.get_running_loop().time() - started < 2.0
        assert not forever.done()
        forever.cancel()


def _lease_path(*, one: bool = False) -> str:
    path = "/apis/coordination.k8s.io/v1/namespaces/system/leases"
    return f"{path}/quantized-model-operator" if one else path
