"""kopf's settings: each one that keeps it from writing, scanning, giving up or killing."""

import itertools

import pytest

from quantized_model_operator.shell.kopf_settings import (
    EndlessBackoffs,
    NoDiffBase,
    NoProgress,
    operator_settings,
)


def test_kopf_does_not_scan_write_peer_or_kill() -> None:
    """Scanning, peering, posting, annotations and the last resort of killing itself are off."""
    settings = operator_settings()
    assert settings.scanning.disabled
    assert settings.peering.standalone
    assert not settings.posting.enabled
    assert not settings.posting.loggers
    assert settings.process.ultimate_exiting_timeout is None
    assert isinstance(settings.persistence.diffbase_storage, NoDiffBase)
    assert isinstance(settings.persistence.progress_storage, NoProgress)
    assert settings.persistence.finalizer.startswith("serving.quantizedmodel.dev/")
    assert settings.queueing.worker_limit is None


def test_a_silent_watch_is_noticed_before_health_fails() -> None:
    """A quiet watch is opened anew, and is so heard, well before the 120 s of the health check."""
    settings = operator_settings()
    assert isinstance(settings.watching.server_timeout, int)
    assert settings.watching.server_timeout + settings.watching.reconnect_backoff < 110
    assert settings.watching.client_timeout is not None
    assert settings.watching.client_timeout > settings.watching.server_timeout
    assert 62 < settings.watching.inactivity_timeout < 110
    assert not settings.watching.initial_streaming


def test_backoffs_never_end_and_begin_anew() -> None:
    """Delays double from half a second to 30 s, never end, and each request begins at the start."""
    backoffs = EndlessBackoffs(chance=lambda: 1.0)
    first = list(itertools.islice(backoffs, 9))
    assert first == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]
    assert list(itertools.islice(backoffs, 9)) == first
    assert list(itertools.islice(EndlessBackoffs(chance=lambda: 0.0), 2)) == [0.25, 0.5]
    # kopf counts the attempts of anything that has a length, and then ends.
    with pytest.raises(TypeError):
        len(backoffs)  # type: ignore[arg-type]
