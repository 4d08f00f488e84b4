"""I/O: a deadline that ends the program's work while it can still leave a report.

A deadline of the Job itself would delete the pod together with its message.
"""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class DeadlineExceededError(Exception):
    """The time is over; raised in the main thread, wherever it waits or computes."""


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Raise ``DeadlineExceededError`` in the body after this time; main thread only."""

    def ring(_signal: int, _frame: FrameType | None) -> None:
        raise DeadlineExceededError

    handler = signal.signal(signal.SIGALRM, ring)
    started = time.monotonic()
    remaining, interval = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        if remaining:  # somebody else's alarm goes on
            left = max(remaining - (time.monotonic() - started), 0.001)
            signal.setitimer(signal.ITIMER_REAL, left, interval)
