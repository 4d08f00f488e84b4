"""The contract of the gateway for the live one, against the fake API server."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from e2e.benches import Bench, live_bench
from e2e.gateway_contract import ApplyContract
from e2e.status_contract import ObserveContract, StatusContract
from shell.cluster.fake_api_server import FakeApiServer

pytestmark = pytest.mark.shell


@pytest.fixture
async def bench(server: FakeApiServer, tmp_path: Path) -> AsyncIterator[Bench]:
    """A gateway to the fake API server, by a kubeconfig."""
    kubeconfig = {
        "current-context": "fake",
        "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "fake"}}],
        "clusters": [{"name": "fake", "cluster": {"server": server.url}}],
        "users": [{"name": "fake", "user": {}}],
    }
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(kubeconfig))
    async with live_bench(str(path), "zoo") as live:
        yield live


class TestApply(ApplyContract):
    """Objects."""


class TestStatus(StatusContract):
    """Status and events."""


class TestObserve(ObserveContract):
    """Observation."""
