"""The lock on a shared volume: one holder, taken over when it falls silent."""

from __future__ import annotations

import threading
import time
from threading import Event
from typing import TYPE_CHECKING

import pytest

from quantized_model_jobs.volume_lock import Rhythm, VolumeLock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

QUICK = Rhythm(heartbeat_seconds=0.05, stale_seconds=0.5)
PATIENT = Rhythm(heartbeat_seconds=0.05, stale_seconds=600)


def not_done() -> bool:
    """The work is not done by anybody else."""
    return False


def ignore(_holder: str) -> None:
    """Waiting needs no notice."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the lock is."""
    return tmp_path / "lock"


@pytest.fixture
def held(path: Path) -> Iterator[VolumeLock]:
    """A lock that is held by somebody who lives."""
    lock = VolumeLock(path, "first", QUICK)
    assert lock.acquire(not_done, ignore)
    yield lock
    lock.release()


def abandon(path: Path, holder: str = "gone") -> None:
    """Leave the lock of a program that died."""
    path.write_text(f'{{"holder": "{holder}", "instance": "x", "beat": 7}}')


def test_a_free_lock_is_taken_and_given_back(path: Path) -> None:
    """After the release nothing is left of it."""
    lock = VolumeLock(path, "one", QUICK)
    assert lock.acquire(not_done, ignore)
    assert path.exists()
    lock.release()
    assert not path.exists()
    lock.release()


def test_a_living_holder_is_waited_for(path: Path, held: VolumeLock) -> None:
    """While the heart beats nobody takes over, far beyond the stale time."""
    waited: list[str] = []
    until = time.monotonic() + 4 * QUICK.stale_seconds
    other = VolumeLock(path, "second", QUICK)
    assert not other.acquire(lambda: time.monotonic() > until, waited.append)
    assert set(waited) == {"first"}
    assert not held.lost.is_set()


def test_a_waiting_program_gets_the_lock_after_its_release(path: Path, held: VolumeLock) -> None:
    """A release lets the next one in without the stale time."""
    threading.Timer(0.2, held.release).start()
    other = VolumeLock(path, "second", PATIENT)
    assert other.acquire(not_done, ignore)
    other.release()


def test_a_silent_holder_is_replaced(path: Path) -> None:
    """A counter that stands still for the stale time is nobody's."""
    abandon(path)
    lock = VolumeLock(path, "second", QUICK)
    started = time.monotonic()
    assert lock.acquire(not_done, ignore)
    assert time.monotonic() - started >= QUICK.stale_seconds
    lock.release()
    assert not path.exists()


def test_the_same_pods_lock_is_taken_over_at_once(path: Path) -> None:
    """A restarted container does not wait for its dead predecessor."""
    abandon(path, "pod-1")
    lock = VolumeLock(path, "pod-1", PATIENT)
    assert lock.acquire(not_done, ignore)
    lock.release()


def test_an_unreadable_lock_goes_stale_too(path: Path) -> None:
    """A program that died between making and filling its lock blocks nobody for ever."""
    path.write_text("")
    lock = VolumeLock(path, "", QUICK)
    assert lock.acquire(not_done, ignore)
    lock.release()


def test_a_replaced_holder_learns_of_it_and_leaves_the_lock(path: Path, held: VolumeLock) -> None:
    """Its heartbeat does not touch the new lock, and its release does not remove it."""
    abandon(path.with_name("other"), "second")
    path.with_name("other").replace(path)
    assert held.lost.wait(5)
    content = path.read_text()
    Event().wait(4 * QUICK.heartbeat_seconds)
    held.release()
    assert path.read_text() == content


def test_of_many_that_take_over_one_wins(path: Path) -> None:
    """Programs that see the same silence at the same time do not work side by side."""
    abandon(path)
    finished = Event()
    holders: list[VolumeLock] = []
    most: list[int] = []
    guard = threading.Lock()

    def work(number: int) -> None:
        lock = VolumeLock(path, f"pod-{number}", QUICK)
        if lock.acquire(finished.is_set, ignore):
            with guard:
                holders.append(lock)
                most.append(len([other for other in holders if not other.lost.is_set()]))
            Event().wait(0.5)
            finished.set()
            lock.release()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert finished.is_set()
    assert max(most) == 1
