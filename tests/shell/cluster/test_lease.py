"""The election: one leader, taken over in time, lost in time, given back."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from quantized_model_operator.cluster.api_client import ApiClient
from quantized_model_operator.cluster.kinds import LEASE
from quantized_model_operator.cluster.lease import LeaseDurations, LeaseElector
from shell.cluster.clients import until
from shell.cluster.fake_api_server import FakeApiServer

pytestmark = pytest.mark.shell

LEASES = LEASE.collection()
SHORT = LeaseDurations(lease=0.8, renew_deadline=0.5, retry=0.05, request=0.25)


class Candidate:
    """An elector with its task."""

    def __init__(
        self,
        client: ApiClient,
        identity: str,
        fresh: Callable[[], bool] = lambda: True,
        durations: LeaseDurations = SHORT,
    ) -> None:
        self.elector = LeaseElector(
            client=client,
            namespace="zoo",
            name="leader",
            identity=identity,
            wall_clock=lambda: datetime(2026, 3, 1, 12, tzinfo=UTC),
            heartbeat_is_fresh=fresh,
            durations=durations,
        )
        self.stop = asyncio.Event()
        self.task = asyncio.create_task(self.elector.run(self.stop))

    async def crash(self) -> None:
        """End without giving the lease back."""
        self.task.cancel()
        await asyncio.wait({self.task})


@asynccontextmanager
async def candidate(
    client: ApiClient,
    identity: str,
    fresh: Callable[[], bool] = lambda: True,
    durations: LeaseDurations = SHORT,
) -> AsyncIterator[Candidate]:
    """A running candidate."""
    running = Candidate(client, identity, fresh, durations)
    yield running
    await running.crash()


def spec_of(server: FakeApiServer) -> dict[str, Any]:
    """The spec of the lease."""
    lease = server.get(LEASES, "zoo", "leader")
    assert lease is not None
    spec: dict[str, Any] = lease["spec"]
    return spec


async def test_the_first_makes_the_lease(server: FakeApiServer, client: ApiClient) -> None:
    """A candidate without rivals leads at once, and the lease says so."""
    async with candidate(client, "a") as a:
        await until(lambda: a.elector.is_leader)
    spec = spec_of(server)
    assert (spec["holderIdentity"], spec["leaseTransitions"]) == ("a", 0)
    assert spec["renewTime"] == spec["acquireTime"] == "2026-03-01T12:00:00.000000Z"


async def test_only_one_leads(server: FakeApiServer, client: ApiClient) -> None:
    """Of ten candidates that start together just one is elected, and it stays."""
    electors = [Candidate(client, f"c{number}") for number in range(10)]
    await until(lambda: any(one.elector.is_leader for one in electors))
    before = spec_of(server)["holderIdentity"]
    requests = server.count("PUT")
    await until(lambda: server.count("PUT") > requests + 20)
    leaders = [one for one in electors if one.elector.elected.is_set()]
    assert len(leaders) == 1
    assert spec_of(server)["holderIdentity"] == before
    for one in electors:
        await one.crash()


async def test_a_dead_leader_is_replaced_in_time(server: FakeApiServer, client: ApiClient) -> None:
    """After a crash the next one leads, not before the lease has run out."""
    async with candidate(client, "a") as a, candidate(client, "b") as b:
        await until(lambda: a.elector.is_leader or b.elector.is_leader)
        dead, heir = (a, b) if a.elector.is_leader else (b, a)
        await until(lambda: heir.elector.silent_seconds() < 0.05)
        await dead.crash()
        crashed = time.monotonic()
        await until(lambda: heir.elector.is_leader)
        assert 0.6 < time.monotonic() - crashed < 2.0
    assert spec_of(server)["leaseTransitions"] == 1


async def test_a_lease_given_back_is_taken_at_once(
    server: FakeApiServer, client: ApiClient
) -> None:
    """A clean end leaves no holder, so that the next one need not wait."""
    async with candidate(client, "a") as a:
        await until(lambda: a.elector.is_leader)
        a.stop.set()
        await a.task
        assert not a.elector.is_leader
        assert spec_of(server)["holderIdentity"] == ""
        async with candidate(client, "b") as b:
            await until(lambda: b.elector.is_leader, seconds=0.5)
    assert spec_of(server)["leaseTransitions"] == 1


async def test_a_conflict_is_read_again(server: FakeApiServer, client: ApiClient) -> None:
    """A renewal that meets a newer version reads it and goes on leading."""
    async with candidate(client, "a") as a:
        await until(lambda: a.elector.is_leader)
        lease = server.get(LEASES, "zoo", "leader")
        assert lease is not None
        server.put(LEASES, {**lease, "metadata": {**lease["metadata"], "labels": {"x": "y"}}})
        renewals = server.count("PUT")
        await until(lambda: server.count("PUT") > renewals + 5)
        assert a.elector.is_leader
        assert not a.elector.lost.is_set()


async def test_a_short_outage_is_survived(server: FakeApiServer, client: ApiClient) -> None:
    """Failed renewals within the deadline cost nothing."""
    async with candidate(client, "a") as a:
        await until(lambda: a.elector.is_leader)
        server.fail("PUT", 503, times=3)
        renewals = server.count("PUT")
        await until(lambda: server.count("PUT") > renewals + 6)
        assert a.elector.is_leader


@pytest.mark.parametrize("hang", [False, True])
async def test_a_long_outage_ends_the_leadership(
    server: FakeApiServer, client: ApiClient, *, hang: bool
) -> None:
    """Without a good renewal the leader stops by its deadline, before another may begin."""
    async with candidate(client, "a") as a:
        await until(lambda: a.elector.is_leader)
        server.fail("PUT", 503, times=1000, hang=hang)
        server.fail("GET", 503, times=1000, hang=hang)
        failed = time.monotonic()
        await until(a.elector.lost.is_set)
        assert 0.3 < time.monotonic() - failed < SHORT.lease
        assert not a.elector.is_leader
        await asyncio.wait_for(a.task, 1)


async def test_a_hanging_renewal_is_cut_at_the_deadline(
    server: FakeApiServer, client: ApiClient
) -> None:
    """A renewal may not wait longer for its answer than the leadership lasts."""
    patient = LeaseDurations(lease=0.8, renew_deadline=0.5, retry=0.05, request=30)
    async with candidate(client, "a", durations=patient) as a:
        await until(lambda: a.elector.is_leader)
        server.fail("PUT", 503, times=1000, hang=True)
        await until(a.elector.lost.is_set, seconds=1)


async def test_a_late_loop_gives_up(client: ApiClient) -> None:
    """A process whose heartbeat is stale does not renew and so loses the lease."""
    fresh = True
    async with candidate(client, "a", lambda: fresh) as a:
        await until(lambda: a.elector.is_leader)
        fresh = False
        await until(a.elector.lost.is_set)


async def test_a_stolen_lease_is_not_taken_back(server: FakeApiServer, client: ApiClient) -> None:
    """When the lease names another holder the leader stops and leaves it alone."""
    async with candidate(client, "a") as a:
        await until(lambda: a.elector.is_leader)
        lease = server.get(LEASES, "zoo", "leader")
        assert lease is not None
        server.put(LEASES, {**lease, "spec": {**lease["spec"], "holderIdentity": "thief"}})
        await until(a.elector.lost.is_set)
        await a.task
    assert spec_of(server)["holderIdentity"] == "thief"


async def test_a_lease_with_a_longer_promise_is_respected(
    server: FakeApiServer, client: ApiClient
) -> None:
    """A holder that promised more time than this candidate would is given that time."""
    spec = {"holderIdentity": "other", "leaseDurationSeconds": 60, "renewTime": "1999-01-01"}
    server.put(LEASES, {"metadata": {"namespace": "zoo", "name": "leader"}, "spec": spec})
    async with candidate(client, "a") as a:
        reads = server.count("GET")
        await until(lambda: server.count("GET") > reads + 25)
        assert not a.elector.elected.is_set()
    assert server.count("PUT") == 0


async def test_a_restarted_holder_goes_on(server: FakeApiServer, client: ApiClient) -> None:
    """A process that finds its own name in the lease leads at once, without a transition."""
    spec = {"holderIdentity": "a", "leaseDurationSeconds": 60, "leaseTransitions": 3}
    server.put(LEASES, {"metadata": {"namespace": "zoo", "name": "leader"}, "spec": spec})
    async with candidate(client, "a") as a:
        await until(lambda: a.elector.is_leader)
    assert spec_of(server)["leaseTransitions"] == 3
