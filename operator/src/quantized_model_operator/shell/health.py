"""Pure but for its clock: whether the process is alive and ready, each 'no' with a sentence."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

HEARTBEAT_SECONDS = 10.0
WATCH_SECONDS = 120.0
"""Bookmarks come about each 60 s; a silent watch is opened again after 70 to 75 s."""
DEADLINE_GRACE_SECONDS = 15.0
"""A reconcile past its deadline is cancelled and should be gone shortly after."""


class Role(Enum):
    """What the process is doing."""

    STARTING = "starting"
    STANDBY = "standby"
    LEADING = "leading"
    STOPPING = "stopping"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """What health is judged by, read at one moment."""

    watch_age_seconds: Mapping[str, float]
    oldest_reconcile_seconds: float
    unsynced: Sequence[str]
    """Names of caches that are not complete yet."""
    api_problem: str = ""
    """Why the API server could not be reached when it was last asked; empty: it answered."""


class Health:
    """Answers for /livez and /readyz."""

    def __init__(
        self,
        signs: Callable[[], Signs],
        *,
        clock: Callable[[], float],
        reconcile_deadline_seconds: float,
    ) -> None:
        self._signs = signs
        self._clock = clock
        self._longest_reconcile = reconcile_deadline_seconds + DEADLINE_GRACE_SECONDS
        self._beat_at = clock()
        self.role = Role.STARTING

    def beat(self) -> None:
        """The event loop is running."""
        self._beat_at = self._clock()

    def silence_seconds(self) -> float:
        """Age of the last beat."""
        return self._clock() - self._beat_at

    def live_problems(self) -> list[str]:
        """Why the process should be restarted; empty when it is alive."""
        problems = []
        silence = self.silence_seconds()
        if silence >= HEARTBEAT_SECONDS:
            problems.append(f"the event loop has been blocked for {silence:.0f} s")
        signs = self._signs()
        problems += [
            f"the watch of {name} has been silent for {age:.0f} s"
            for name, age in sorted(signs.watch_age_seconds.items())
            if age >= WATCH_SECONDS
        ]
        if signs.oldest_reconcile_seconds >= self._longest_reconcile:
            problems.append(f"a reconcile has run for {signs.oldest_reconcile_seconds:.0f} s")
        return problems

    def ready_problems(self) -> list[str]:
        """Why the process cannot do its part; empty when it can."""
        match self.role:
            case Role.STARTING:
                return ["starting"]
            case Role.STOPPING:
                return ["stopping"]
            case Role.STANDBY:
                problem = self._signs().api_problem
                return [f"the API server does not answer: {problem}"] if problem else []
            case Role.LEADING:
                return [f"the cache of {name} is not complete" for name in self._signs().unsynced]
