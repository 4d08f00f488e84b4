"""Waiting for a condition, with a deadline and a sentence for when it passes."""

import time
from collections.abc import Callable
from typing import TypeVar

from qmo_cluster.errors import fail

T = TypeVar("T")


def wait_until(
    what: str,
    condition: Callable[[], T | None],
    *,
    timeout_seconds: float = 30,
    interval_seconds: float = 0.1,
) -> T:
    """Poll `condition` until it returns something true, and return that.

    Raises:
        ClusterError: `what` did not happen in time.
    """
    deadline = time.monotonic() + timeout_seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            fail(f"Waited {timeout_seconds:g} s in vain: {what}.")
        time.sleep(interval_seconds)  # noqa: TID251 - a test tool may wait
