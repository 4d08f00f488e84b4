"""I/O: workers that take keys, reconcile them under a deadline and turn outcomes into retries.

The only place where any exception is caught: it means back-off, a metric and one traceback.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from quantized_model_operator.domain.cluster_state import ModelKey
from quantized_model_operator.domain.outcome import InvalidModelError, NotYetError, Outcome
from quantized_model_operator.shell.work_queue import QueueClosedError, WorkQueue

logger = logging.getLogger(__name__)

DEADLINE_SECONDS = 60.0
"""A reconcile reads caches and makes a handful of requests of at most 30 s each."""

_MESSAGES_KEPT_PER_KEY = 8

Reconcile = Callable[[ModelKey, datetime], Awaitable[Outcome]]
"""``reconcile`` with everything but key and time already given."""


class ReconcileObserver(Protocol):
    """What metrics want to know of each reconcile."""

    def reconciled(self, result: str, seconds: float) -> None:
        """A reconcile ended."""

    def reconcile_failed(self, *, timed_out: bool) -> None:
        """A reconcile raised, or passed its deadline."""

    def reconcile_refused(self) -> None:
        """A reconcile ended in an error that only a change of the model can mend."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings:
    """Numbers that decide how keys are worked on."""

    workers: int = 16
    deadline_seconds: float = DEADLINE_SECONDS
    resync_seconds: float = 600.0


class Workers:
    """Some tasks that share one queue."""

    def __init__(
        self,
        queue: WorkQueue[ModelKey],
        reconcile: Reconcile,
        observer: ReconcileObserver,
        settings: WorkerSettings,
        *,
        exists: Callable[[ModelKey], bool],
        clock: Callable[[], float],
        chance: Callable[[], float] = random.random,
    ) -> None:
        """``exists``: whether a model is still there; one that is not has its last reconcile."""
        self._queue = queue
        self._exists = exists
        self._reconcile = reconcile
        self._observer = observer
        self._settings = settings
        self._clock = clock
        self._chance = chance
        self._tasks: list[asyncio.Task[None]] = []
        self._reported: dict[ModelKey, list[str]] = {}

    def start(self) -> None:
        """Start the tasks; they end when the queue is closed."""
        self._tasks = [
            asyncio.create_task(self._work(), name=f"worker {number}")
            for number in range(self._settings.workers)
        ]

    async def drain(self, seconds: float) -> bool:
        """Close the queue and wait for running reconciles; false when some had to be cancelled."""
        self._queue.close()
        if not self._tasks:
            return True
        _, running = await asyncio.wait(self._tasks, timeout=seconds)
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running, timeout=1.0)
        return not running

    async def _work(self) -> None:
        while True:
            try:
                key = await self._queue.get()
            except QueueClosedError:
                return
            started = self._clock()
            try:
                result = await self._one(key)
            finally:
                self._queue.done(key)
            self._observer.reconciled(result, self._clock() - started)
            # A reconcile that writes nothing never waits: a thousand in a row would hold up
            # health and the Lease for seconds.
            await asyncio.sleep(0)  # noqa: TID251 - lets others run, no delay

    async def _one(self, key: ModelKey) -> str:
        """Reconcile once and say when to look again; the result is one of metrics.RESULTS."""
        deadline = asyncio.timeout(self._settings.deadline_seconds)
        try:
            async with deadline:
                outcome = await self._reconcile(key, datetime.now(UTC))  # noqa: TID251 - the clock
        except NotYetError as wait:
            return self._look_again(key, wait.retry_after_seconds)
        except InvalidModelError as invalid:
            self._observer.reconcile_refused()
            self._report(key, invalid)
            return self._look_again(key, None)
        except Exception as error:  # noqa: BLE001 - whatever it is, the next model must not suffer
            self._fail(key, error, timed_out=deadline.expired())
            return "error"
        self._reported.pop(key, None)
        return self._look_again(key, outcome.retry_after_seconds)

    def _look_again(self, key: ModelKey, seconds: float | None) -> str:
        """Resyncs are spread: half to the whole of the interval, drawn anew each time."""
        if not self._exists(key):
            self._reported.pop(key, None)
            self._queue.drop(key)
            return "success"
        self._queue.forget(key)
        resync = self._settings.resync_seconds * (0.5 + 0.5 * self._chance())
        self._queue.add_after(key, resync if seconds is None else min(seconds, resync))
        return "success" if seconds is None else "requeue_after"

    def _fail(self, key: ModelKey, error: Exception, *, timed_out: bool) -> None:
        if timed_out:
            error = TimeoutError(f"passed its deadline of {self._settings.deadline_seconds:g} s")
        self._observer.reconcile_failed(timed_out=timed_out)
        delay = self._queue.back_off(key)
        self._report(key, error, delay)

    def _report(self, key: ModelKey, error: Exception, delay: float | None = None) -> None:
        """Log the traceback once per message of a model; the same error again is no news."""
        message = f"{type(error).__name__}: {error}"
        known = self._reported.setdefault(key, [])
        again = "" if delay is None else f"; next attempt in {delay:.3g} s"
        if message in known:
            logger.debug("%s/%s: %s%s", *key, message, again)
            return
        del known[: -(_MESSAGES_KEPT_PER_KEY - 1)]
        known.append(message)
        logger.error("%s/%s: reconcile failed: %s%s", *key, message, again, exc_info=error)
