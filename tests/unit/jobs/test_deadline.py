"""The deadline inside a program."""

from __future__ import annotations

import signal
import time
from threading import Event

import pytest

from quantized_model_jobs.deadline import DeadlineExceededError, deadline


def test_waiting_ends_at_the_deadline() -> None:
    """A wait that would take long is left when the time is over."""
    started = time.monotonic()
    with pytest.raises(DeadlineExceededError), deadline(0.05):
        Event().wait(30)
    assert time.monotonic() - started < 5


def test_work_within_the_deadline_is_left_alone() -> None:
    """After the block nothing rings, and an alarm set before goes on."""
    before = signal.getsignal(signal.SIGALRM)
    outer, _ = signal.getitimer(signal.ITIMER_REAL)
    with deadline(0.05):
        pass
    Event().wait(0.1)
    assert signal.getsignal(signal.SIGALRM) is before
    after, _ = signal.getitimer(signal.ITIMER_REAL)
    assert bool(after) is bool(outer)
    assert after <= outer
