"""I/O: trying a request of the hub again after a pause."""

from collections.abc import Callable, Iterable
from threading import Event
from typing import TypeVar

from quantized_model_jobs.hub_errors import HubUnreachableError

T = TypeVar("T")


def patiently(attempt: Callable[[], T], pauses_seconds: Iterable[float]) -> T:
    """The result of the first attempt that reaches the hub; one more attempt than pauses."""
    for pause in pauses_seconds:
        try:
            return attempt()
        except HubUnreachableError:
            Event().wait(pause)
    return attempt()
