"""The whole operator inside the test's own loop, against a fake API server."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import aiohttp
import pytest

from quantized_model_operator.cluster.connection import Connection
from quantized_model_operator.cluster.credentials import FixedToken
from quantized_model_operator.settings import Settings
from quantized_model_operator.shell.wiring import run
from shell.process.fake_cluster import FakeCluster

SETTINGS = Settings(
    operator_image="mirror.example/operator:7",
    http_host="127.0.0.1",
    http_port=0,
    identity="operator-1",
    pod_namespace="system",
    workers=4,
)


class Running:
    """A running operator."""

    def __init__(
        self, cluster: FakeCluster, settings: Settings, caplog: pytest.LogCaptureFixture
    ) -> None:
        self.stop = asyncio.Event()
        self._caplog = caplog
        self._session = aiohttp.ClientSession()
        connection = Connection(server=cluster.url, authorization=FixedToken("secret"))
        self.task = asyncio.create_task(run(settings, connection, self.stop))

    def said(self, text: str) -> bool:
        """Whether a line of the log contains the text."""
        return any(text in record.getMessage() for record in self._caplog.records)

    async def get(self, path: str) -> tuple[int, str]:
        """Status and text of an answer of the process."""
        lines = [record.getMessage() for record in self._caplog.records]
        ports = [re.search(r"metrics on port (\d+)", line) for line in lines]
        port = [found[1] for found in ports if found][-1]
        async with self._session.get(f"http://127.0.0.1:{port}{path}") as answer:
            return answer.status, await answer.text()

    async def metric(self, series: str) -> float | None:
        """The value of one series; ``None`` when there is none."""
        _, text = await self.get("/metrics")
        values = dict(line.rpartition(" ")[::2] for line in text.splitlines())
        return float(values[series]) if series in values else None

    async def end(self) -> int:
        """Stop as a signal does; the exit code."""
        self.stop.set()
        async with asyncio.timeout(10.0):
            return await self.task

    async def close(self) -> None:
        """End everything, however it stands."""
        await self._session.close()
        self.stop.set()
        await asyncio.wait([self.task], timeout=10.0)
        assert self.task.done()


@asynccontextmanager
async def running(
    cluster: FakeCluster, caplog: pytest.LogCaptureFixture, **changes: object
) -> AsyncIterator[Running]:
    """Run the operator with some settings changed."""
    settings = replace(SETTINGS, **changes)  # type: ignore[arg-type]
    with caplog.at_level("INFO", logger="quantized_model_operator"):
        operator = Running(cluster, settings, caplog)
        try:
            yield operator
        finally:
            await operator.close()
