"""Trouble that a test orders, and what it consists of while a file is sent."""

from dataclasses import dataclass, field
from threading import Lock


@dataclass
class Faults:
    """Orders for the next answers; safe to change from another thread while the hub serves.

    Files are named ``organisation/name/path``.
    """

    bytes_per_second: float | None = None
    """Speed limit of each transfer of a large file."""
    _drops: dict[str, list[int]] = field(default_factory=dict)
    _stalls: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    _wrong: dict[str, tuple[int, int]] = field(default_factory=dict)
    _failures: list[int | None] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    def drop_after(self, file: str, sent_bytes: int, times: int = 1) -> None:
        """Close the connection after so many bytes of the next transfers of a file."""
        with self._lock:
            self._drops.setdefault(file, []).extend([sent_bytes] * times)

    def stall_after(self, file: str, sent_bytes: int, seconds: float, times: int = 1) -> None:
        """Fall silent for a while after so many bytes of the next transfers of a file."""
        with self._lock:
            self._stalls.setdefault(file, []).extend([(sent_bytes, seconds)] * times)

    def serve_wrong_bytes(self, file: str, position: int, times: int = 1_000_000) -> None:
        """Change the byte at a position of a file in the next transfers that hold it."""
        with self._lock:
            self._wrong[file] = (position, times)

    def fail(self, requests: int, status: int = 503, *, after: int = 0) -> None:
        """Answer so many requests with an error, whatever they ask for; a few may go well first."""
        with self._lock:
            self._failures.extend([*[None] * after, *[status] * requests])

    def next_failure(self) -> int | None:
        """The status that the request at hand has to fail with."""
        with self._lock:
            return self._failures.pop(0) if self._failures else None

    def next_drop(self, file: str) -> int | None:
        """After how many bytes this transfer breaks off."""
        with self._lock:
            return self._drops[file].pop(0) if self._drops.get(file) else None

    def next_stall(self, file: str) -> tuple[int, float] | None:
        """After how many bytes this transfer falls silent, and for how many seconds."""
        with self._lock:
            return self._stalls[file].pop(0) if self._stalls.get(file) else None

    def next_wrong_byte(self, file: str, begin: int, end: int) -> int | None:
        """The position of the byte to change in this transfer."""
        with self._lock:
            position, times = self._wrong.get(file, (0, 0))
            if times <= 0 or not begin <= position < end:
                return None
            self._wrong[file] = (position, times - 1)
            return position
