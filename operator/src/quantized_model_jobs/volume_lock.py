"""I/O: a lock on a shared volume that outlives neither its holder nor a network partition.

The holder writes a counter into the lock, again and again. Whoever waits watches the counter by
its own clock (clocks of other nodes mean nothing) and takes the lock over when it stands still.
Should two programs ever work at once, they write the same verified bytes under unique names, so
that the lock saves transfers and is not needed for truth.
"""

import json
import os
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import NamedTuple

_RECORD_BYTES = 256
"""Every record has this length, so that writing it again in place is one small write."""


class Held(NamedTuple):
    """What a lock says of its holder."""

    holder: str
    """The pod; a new container of the same pod need not wait for its predecessor."""
    instance: str
    """The process."""
    beat: int


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How often a holder shows that it lives, and after how much silence it counts as gone."""

    heartbeat_seconds: float = 5.0
    stale_seconds: float = 45.0

    @property
    def poll_seconds(self) -> float:
        """How often a waiting program looks."""
        return min(1.0, self.heartbeat_seconds / 2)


class VolumeLock:
    """One attempt to hold the lock at a path; use each object once."""

    def __init__(self, path: Path, holder: str, rhythm: Rhythm) -> None:
        self.lost = Event()
        """Set when somebody else took the lock over: stop working."""
        self._path = path
        self._instance = uuid.uuid4().hex
        self._holder = (holder or self._instance)[:64]
        self._rhythm = rhythm
        self._released = Event()
        self._descriptor = -1
        self._thread: Thread | None = None

    @property
    def instance(self) -> str:
        """Unique name of this attempt."""
        return self._instance

    def acquire(self, is_done: Callable[[], bool], on_wait: Callable[[str], None]) -> bool:
        """Wait for the lock; false when the work is found done by somebody else."""
        seen: Held | None = None
        since = time.monotonic()
        while not is_done():
            held = self._read()
            if held is None:
                if self._create():
                    return True
                continue
            if held != seen:
                seen, since = held, time.monotonic()
            if held.holder == self._holder and self._take_over(settle_seconds=0):
                return True
            silent = time.monotonic() - since
            if silent >= self._rhythm.stale_seconds and self._take_over(
                settle_seconds=self._rhythm.heartbeat_seconds
            ):
                return True
            on_wait(held.holder)
            Event().wait(self._rhythm.poll_seconds)
        return False

    def release(self) -> None:
        """Give the lock back if it is still held; harmless otherwise."""
        self._released.set()
        if self._thread is not None:
            self._thread.join()
        held = self._read()
        if held is not None and held.instance == self._instance:
            self._path.unlink(missing_ok=True)
        if self._descriptor >= 0:
            with suppress(OSError):
                os.close(self._descriptor)
            self._descriptor = -1

    def _create(self) -> bool:
        try:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        except FileExistsError:
            return False
        self._start()
        return True

    def _take_over(self, settle_seconds: float) -> bool:
        """Replace the lock; of several that do so at once, the last one wins and sees it."""
        mine = self._path.with_name(f"{self._path.name}.{self._instance}")
        descriptor = os.open(mine, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o666)
        os.pwrite(descriptor, self._record(0), 0)
        mine.replace(self._path)
        Event().wait(settle_seconds)
        held = self._read()
        if held is None or held.instance != self._instance:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        self._start()
        return True

    def _start(self) -> None:
        os.pwrite(self._descriptor, self._record(0), 0)
        self._thread = Thread(target=self._beat, name="heartbeat", daemon=True)
        self._thread.start()

    def _beat(self) -> None:
        beat = 0
        while not self._released.wait(self._rhythm.heartbeat_seconds):
            held = self._read()
            if held is None or held.instance != self._instance:
                self.lost.set()
                return
            beat += 1
            # Into the open file: after a take-over this can no longer touch the lock.
            with suppress(OSError):
                os.pwrite(self._descriptor, self._record(beat), 0)

    def _record(self, beat: int) -> bytes:
        record = {"holder": self._holder, "instance": self._instance, "beat": beat}
        return json.dumps(record).encode().ljust(_RECORD_BYTES - 1) + b"\n"

    def _read(self) -> Held | None:
        """What the lock says; ``None`` when there is none. An unfinished one has no holder."""
        try:
            record = json.loads(self._path.read_bytes())
            return Held(str(record["holder"]), str(record["instance"]), int(record["beat"]))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError):
            return Held("", "", -1)
