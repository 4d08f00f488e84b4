"""Progress for people: one line per step on standard error, with the seconds since the start."""

import sys
import time


class Progress:
    """Says each step with the seconds elapsed since this object was made."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._started = time.monotonic()
        self._quiet = quiet

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._started

    def say(self, text: str) -> None:
        """Print one line unless quiet."""
        if not self._quiet:
            sys.stderr.write(f"[{self.seconds:6.1f} s] {text}\n")
            sys.stderr.flush()
