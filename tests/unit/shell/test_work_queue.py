"""The queue on an event loop with a fake clock."""

import asyncio

import pytest

from quantized_model_operator.shell.work_queue import QueueClosedError, WorkQueue
from unit.shell import fake_time


class Recorder:
    """Keeps what the queue reports."""

    def __init__(self) -> None:
        self.waits: list[float] = []
        self.works: list[float] = []

    def taken(self, waited_seconds: float) -> None:
        """A worker took a key."""
        self.waits.append(waited_seconds)

    def finished(self, worked_seconds: float) -> None:
        """A worker gave a key back."""
        self.works.append(worked_seconds)


def queue(recorder: Recorder | None = None) -> WorkQueue[str]:
    """A queue in the time of the running loop."""
    return WorkQueue(recorder or Recorder(), clock=fake_time.clock)


def test_a_waiting_worker_gets_a_key_when_it_is_added() -> None:
    """A worker that waits is given a key as soon as it is added."""

    async def main() -> None:
        keys = queue()
        getter = asyncio.create_task(keys.get())
        await fake_time.passing(5.0)
        keys.add("a")
        assert await getter == "a"
        assert fake_time.clock() == pytest.approx(1005.0)

    fake_time.run(main())


def test_a_delayed_key_comes_at_its_time() -> None:
    """A delayed key is given out at its time, the earliest first, without any other trigger."""

    async def main() -> None:
        keys = queue()
        keys.add_after("late", 60.0)
        keys.add_after("early", 10.0)
        assert await keys.get() == "early"
        assert fake_time.clock() == pytest.approx(1010.0)
        assert await keys.get() == "late"
        assert fake_time.clock() == pytest.approx(1060.0)

    fake_time.run(main())


def test_a_delay_that_is_shortened_while_a_worker_waits_holds() -> None:
    """A worker that waits for a late key gets an earlier one at the earlier time."""

    async def main() -> None:
        keys = queue()
        keys.add_after("late", 60.0)
        getter = asyncio.create_task(keys.get())
        await fake_time.passing(1.0)
        keys.add_after("early", 2.0)
        assert await getter == "early"
        assert fake_time.clock() == pytest.approx(1003.0)

    fake_time.run(main())


def test_no_key_is_ever_in_two_workers() -> None:
    """However often keys are added, no two workers hold the same one, and each last add is seen."""

    async def main() -> None:
        keys = queue()
        held: set[str] = set()
        seen: dict[str, int] = {}
        version = dict.fromkeys("abc", 0)

        async def work() -> None:
            while True:
                key = await keys.get()
                assert key not in held
                held.add(key)
                seen[key] = version[key]
                await fake_time.passing(0.7)
                held.discard(key)
                keys.done(key)

        workers = [asyncio.create_task(work()) for _ in range(4)]
        for step in range(200):
            key = "abc"[step % 3]
            version[key] += 1
            keys.add(key)
            await fake_time.passing(0.05)
        await fake_time.passing(3.0)
        assert seen == version
        for worker in workers:
            assert not worker.done()
            worker.cancel()

    fake_time.run(main())


def test_every_worker_is_woken_when_many_keys_come_at_once() -> None:
    """A burst of keys occupies all workers, not one after the other."""

    async def main() -> None:
        keys = queue()
        getters = [asyncio.create_task(keys.get()) for _ in range(5)]
        await fake_time.passing(1.0)
        for key in "abcde":
            keys.add(key)
        assert sorted(await asyncio.gather(*getters)) == list("abcde")

    fake_time.run(main())


def test_a_cancelled_worker_loses_no_key() -> None:
    """A key that was about to go to a worker that is cancelled goes to the next one."""

    async def main() -> None:
        keys = queue()
        first, second = (asyncio.create_task(keys.get()) for _ in range(2))
        await fake_time.passing(1.0)
        keys.add("a")
        first.cancel()
        assert await asyncio.wait_for(second, timeout=1.0) == "a"

    fake_time.run(main())


def test_close_ends_every_wait_and_gives_out_nothing_more() -> None:
    """After close, waiting and new workers get QueueClosedError, even with keys left."""

    async def main() -> None:
        keys = queue()
        getter = asyncio.create_task(keys.get())
        await fake_time.passing(1.0)
        keys.close()
        keys.add("a")
        with pytest.raises(QueueClosedError):
            await getter
        with pytest.raises(QueueClosedError):
            await keys.get()

    fake_time.run(main())


def test_drained_waits_for_what_is_in_flight() -> None:
    """Drained returns when the last flight has ended, and at once when there is none."""

    async def main() -> None:
        keys = queue()
        await keys.drained()
        keys.add("a")
        assert await keys.get() == "a"
        keys.close()
        drained = asyncio.create_task(keys.drained())
        await fake_time.passing(4.0)
        assert not drained.done()
        keys.done("a")
        await drained

    fake_time.run(main())


def test_waits_and_works_are_reported() -> None:
    """The observer hears how long each key was ready and how long it was held."""

    async def main() -> None:
        recorder = Recorder()
        keys = queue(recorder)
        keys.add("a")
        await fake_time.passing(2.0)
        await keys.get()
        await fake_time.passing(3.0)
        assert keys.flights_seconds() == [pytest.approx(3.0)]
        keys.done("a")
        assert recorder.waits == [pytest.approx(2.0)]
        assert recorder.works == [pytest.approx(3.0)]
        keys.back_off("a")
        assert (keys.adds, keys.retries, keys.depth, keys.waiting) == (1, 1, 0, 1)

    fake_time.run(main())
