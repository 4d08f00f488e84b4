"""The contract of the gateway against the cluster in memory."""

import pytest

from e2e.benches import Bench, in_memory_bench
from e2e.gateway_contract import ApplyContract
from e2e.status_contract import ObserveContract, StatusContract


@pytest.fixture
def bench() -> Bench:
    """A new cluster in memory."""
    return in_memory_bench()


class TestApply(ApplyContract):
    """Objects."""


class TestStatus(StatusContract):
    """Status and events."""


class TestObserve(ObserveContract):
    """Observation."""
