"""I/O: everything that only the leader runs: caches, the stream of models, workers, upkeep.

caches listed --+
                +--> workers --> reconcile
models heard ---+
"""

import asyncio
import gc
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from quantized_model_operator.cluster.api_client import ApiClient
from quantized_model_operator.cluster.api_errors import ApiError, NotFoundError
from quantized_model_operator.cluster.connection import Connection, kopf_session
from quantized_model_operator.cluster.janitor import Janitor
from quantized_model_operator.cluster.live import LiveGateway
from quantized_model_operator.cluster.model_store import ModelStore
from quantized_model_operator.cluster.pacing import pause
from quantized_model_operator.domain.cluster_state import ModelKey
from quantized_model_operator.domain.decision import record_name
from quantized_model_operator.domain.outcome import Outcome
from quantized_model_operator.metrics import OperatorMetrics
from quantized_model_operator.reconcile import reconcile
from quantized_model_operator.settings import Settings
from quantized_model_operator.shell import handlers
from quantized_model_operator.shell.heard_session import HeardSession
from quantized_model_operator.shell.kopf_settings import kopf
from quantized_model_operator.shell.model_stream import ModelStream
from quantized_model_operator.shell.tasks import cancel, run_until
from quantized_model_operator.shell.work_queue import WorkQueue
from quantized_model_operator.shell.workers import Workers, WorkerSettings

logger = logging.getLogger(__name__)

MODELS = "QuantizedModel"
"""Name of the models' watch and cache, beside the kinds of the others."""

RETRY_SECONDS = 2.0
SYNC_SECONDS = 5.0
"""For the stream to tell of every model that was listed before it began."""
SWEEP_SECONDS = 60.0
STREAM_END_SECONDS = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a leader gets from the process."""

    connection: Connection
    client: ApiClient
    settings: Settings
    metrics: OperatorMetrics
    reinstall_signals: Callable[[], None]


class Leader:
    """Runs once; ``run`` returns when it was told to stop."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._around = surroundings
        settings = surroundings.settings
        self.queue: WorkQueue[ModelKey] = WorkQueue(surroundings.metrics, clock=time.monotonic)
        self._models = ModelStore(record_names)
        self._gateway = LiveGateway(
            client=surroundings.client,
            models=self._models,
            on_change=self.queue.add_soon,
            clock=_now,
            identity=settings.identity,
            namespaces=settings.namespaces,
        )
        self._workers = Workers(
            self.queue,
            self._reconcile,
            surroundings.metrics,
            WorkerSettings(workers=settings.workers, resync_seconds=settings.resync_seconds),
            exists=lambda key: bool(self._models.uid(key)),
            clock=time.monotonic,
        )
        self._events = handlers.ModelEvents(
            self._models, on_change=self.queue.add, on_heard=self._heard
        )
        self._heard_at = time.monotonic()
        self._listed_again = asyncio.Event()

    async def run(self, stop: asyncio.Event, drain_seconds: Callable[[], float]) -> bool:
        """Lead until ``stop``, then drain; false when a reconcile had to be cancelled.

        Raises what ended a part of it that must not end.
        """
        end_of_stream = asyncio.Event()
        stream = asyncio.create_task(self._stream().run(end_of_stream), name="stream of models")
        parts = [
            stream,
            asyncio.create_task(self._gateway.run(stop), name="caches"),
            asyncio.create_task(self._start_working(stop), name="start"),
            asyncio.create_task(self._resync(stop), name="resync"),
            asyncio.create_task(self._sweep(stop), name="sweep"),
        ]
        try:
            await run_until(stop, parts)
        finally:
            end_of_stream.set()
            drained = await self._workers.drain(drain_seconds())
            await asyncio.wait([stream], timeout=STREAM_END_SECONDS)
            await cancel(parts)
        return drained

    def watch_age_seconds(self) -> Mapping[str, float]:
        """Since each watch was last heard."""
        silent: dict[str, float] = self._gateway.caches.silent_seconds()
        return silent | {MODELS: time.monotonic() - self._heard_at}

    def cached_objects(self) -> Mapping[str, int]:
        """By kind."""
        sizes: dict[str, int] = self._gateway.caches.sizes()
        return sizes | {MODELS: len(self._models)}

    def unsynced(self) -> list[str]:
        """What is not complete yet."""
        names = [] if self._gateway.caches.synced else ["children and nodes"]
        return names if self._models.synced.is_set() else [*names, MODELS]

    def _stream(self) -> ModelStream:
        return ModelStream(
            lambda: handlers.registry(self._events, self._log_in),
            identity=self._around.settings.identity,
            namespaces=self._around.settings.namespaces,
            on_started=self._around.reinstall_signals,
            on_failed=self._around.metrics.stream_restarted,
            clock=time.monotonic,
        )

    def _log_in(self) -> kopf.AiohttpSession:
        session: Any = HeardSession(
            kopf_session(self._around.connection), on_heard=self._heard, on_listed=self._listed
        )
        return kopf.AiohttpSession(server=self._around.connection.server, aiohttp_session=session)

    async def _start_working(self, stop: asyncio.Event) -> None:
        await self._expect_models(stop)
        while not await pause(SYNC_SECONDS, self._models.synced) and not stop.is_set():
            # A model may have gone between the two lists: nobody will ever tell of it.
            await self._compare_models()
        await self._gateway.caches.wait_synced()
        # What the caches hold now stays for long: the collector need not look at it again.
        gc.collect()
        gc.freeze()
        self._workers.start()
        logger.info("working on %d models", len(self._models))
        await stop.wait()

    async def _expect_models(self, stop: asyncio.Event) -> None:
        client, namespaces = self._around.client, self._around.settings.namespaces
        while not stop.is_set():
            try:
                await self._models.expect(client, namespaces)
            except NotFoundError:
                logger.warning("the CRD of QuantizedModel is not installed; waiting for it")
            except ApiError as error:
                logger.warning("cannot list models: %s", error)
            else:
                return
            await pause(RETRY_SECONDS, stop)

    async def _resync(self, stop: asyncio.Event) -> None:
        """Find what the stream did not tell: now and then, and soon after it began anew."""
        while not stop.is_set():
            if await pause(self._around.settings.resync_seconds, self._listed_again):
                self._listed_again.clear()
                await pause(RETRY_SECONDS, stop)
            if self._models.synced.is_set() and not stop.is_set():
                await self._compare_models()

    async def _compare_models(self) -> None:
        client, namespaces = self._around.client, self._around.settings.namespaces
        try:
            result = await self._models.resync(client, namespaces)
        except ApiError as error:
            logger.warning("cannot list models: %s", error)
            return
        for key in result.dropped:
            self._events.forget(key)
        for key in result.added:
            self.queue.add(key)

    async def _sweep(self, stop: asyncio.Event) -> None:
        janitor = Janitor(
            client=self._around.client,
            models=self._models,
            records=self._gateway.caches.records,
            grace_seconds=self._around.settings.record_grace_seconds,
        )
        while not await pause(SWEEP_SECONDS, stop):
            try:
                await janitor.sweep()
            except ApiError as error:
                logger.warning("cannot delete an unreferenced record: %s", error)

    async def _reconcile(self, key: ModelKey, now: datetime) -> Outcome:
        try:
            return await reconcile(key, self._gateway, self._around.settings, now)
        finally:
            self._record(key)

    def _record(self, key: ModelKey) -> None:
        metrics, body = self._around.metrics, self._models.get(key)
        if body is None:
            metrics.forget_model(key)
        else:
            replicas = (body.get("spec") or {}).get("replicas")
            metrics.record_model(
                key, body.get("status") or {}, 1 if replicas is None else int(replicas)
            )

    def _heard(self) -> None:
        self._heard_at = time.monotonic()

    def _listed(self) -> None:
        if self._models.synced.is_set():
            self._listed_again.set()


def record_names(body: Mapping[str, Any]) -> frozenset[str]:
    """Names of the inspection records that a model may rely on: pinned commit, and resolved one."""
    source = (body.get("spec") or {}).get("model") or {}
    known = ((body.get("status") or {}).get("model") or {}).get("resolvedRevision")
    commits = {str(commit) for commit in (source.get("revision"), known) if commit}
    return frozenset(record_name(str(source.get("uri", "")), commit) for commit in commits)


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - the clock of the process
