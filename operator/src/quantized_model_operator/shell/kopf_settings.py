"""I/O: imports kopf without the Kubernetes client, and sets it up for a bare stream of events.

Here kopf supplies the life cycle and the events of one resource and nothing else: it writes
nothing, watches no CRDs and namespaces, and retries for ever.
"""

import logging
import random
import sys
from collections.abc import Callable, Iterable, Iterator

_CLIENTS = ("kubernetes", "kubernetes_asyncio", "pykube")


def _block(names: Iterable[str]) -> list[str]:
    """Make imports of modules that are not loaded yet fail."""
    blocked = [name for name in names if name not in sys.modules]
    for name in blocked:
        sys.modules[name] = None  # type: ignore[assignment] # documented: the import then fails
    return blocked


# kopf imports every client it finds only to offer logins that are not used here. Without this
# it takes 63 MB instead of 43 and twice the time. Source: our measurement, kopf 1.45.2.
_blocked = _block(_CLIENTS)
try:
    import kopf
finally:
    for _name in _blocked:
        del sys.modules[_name]

__all__ = ["EndlessBackoffs", "NoDiffBase", "NoProgress", "kopf", "operator_settings"]

SERVER_TIMEOUT_SECONDS = 90
"""Each watch is opened anew by then. kopf hides bookmarks, so an answered request is the only
regular sign of life; health wants one in 120 s."""

BACKOFF_FIRST_SECONDS = 0.5
BACKOFF_CAP_SECONDS = 30.0


class EndlessBackoffs(Iterable[float]):
    """Delays that double up to a cap, with jitter, for ever; each use begins anew.

    An outage of the API server must end neither the process nor the stream.
    """

    def __init__(self, chance: Callable[[], float] = random.random) -> None:
        self._chance = chance

    def __iter__(self) -> Iterator[float]:
        """Half to the whole of the doubled delay."""
        delay = BACKOFF_FIRST_SECONDS
        while True:
            yield delay * (0.5 + 0.5 * self._chance())
            delay = min(BACKOFF_CAP_SECONDS, 2 * delay)


class NoDiffBase(kopf.DiffBaseStorage):
    """Keeps no last state: saves deep copies, and an annotation on the model."""

    def build(self, **_: object) -> kopf.BodyEssence:
        """Nothing is compared."""
        return kopf.BodyEssence()

    def fetch(self, **_: object) -> kopf.BodyEssence | None:
        """Nothing is kept."""
        return None

    def store(self, **_: object) -> None:
        """Nothing is kept."""


class NoProgress(kopf.ProgressStorage):
    """Keeps no progress of handlers: there are none that could make any."""

    def fetch(self, **_: object) -> kopf.ProgressRecord | None:
        """Nothing is kept."""
        return None

    def store(self, **_: object) -> None:
        """Nothing is kept."""

    def purge(self, **_: object) -> None:
        """Nothing is kept."""

    def touch(self, **_: object) -> None:
        """Nothing is kept."""

    def clear(self, *, essence: kopf.BodyEssence) -> kopf.BodyEssence:
        """The essence has nothing of ours."""
        return essence


def operator_settings() -> kopf.OperatorSettings:
    """Settings for a stream that is never retried, never written to and never ends by itself."""
    settings = kopf.OperatorSettings()
    # Else kopf kills the process ten minutes after any end of the stream that it was not asked for.
    settings.process.ultimate_exiting_timeout = None
    settings.scanning.disabled = True
    settings.peering.standalone = True
    settings.posting.enabled = False
    settings.posting.loggers = False
    settings.watching.chunk_size = 100
    settings.watching.inactivity_timeout = 70.0
    settings.watching.server_timeout = SERVER_TIMEOUT_SECONDS
    settings.watching.client_timeout = SERVER_TIMEOUT_SECONDS + 30.0
    settings.watching.connect_timeout = 10.0
    settings.watching.reconnect_backoff = 1.0
    settings.queueing.idle_timeout = 0.05
    settings.queueing.exit_timeout = 2.0
    settings.networking.request_timeout = 30.0
    settings.networking.connect_timeout = 10.0
    settings.networking.error_backoffs = EndlessBackoffs()
    settings.networking.enforce_retry_after = True
    settings.persistence.finalizer = "serving.quantizedmodel.dev/unused"
    settings.persistence.diffbase_storage = NoDiffBase()
    settings.persistence.progress_storage = NoProgress()
    settings.execution.max_workers = 1
    # One line per event else: a quarter more time.
    logging.getLogger("kopf.objects").setLevel(logging.WARNING)
    return settings
