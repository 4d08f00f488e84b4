"""Pure: which keys wait, are ready or in flight; every method is told the time.

    add_after --> waiting --(due)--> ready --take--> in flight --done--> gone
    add ----------------------------> ready            |  add, add_soon: once more after the end
                                        ^              |
                                        +--------------+

A key is in flight at most once. Taking a key drops what it waited for: the run that begins sees
everything that happened before, and its own outcome says when to look again.
"""

from collections import OrderedDict
from heapq import heapify, heappop, heappush
from itertools import count
from typing import Generic, TypeVar

Key = TypeVar("Key")

_SMALLEST_HEAP_TO_COMPACT = 64


class QueueState(Generic[Key]):
    """The state of a work queue without a clock, a loop or a lock."""

    def __init__(
        self,
        *,
        first_delay_seconds: float = 0.005,
        longest_delay_seconds: float = 300.0,
        quiet_seconds: float = 0.1,
    ) -> None:
        self._first_delay = first_delay_seconds
        self._longest_delay = longest_delay_seconds
        self._quiet = quiet_seconds
        self._ready: OrderedDict[Key, float] = OrderedDict()
        self._dirty: dict[Key, float] = {}
        self._in_flight: dict[Key, float] = {}
        self._due: dict[Key, float] = {}
        self._heap: list[tuple[float, int, Key]] = []
        self._order = count()
        self._failures: dict[Key, int] = {}
        self._ended: OrderedDict[Key, float] = OrderedDict()
        self._soon: set[Key] = set()
        self.adds = 0
        """How often a key became ready, or dirty."""
        self.retries = 0
        """How often a key was put into back-off."""

    def add(self, key: Key, now: float) -> bool:
        """Make the key ready, or ready again once its flight ends; false when it already was."""
        if key in self._in_flight:
            if key in self._dirty:
                return False
            self._dirty[key] = now
        elif key in self._ready:
            return False
        else:
            self._ready[key] = now
        self.adds += 1
        return True

    def add_soon(self, key: Key, now: float) -> None:
        """Make the key ready now if it was idle, else a quiet time after its flight.

        So all that our own writes set in motion within that time is looked at once.
        """
        if key in self._in_flight:
            self._soon.add(key)
            return
        self._forget_old_ends(now)
        ended = self._ended.get(key)
        if ended is None:
            self.add(key, now)
        elif key not in self._ready:
            self.add_after(key, ended + self._quiet - now, now)

    def add_after(self, key: Key, seconds: float, now: float) -> None:
        """Make the key ready in some seconds; the earliest of several such wishes holds."""
        due = now + max(0.0, seconds)
        if self._due.get(key, due) < due:
            return
        self._due[key] = due
        heappush(self._heap, (due, next(self._order), key))
        if len(self._heap) > max(_SMALLEST_HEAP_TO_COMPACT, 4 * len(self._due)):
            self._compact()

    def back_off(self, key: Key, now: float) -> float:
        """Make the key ready after its back-off, which doubles each time; returns the delay."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        self.retries += 1
        # 2**64 is beyond every bound, and a larger power would overflow a float in the end.
        delay = min(self._longest_delay, self._first_delay * 2.0 ** min(failures, 64))
        self.add_after(key, delay, now)
        return delay

    def failures(self, key: Key) -> int:
        """How often the key failed since it last succeeded."""
        return self._failures.get(key, 0)

    def forget(self, key: Key) -> None:
        """Start the back-off of the key anew."""
        self._failures.pop(key, None)

    def drop(self, key: Key) -> None:
        """Forget everything about a key that is gone, except a flight that still runs."""
        self.forget(key)
        self._due.pop(key, None)
        self._ready.pop(key, None)
        self._dirty.pop(key, None)
        self._ended.pop(key, None)
        self._soon.discard(key)

    def take(self, now: float) -> tuple[Key, float] | None:
        """The key that has been ready for longest and its wait in seconds, now in flight."""
        self._move_due(now)
        if not self._ready:
            return None
        key, since = self._ready.popitem(last=False)
        self._due.pop(key, None)
        self._in_flight[key] = now
        return key, max(0.0, now - since)

    def done(self, key: Key, now: float) -> float:
        """End the flight of the key; returns its seconds. A dirty key is ready again."""
        started = self._in_flight.pop(key)
        since = self._dirty.pop(key, None)
        if since is not None:
            self._ready[key] = since
        if key in self._soon:
            self._soon.discard(key)
            self.add_after(key, self._quiet, now)
        self._ended[key] = now
        self._ended.move_to_end(key)
        return max(0.0, now - started)

    def next_due(self) -> float | None:
        """When the next waiting key becomes ready; ``None`` when none waits."""
        while self._heap and self._is_stale(self._heap[0]):
            heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def is_ready(self, now: float) -> bool:
        """Whether ``take`` would return a key."""
        self._move_due(now)
        return bool(self._ready)

    @property
    def depth(self) -> int:
        """Keys that are ready or will be as soon as their flight ends."""
        return len(self._ready) + len(self._dirty)

    @property
    def waiting(self) -> int:
        """Keys that become ready later, at a time that is known."""
        return len(self._due)

    @property
    def in_flight(self) -> int:
        """Keys that are being worked on."""
        return len(self._in_flight)

    def flights_seconds(self, now: float) -> list[float]:
        """How long each key in flight has been so."""
        return [max(0.0, now - started) for started in self._in_flight.values()]

    def _move_due(self, now: float) -> None:
        while self._heap and (self._heap[0][0] <= now or self._is_stale(self._heap[0])):
            entry = heappop(self._heap)
            if self._is_stale(entry):
                continue
            due, _, key = entry
            del self._due[key]
            self.add(key, due)

    def _is_stale(self, entry: tuple[float, int, Key]) -> bool:
        due, _, key = entry
        return self._due.get(key) != due

    def _compact(self) -> None:
        self._heap = [(due, next(self._order), key) for key, due in self._due.items()]
        heapify(self._heap)

    def _forget_old_ends(self, now: float) -> None:
        while self._ended:
            key, ended = next(iter(self._ended.items()))
            if ended + self._quiet > now:
                return
            del self._ended[key]
