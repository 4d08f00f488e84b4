"""Workers: outcomes become retries, errors become back-off, nothing stops the next model."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from itertools import pairwise

import pytest

from quantized_model_operator.domain.cluster_state import ModelKey
from quantized_model_operator.domain.outcome import (
    InvalidModelError,
    NotYetError,
    Outcome,
    Problem,
)
from quantized_model_operator.shell.work_queue import WorkQueue
from quantized_model_operator.shell.workers import Workers, WorkerSettings
from unit.shell import fake_time

OTTER = ModelKey("zoo", "otter")
BADGER = ModelKey("zoo", "badger")
START = 1000.0

Reconcile = Callable[[ModelKey, datetime], Awaitable[Outcome]]


class Recorder:
    """Keeps what queue and workers report."""

    def __init__(self) -> None:
        self.results: list[str] = []
        self.failed: list[bool] = []
        self.refused = 0

    def taken(self, waited_seconds: float) -> None:
        """Not looked at here."""

    def finished(self, worked_seconds: float) -> None:
        """Not looked at here."""

    def reconciled(self, result: str, seconds: float) -> None:
        """A reconcile ended."""
        assert seconds >= 0
        self.results.append(result)

    def reconcile_failed(self, *, timed_out: bool) -> None:
        """A reconcile raised."""
        self.failed.append(timed_out)

    def reconcile_refused(self) -> None:
        """A reconcile ended for good."""
        self.refused += 1


class Stage:
    """A queue with its workers in fake time."""

    def __init__(self, reconcile: Reconcile, *, workers: int = 2, chance: float = 1.0) -> None:
        self.recorder = Recorder()
        self.gone: set[ModelKey] = set()
        self.queue: WorkQueue[ModelKey] = WorkQueue(self.recorder, clock=fake_time.clock)
        self.workers = Workers(
            self.queue,
            reconcile,
            self.recorder,
            WorkerSettings(workers=workers, deadline_seconds=60.0, resync_seconds=600.0),
            exists=lambda key: key not in self.gone,
            clock=fake_time.clock,
            chance=lambda: chance,
        )
        self.workers.start()


def times_of(outcome: Callable[[], Outcome]) -> tuple[list[float], Reconcile]:
    """A reconcile that notes when it ran, relative to the start."""
    times: list[float] = []

    async def reconcile(_: ModelKey, now: datetime) -> Outcome:
        assert now.tzinfo is UTC
        times.append(round(fake_time.clock() - START, 3))
        return outcome()

    return times, reconcile


def raising(error: Exception) -> Callable[[], Outcome]:
    """An outcome that is an error."""

    def outcome() -> Outcome:
        raise error

    return outcome


def test_a_settled_model_is_looked_at_again_after_the_resync_time() -> None:
    """Without a wish of its own, a model is reconciled again after half to all of the interval."""

    async def main(chance: float) -> list[float]:
        times, reconcile = times_of(Outcome)
        stage = Stage(reconcile, chance=chance)
        stage.queue.add(OTTER)
        await fake_time.passing(1300.0)
        await stage.workers.drain(1.0)
        assert set(stage.recorder.results) == {"success"}
        return times

    assert fake_time.run(main(1.0)) == [0.0, 600.0, 1200.0]
    assert fake_time.run(main(0.0)) == [0.0, 300.0, 600.0, 900.0, 1200.0]


def test_an_outcome_decides_when_to_look_again() -> None:
    """A retry after some seconds comes then, and never later than the resync."""

    async def main(seconds: float) -> list[float]:
        times, reconcile = times_of(lambda: Outcome(retry_after_seconds=seconds))
        stage = Stage(reconcile)
        stage.queue.add(OTTER)
        await fake_time.passing(1000.0)
        await stage.workers.drain(1.0)
        assert set(stage.recorder.results) == {"requeue_after"}
        return times

    assert fake_time.run(main(400.0)) == [0.0, 400.0, 800.0]
    assert fake_time.run(main(5000.0)) == [0.0, 600.0]


def test_not_yet_waits_without_being_an_error() -> None:
    """NotYetError comes back after its own delay and counts as no error."""

    async def main() -> None:
        times, reconcile = times_of(raising(NotYetError("Waiting", 7.0)))
        stage = Stage(reconcile)
        stage.queue.add(OTTER)
        await fake_time.passing(15.0)
        await stage.workers.drain(1.0)
        assert times == [0.0, 7.0, 14.0]
        assert stage.recorder.failed == []

    fake_time.run(main())


def test_an_invalid_model_is_not_retried() -> None:
    """InvalidModelError waits for a change or the resync, and counts as a terminal error."""

    async def main() -> None:
        problem = Problem(reason="InvalidSpec", field="spec.model", message="no")
        times, reconcile = times_of(raising(InvalidModelError(problem)))
        stage = Stage(reconcile)
        stage.queue.add(OTTER)
        await fake_time.passing(599.0)
        await stage.workers.drain(1.0)
        assert times == [0.0]
        assert stage.recorder.refused == 1
        assert stage.recorder.failed == []

    fake_time.run(main())


def test_any_other_error_backs_off_and_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """An error is retried with doubling delays, and its traceback is logged once per message."""

    async def main() -> None:
        times, reconcile = times_of(raising(ValueError("cannot read \x00 this")))
        stage = Stage(reconcile)
        stage.queue.add(OTTER)
        await fake_time.passing(1.0)
        await stage.workers.drain(1.0)
        gaps = [round(b - a, 3) for a, b in pairwise(times)]
        assert gaps == [0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32]
        assert set(stage.recorder.results) == {"error"}
        assert stage.recorder.failed == [False] * 8

    with caplog.at_level(logging.INFO):
        fake_time.run(main())
    errors = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert len(errors) == 1
    assert "zoo/otter" in errors[0].getMessage()
    assert "ValueError: cannot read" in errors[0].getMessage()
    assert errors[0].exc_info is not None


def test_a_success_makes_the_next_error_news_again(caplog: pytest.LogCaptureFixture) -> None:
    """After a success, the same error is logged again, and its back-off begins anew."""

    async def main() -> None:
        runs = 0

        async def reconcile(_: ModelKey, __: datetime) -> Outcome:
            nonlocal runs
            runs += 1
            if runs in (1, 2, 4):
                message = "flaky"
                raise ValueError(message)
            return Outcome(retry_after_seconds=10.0)

        stage = Stage(reconcile)
        stage.queue.add(OTTER)
        await fake_time.passing(10.05)
        assert runs == 5
        await stage.workers.drain(1.0)

    with caplog.at_level(logging.ERROR):
        fake_time.run(main())
    assert len([r for r in caplog.records if "flaky" in r.getMessage()]) == 2


def test_one_failing_model_does_not_delay_another() -> None:
    """While one model fails again and again, another one is reconciled at once."""

    async def main() -> None:
        seen: list[float] = []

        async def reconcile(key: ModelKey, _: datetime) -> Outcome:
            if key == BADGER:
                message = "always"
                raise RuntimeError(message)
            seen.append(fake_time.clock() - START)
            return Outcome()

        stage = Stage(reconcile, workers=1)
        stage.queue.add(BADGER)
        await fake_time.passing(20.0)
        stage.queue.add(OTTER)
        await fake_time.passing(0.1)
        assert seen == [pytest.approx(20.0)]
        await stage.workers.drain(1.0)

    fake_time.run(main())


def test_a_reconcile_that_hangs_is_ended_at_its_deadline() -> None:
    """A reconcile beyond its deadline is cancelled, counted as timed out and tried again."""

    async def main() -> None:
        starts: list[float] = []

        async def reconcile(_: ModelKey, __: datetime) -> Outcome:
            starts.append(round(fake_time.clock() - START, 3))
            await asyncio.Event().wait()
            raise AssertionError

        stage = Stage(reconcile)
        stage.queue.add(OTTER)
        await fake_time.passing(61.0)
        assert starts == [0.0, 60.005]
        assert stage.recorder.failed == [True]
        assert stage.queue.flights_seconds() == [pytest.approx(0.995)]
        assert not await stage.workers.drain(1.0)

    fake_time.run(main())


def test_a_timeout_inside_a_reconcile_is_an_ordinary_error() -> None:
    """A TimeoutError of some request is not taken for the deadline."""

    async def main() -> None:
        _, reconcile = times_of(raising(TimeoutError()))
        stage = Stage(reconcile)
        stage.queue.add(OTTER)
        await fake_time.passing(0.001)
        await stage.workers.drain(1.0)
        assert stage.recorder.failed == [False]

    fake_time.run(main())


def test_drain_lets_running_reconciles_end() -> None:
    """Drain takes no new key, waits for running reconciles and says that all of them ended."""

    async def main() -> None:
        ended: list[ModelKey] = []

        async def reconcile(key: ModelKey, _: datetime) -> Outcome:
            await fake_time.passing(3.0)
            ended.append(key)
            return Outcome()

        stage = Stage(reconcile, workers=1)
        stage.queue.add(OTTER)
        stage.queue.add(BADGER)
        await fake_time.passing(1.0)
        assert await stage.workers.drain(10.0)
        assert ended == [OTTER]
        assert fake_time.clock() == pytest.approx(START + 3.0)

    fake_time.run(main())


def test_a_model_that_is_gone_has_its_last_reconcile() -> None:
    """A model that is gone is reconciled once more, and then has no resync and no retry."""

    async def main() -> None:
        times, reconcile = times_of(Outcome)
        stage = Stage(reconcile)
        stage.queue.add(OTTER)
        await fake_time.passing(1.0)
        stage.gone.add(OTTER)
        stage.queue.add(OTTER)
        await fake_time.passing(5000.0)
        assert times == [0.0, 1.0]
        assert (stage.queue.depth, stage.queue.waiting) == (0, 0)
        await stage.workers.drain(1.0)

    fake_time.run(main())
