"""I/O: how far the downloads are, as a line now and then."""

import sys
import time
from threading import Lock

from quantized_model_operator.domain.readable_text import readable_bytes

INTERVAL_SECONDS = 5.0


class DownloadProgress:
    """Counts bytes from several threads and prints at most one line per interval."""

    def __init__(self) -> None:
        self._total = 0
        self._present = 0
        self._transferred = 0
        self._started = time.monotonic()
        self._printed = self._started
        self._lock = Lock()

    def expect(self, total_bytes: int) -> None:
        """How many bytes there will be in the end; counting begins anew."""
        self._total = total_bytes
        self._present = 0

    def already_there(self, count: int) -> None:
        """Bytes that need no transfer."""
        with self._lock:
            self._present += count

    def received(self, count: int) -> None:
        """Bytes that arrived; negative when they have to be fetched again."""
        with self._lock:
            self._present += count
            self._transferred += max(count, 0)

    @property
    def transferred_bytes(self) -> int:
        """Bytes that arrived, repeated ones included."""
        return self._transferred

    def print_when_due(self) -> None:
        """Print the state unless a line was printed within the interval."""
        now = time.monotonic()
        if now - self._printed >= INTERVAL_SECONDS:
            self._printed = now
            say(self._line(now - self._started))

    def _line(self, seconds: float) -> str:
        speed = self._transferred / max(seconds, 0.001)
        share = 100 * self._present // max(self._total, 1)
        left = (self._total - self._present) / speed if speed else None
        return (
            f"fetched {readable_bytes(self._present)} of {readable_bytes(self._total)} "
            f"({share} %), {readable_bytes(int(speed))} per second, "
            + ("time left unknown" if left is None else f"{left:.0f} seconds left")
        )


class Notice:
    """A line about waiting, at most one per interval."""

    def __init__(self) -> None:
        self._printed = -INTERVAL_SECONDS

    def __call__(self, holder: str) -> None:
        """Say that another pod fetches."""
        now = time.monotonic()
        if now - self._printed >= INTERVAL_SECONDS:
            self._printed = now
            say(f"waiting: {holder or 'another program'} fetches into the same folder")


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
