"""I/O: the queue of model keys on the event loop: one flight per key, back-off per key."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from quantized_model_operator.shell.queue_state import QueueState

Key = TypeVar("Key")


class QueueObserver(Protocol):
    """What metrics want to know of each flight."""

    def taken(self, waited_seconds: float) -> None:
        """A worker took a key."""

    def finished(self, worked_seconds: float) -> None:
        """A worker gave a key back."""


class QueueClosedError(Exception):
    """The queue gives out no more keys."""


class WorkQueue(Generic[Key]):
    """Keys for workers of one event loop; not for use from other threads."""

    def __init__(
        self,
        observer: QueueObserver,
        *,
        clock: Callable[[], float],
        state: QueueState[Key] | None = None,
    ) -> None:
        self._observer = observer
        self._clock = clock
        self._state: QueueState[Key] = QueueState() if state is None else state
        self._getters: deque[asyncio.Future[None]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due = 0.0
        self._closed = False
        self._drained = asyncio.Event()
        self._drained.set()

    def add(self, key: Key) -> None:
        """Work on the key as soon as a worker is free."""
        if self._state.add(key, self._clock()):
            self._wake()

    def add_soon(self, key: Key) -> None:
        """Work on the key now if it was idle; events that follow closely share one later run."""
        self._state.add_soon(key, self._clock())
        self._wake()

    def add_after(self, key: Key, seconds: float) -> None:
        """Work on the key in some seconds, or earlier for another cause."""
        self._state.add_after(key, seconds, self._clock())
        self._wake()

    def back_off(self, key: Key) -> float:
        """Work on the key after its back-off; returns the delay in seconds."""
        delay = self._state.back_off(key, self._clock())
        self._wake()
        return delay

    def forget(self, key: Key) -> None:
        """The key succeeded: its next back-off begins anew."""
        self._state.forget(key)

    def drop(self, key: Key) -> None:
        """The key is gone: nothing about it is kept."""
        self._state.drop(key)

    async def get(self) -> Key:
        """Wait for a key; it stays in flight until ``done``.

        Raises:
            QueueClosedError: after ``close``, whatever is still ready.
        """
        while not self._closed:
            taken = self._state.take(self._clock())
            if taken is not None:
                key, waited = taken
                self._drained.clear()
                self._observer.taken(waited)
                self._wake()
                return key
            await self._wait_for_turn()
        raise QueueClosedError

    def done(self, key: Key) -> None:
        """End the flight of the key."""
        self._observer.finished(self._state.done(key, self._clock()))
        if self._state.in_flight == 0:
            self._drained.set()
        self._wake()

    def close(self) -> None:
        """Give out no more keys; flights go on."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._getters:
            _finish(self._getters.popleft())

    async def drained(self) -> None:
        """Wait until nothing is in flight."""
        await self._drained.wait()

    @property
    def depth(self) -> int:
        """Keys that are ready."""
        return self._state.depth

    @property
    def adds(self) -> int:
        """How often a key became ready."""
        return self._state.adds

    @property
    def retries(self) -> int:
        """How often a key was put into back-off."""
        return self._state.retries

    @property
    def waiting(self) -> int:
        """Keys that become ready later."""
        return self._state.waiting

    def flights_seconds(self) -> list[float]:
        """How long each key in flight has been so."""
        return self._state.flights_seconds(self._clock())

    async def _wait_for_turn(self) -> None:
        getter = asyncio.get_running_loop().create_future()
        self._getters.append(getter)
        self._set_timer()
        try:
            await getter
        except asyncio.CancelledError:
            # A turn that came together with the cancellation belongs to the next worker.
            if getter.done() and not getter.cancelled():
                self._wake()
            elif getter in self._getters:
                self._getters.remove(getter)
            raise

    def _wake(self) -> None:
        """Let one waiting worker look; it wakes the next one itself when it got a key."""
        if self._closed:
            return
        if self._state.is_ready(self._clock()):
            while self._getters:
                if _finish(self._getters.popleft()):
                    return
        self._set_timer()

    def _set_timer(self) -> None:
        """Look again when the next key is due; needless while every worker is busy."""
        due = self._state.next_due() if self._getters else None
        if due is None or (self._timer is not None and self._timer_due <= due):
            return
        if self._timer is not None:
            self._timer.cancel()
        delay = max(0.0, due - self._clock())
        self._timer = asyncio.get_running_loop().call_later(delay, self._on_timer)
        self._timer_due = due

    def _on_timer(self) -> None:
        self._timer = None
        self._wake()


def _finish(getter: "asyncio.Future[None]") -> bool:
    if getter.done():
        return False
    getter.set_result(None)
    return True
