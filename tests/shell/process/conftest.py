"""Fixtures: a fake cluster that is served."""

from collections.abc import AsyncIterator

import pytest

from shell.process.fake_cluster import FakeCluster


@pytest.fixture
async def cluster() -> AsyncIterator[FakeCluster]:
    """A running fake cluster."""
    fake = FakeCluster()
    await fake.start()
    yield fake
    await fake.close()
