"""The API server goes away, and what happens in the meantime is not missed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from e2e.support.audit import ONE_MODEL, STATUS, told
from e2e.support.documents import claim_spec
from e2e.support.operator_process import OperatorProcess
from e2e.support.proxy import Proxy
from e2e.support.world import World
from qmo_cluster.waiting import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240, func_only=True)]

Gap = Callable[[World, Proxy], "object"]


@contextmanager
def cut_cable(_: World, proxy: Proxy) -> Iterator[None]:
    """The operator cannot reach the API server, which goes on without it."""
    proxy.cut()
    yield
    proxy.heal()


@contextmanager
def expired_history(world: World, proxy: Proxy) -> Iterator[None]:
    """Besides, what happened is forgotten: whoever resumes a watch gets 410."""
    proxy.cut()
    yield
    world.cluster.expire_watches()
    proxy.heal()


@contextmanager
def restarted_server(world: World, proxy: Proxy) -> Iterator[None]:
    """Besides, the API server is a new process, which keeps what etcd has."""
    proxy.cut()
    yield
    world.cluster.restart("kube-apiserver")
    world.cluster.wake_controllers()
    proxy.heal()


GAPS = {"cable": cut_cable, "410": expired_history, "restart": restarted_server}


@pytest.fixture
def proxy(world: World) -> Iterator[Proxy]:
    """Between the operator and the API server."""
    proxy = Proxy(world.cluster.settings.api_url)
    yield proxy
    proxy.close()


def three_models(world: World, proxy: Proxy) -> OperatorProcess:
    """An operator behind the proxy, with three models that are Ready."""
    world.claim("weights")
    operator = world.operator(server=proxy.url, resync_seconds="10")
    for name in ("otter", "heron", "newt"):
        world.model(name, claim_spec("weights"))
    world.until_all_ready(3)
    world.settle()
    return operator


@pytest.mark.parametrize("gap", GAPS)
def test_deletions_in_a_gap_are_noticed(world: World, proxy: Proxy, gap: str) -> None:
    """A child deleted in a gap of the watches is made anew, a model deleted in it is forgotten."""
    operator = three_models(world, proxy)
    uid = world.the("deployments", "otter")["metadata"]["uid"]
    mark = world.audit.mark()

    with GAPS[gap](world, proxy):
        world.delete("deployments", "otter")
        world.delete("services", "heron")
        world.delete("quantizedmodels", "newt")
        for plural in ("quantizedmodels", "deployments", "services"):
            world.until_gone(plural, "newt")

    world.until(
        "deployments",
        "otter",
        lambda body: body["metadata"]["uid"] != uid,
        timeout_seconds=90,
    )
    world.until("services", "heron", lambda _: True, timeout_seconds=90)
    world.until_ready("otter", timeout_seconds=90)
    forgotten_within(operator, "newt", 60)
    written = world.writes(mark)
    assert written.pop(STATUS, 0) <= 4
    assert written == ONE_MODEL
    assert operator.is_running


def forgotten_within(operator: OperatorProcess, name: str, seconds: float) -> None:
    """Wait until the operator has no series of a model any more."""
    wait_until(
        f"no series of {name}",
        lambda: f'name="{name}"' not in operator.get("/metrics"),
        timeout_seconds=seconds,
    )
    assert operator.metric('quantizedmodel_cached_objects{kind="QuantizedModel"}') == 2


def test_a_restarted_api_server_costs_nothing(world: World) -> None:
    """The process lives through a restart of the API server, and writes only what is new."""
    world.claim("weights")
    operator = world.operator()
    for name in ("otter", "heron"):
        world.model(name, claim_spec("weights"))
    world.until_all_ready(2)
    world.settle()
    pid = operator.pid
    mark = world.audit.mark()

    world.cluster.restart("kube-apiserver")
    world.cluster.wake_controllers()
    world.settle(3.0)
    assert world.audit.writes(world.account.user, mark) == {}

    world.model("newt", claim_spec("weights"))
    world.until_ready("newt", timeout_seconds=90)
    assert operator.is_running
    assert operator.pid == pid
    assert told(world.writes(mark), 2) == ONE_MODEL


def test_a_leader_outlives_a_short_outage(world: World, proxy: Proxy) -> None:
    """Five seconds without an API server cost neither the Lease nor the process."""
    world.claim("weights")
    operator = world.operator(server=proxy.url, leader_election="true")
    world.model("otter", claim_spec("weights"))
    world.until_ready("otter")

    proxy.cut()
    world.settle(5.0)
    proxy.heal()

    world.model("heron", claim_spec("weights"))
    world.until_ready("heron", timeout_seconds=60)
    assert operator.is_running
    assert not operator.said("has lost the lease")


def test_a_leader_cut_off_for_long_ends(world: World, proxy: Proxy) -> None:
    """A leader that cannot renew its Lease ends, so that nobody has to trust it."""
    operator = world.operator(server=proxy.url, leader_election="true")

    proxy.cut()

    assert operator.wait_ended(30) != 0
