"""I/O (time only): waiting that can be ended, back-off with jitter, and a token bucket."""

import asyncio
import random
import time
from collections.abc import Callable


async def pause(seconds: float, stop: asyncio.Event) -> bool:
    """Wait for ``stop`` at most ``seconds``; true when it was set."""
    try:
        await asyncio.wait_for(stop.wait(), timeout=max(seconds, 0.0))
    except TimeoutError:
        return False
    return True


def backoff_seconds(
    attempt: int, *, base: float, cap: float, chance: Callable[[], float] = random.random
) -> float:
    """Delay before attempt ``attempt + 1`` (from 0): doubled each time, cut, with full jitter.

    At least half of the doubled value, so that a run of low draws does not hammer the server.
    """
    ceiling = min(base * 2.0 ** min(attempt, 32), cap)
    return ceiling * (0.5 + 0.5 * chance())


class TokenBucket:
    """Lets ``burst`` requests through at once and ``per_second`` on average."""

    def __init__(
        self, per_second: float, burst: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_second = per_second
        self._burst = float(burst)
        self._clock = clock
        self._tokens = float(burst)
        self._filled_at = clock()

    def reserve(self) -> float:
        """Take a token now; the seconds to wait before it may be used."""
        now = self._clock()
        grown = (now - self._filled_at) * self._per_second
        self._tokens = min(self._burst, self._tokens + grown) - 1.0
        self._filled_at = now
        return max(0.0, -self._tokens / self._per_second)
