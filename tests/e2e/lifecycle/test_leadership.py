"""Two operators and one Lease."""

import time

import pytest

from e2e.support.account import HOME, Account
from e2e.support.audit import ONE_MODEL, told
from e2e.support.documents import claim_spec
from e2e.support.operator_process import OperatorProcess
from e2e.support.world import World

pytestmark = pytest.mark.e2e

LEASE = f"/apis/coordination.k8s.io/v1/namespaces/{HOME}/leases/quantized-model-operator"


def pair(world: World, second_account: Account) -> tuple[OperatorProcess, OperatorProcess]:
    """A leader and a standby."""
    if world.cluster.api.exists(LEASE):
        world.cluster.api.delete(LEASE)
    leader = world.operator(leader_election="true")
    standby = world.operator(account=second_account, working=False, leader_election="true")
    standby.wait_said("serves health and metrics")
    return leader, standby


def test_only_the_leader_works(world: World, second_account: Account) -> None:
    """Of two operators one writes; the other is ready, holds no watch and writes nothing."""
    world.claim("weights")
    leader, standby = pair(world, second_account)
    mark = world.mark()

    world.model("otter", claim_spec("weights"))
    world.until_ready("otter")

    assert told(world.writes(mark), 2) == ONE_MODEL
    assert not world.audit.requests(second_account.user, mark)
    assert leader.metric('leader_election_master_status{name="quantized-model-operator"}') == 1
    assert standby.metric('leader_election_master_status{name="quantized-model-operator"}') == 0
    assert standby.get("/readyz")


def test_a_leader_that_leaves_is_followed_at_once(world: World, second_account: Account) -> None:
    """After SIGTERM the standby leads within seconds, and only what changed is written."""
    world.claim("weights")
    leader, standby = pair(world, second_account)
    world.model("otter", claim_spec("weights"))
    world.until_ready("otter")
    mark = world.mark()

    started = time.monotonic()
    code, _ = leader.stop()
    standby.wait_said(r"working on 1 models", 20)
    seconds = time.monotonic() - started

    assert code == 0
    assert seconds < 8.0
    world.model("heron", claim_spec("weights"))
    world.until_ready("heron")
    world.audit.quiet(second_account.user, 1.0)
    assert told(world.audit.writes(second_account.user, mark), 2) == ONE_MODEL
    assert world.writes(mark) == {}


def test_a_leader_that_dies_is_followed_by_the_lease(world: World, second_account: Account) -> None:
    """After SIGKILL the standby leads when the Lease has run out, and repeats nothing."""
    world.claim("weights")
    leader, standby = pair(world, second_account)
    world.model("otter", claim_spec("weights"))
    world.until_ready("otter")
    mark = world.mark()

    started = time.monotonic()
    leader.stop(kill=True)
    standby.wait_said(r"working on 1 models", 40)
    seconds = time.monotonic() - started

    assert 10.0 < seconds < 25.0
    world.audit.quiet(second_account.user, 1.0)
    assert world.audit.writes(second_account.user, mark) == {}


def test_a_leader_that_was_frozen_ends(world: World, second_account: Account) -> None:
    """A leader that wakes up after another took over writes nothing more and ends."""
    world.claim("weights")
    leader, standby = pair(world, second_account)
    leader.pause()
    standby.wait_said(r"working on 0 models", 40)
    mark = world.audit.mark()
    world.model("otter", claim_spec("weights"))
    world.until_ready("otter")

    leader.resume()
    code = leader.wait_ended(20)

    assert code != 0
    assert world.audit.writes(world.account.user, mark) == {}
    assert told(world.audit.writes(second_account.user, mark), 2) == ONE_MODEL
