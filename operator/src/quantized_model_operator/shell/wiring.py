"""I/O: the run of the process, from its parts; importing it changes nothing.

    health server -> API client -> Lease --elected--> leader --SIGTERM or Lease lost--> drain -> end

A standby holds no watches and has not even imported kopf.
"""

import asyncio
import logging
import os
import secrets
import socket
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from quantized_model_operator.cluster.api_client import ApiClient
from quantized_model_operator.cluster.connection import (
    Connection,
    request_session,
    watch_session,
)
from quantized_model_operator.cluster.lease import LeaseElector
from quantized_model_operator.cluster.transport import Transport, always
from quantized_model_operator.metrics import OperatorMetrics, Readings
from quantized_model_operator.settings import Settings
from quantized_model_operator.shell.health import HEARTBEAT_SECONDS, Health, Role, Signs
from quantized_model_operator.shell.health_server import HealthServer
from quantized_model_operator.shell.heartbeat import beat
from quantized_model_operator.shell.signals import stop_on_signals
from quantized_model_operator.shell.tasks import cancel, first_of, run_until
from quantized_model_operator.shell.workers import DEADLINE_SECONDS

if TYPE_CHECKING:
    from quantized_model_operator.shell.leader import Leader

logger = logging.getLogger(__name__)

DRAIN_SECONDS = 6.0
"""Of running reconciles after SIGTERM; with what follows, the process ends within 10 s."""
LOST_DRAIN_SECONDS = 3.0
"""After the Lease is lost: 10 s after the last renewal, 5 s before another may lead."""
RELEASE_SECONDS = 2.0
LEASE_SILENCE_SECONDS = 15.0
"""A standby asks for the Lease each 2 s, with 5 s for each answer."""

STOPPED = 0
FAILED = 1


async def run(settings: Settings, connection: Connection, stop: asyncio.Event) -> int:
    """Run until ``stop``, which signals set, or until the Lease is lost; the exit code."""
    settings = replace(settings, identity=settings.identity or _own_identity())
    process = Process(settings, connection, stop)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(process.server.close)
        port = await process.server.start(settings.http_host, settings.http_port)
        logger.info("%s serves health and metrics on port %d", settings.identity, port)
        requests = await stack.enter_async_context(request_session(connection))
        watches = await stack.enter_async_context(watch_session(connection))

        def client(may_write: Callable[[], bool]) -> ApiClient:
            transport = Transport(
                server=connection.server,
                session=requests,
                watch_session=watches,
                writes_per_second=settings.api_requests_per_second,
                on_request=process.on_request,
                may_write=may_write,
            )
            stack.callback(transport.close)
            return ApiClient(transport)

        return await process.run(client(process.may_write), client(always))


class Process:
    """One process from its start to its exit code."""

    def __init__(self, settings: Settings, connection: Connection, stop: asyncio.Event) -> None:
        self._settings = settings
        self._connection = connection
        self._host = urlsplit(connection.server).netloc
        self._stop = stop
        self._reinstall_signals = stop_on_signals(self._stop)
        self._lost = False
        self._elector: LeaseElector | None = None
        self._leader: Leader | None = None
        self._metrics = OperatorMetrics(
            version=version("quantized-model-operator"),
            workers=settings.workers,
            lease_name=settings.lease_name,
        )
        self._health = Health(
            self._signs, clock=time.monotonic, reconcile_deadline_seconds=DEADLINE_SECONDS
        )
        self.server = HealthServer(self._health, self._exposition)

    def on_request(self, method: str, code: int, seconds: float) -> None:
        """Count a request to the API server."""
        self._metrics.requested(self._host, method, code, seconds)

    def may_write(self) -> bool:
        """Whether the Lease was renewed lately: not after this process was frozen for long."""
        return self._elector is None or self._elector.is_leader

    async def run(self, client: ApiClient, lease_client: ApiClient) -> int:
        """Stand by, lead, stop; the exit code. ``lease_client`` writes the Lease only."""
        end_of_lease = asyncio.Event()
        if self._settings.leader_election:
            self._elector = self._build_elector(lease_client)
            self._health.role = Role.STANDBY
        lease = asyncio.create_task(self._keep_lease(end_of_lease), name="lease")
        main = asyncio.create_task(self._lead(client), name="leader")
        heart = asyncio.create_task(
            beat(self._health.beat, self._metrics.lagged, clock=time.monotonic), name="heartbeat"
        )
        try:
            await run_until(self._stop, [heart, main, lease])
        except Exception:
            logger.exception("a part of the process failed")
            return FAILED
        else:
            return FAILED if self._lost else STOPPED
        finally:
            self._health.role = Role.STOPPING
            self._stop.set()
            await self._ended(main)
            # Only now may another process lead.
            end_of_lease.set()
            await asyncio.wait([lease], timeout=RELEASE_SECONDS)
            await cancel([heart, lease])

    async def _ended(self, main: asyncio.Task[None]) -> None:
        failed = main.done()
        try:
            await main
        except Exception:
            if not failed:
                logger.exception("the leader failed while it stopped")

    def _build_elector(self, client: ApiClient) -> LeaseElector:
        return LeaseElector(
            client=client,
            namespace=self._settings.pod_namespace,
            name=self._settings.lease_name,
            identity=self._settings.identity,
            wall_clock=lambda: datetime.now(UTC),  # noqa: TID251 - the clock of the process
            heartbeat_is_fresh=lambda: self._health.silence_seconds() < HEARTBEAT_SECONDS,
        )

    async def _keep_lease(self, end: asyncio.Event) -> None:
        """Hold the Lease until ``end``; its loss stops the process."""
        if self._elector is not None:
            await self._elector.run(end)
            if not end.is_set():
                self._lost = True
                self._metrics.leading(leads=False)
                self._stop.set()
        await end.wait()

    async def _lead(self, client: ApiClient) -> None:
        """Wait until elected, lead until the process stops, and drain."""
        if self._elector is not None:
            await first_of(self._stop, self._elector.elected)
            if self._stop.is_set():
                return
        self._metrics.leading(leads=True)
        # Not before: a standby does without kopf and the pipeline, 0.5 s and 20 MB.
        from quantized_model_operator.shell.leader import (  # noqa: PLC0415 - see above
            Leader,
            Surroundings,
        )

        self._leader = Leader(
            Surroundings(
                connection=self._connection,
                client=client,
                settings=self._settings,
                metrics=self._metrics,
                reinstall_signals=self._reinstall_signals,
            )
        )
        self._health.role = Role.LEADING
        drained = await self._leader.run(
            self._stop, lambda: LOST_DRAIN_SECONDS if self._lost else DRAIN_SECONDS
        )
        if not drained:
            logger.warning("a reconcile was cancelled, another process will do it again")

    def _signs(self) -> Signs:
        leader = self._leader
        return Signs(
            watch_age_seconds=leader.watch_age_seconds() if leader else {},
            oldest_reconcile_seconds=max(leader.queue.flights_seconds(), default=0.0)
            if leader
            else 0.0,
            unsynced=leader.unsynced() if leader else (),
            api_problem=self._lease_problem(),
        )

    def _lease_problem(self) -> str:
        silence = self._elector.silent_seconds() if self._elector else 0.0
        if silence < LEASE_SILENCE_SECONDS:
            return ""
        return f"nothing was heard of the Lease {self._settings.lease_name}"

    def _exposition(self) -> Callable[[], bytes]:
        readings = self._readings()
        return lambda: self._metrics.exposition(readings)

    def _readings(self) -> Readings:
        leader = self._leader
        if leader is None:
            return Readings()
        return Readings(
            queue_depth=leader.queue.depth,
            queue_adds=leader.queue.adds,
            queue_retries=leader.queue.retries,
            flights_seconds=tuple(leader.queue.flights_seconds()),
            watch_age_seconds=leader.watch_age_seconds(),
            cached_objects=leader.cached_objects(),
        )


def _own_identity() -> str:
    """Outside of a pod: unique for each process."""
    return f"{socket.gethostname()}_{os.getpid()}_{secrets.token_hex(4)}"
