"""I/O (tasks only): run tasks that must not end, and cancel tasks without a trace."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

Task = asyncio.Task[Any]


class EndedError(Exception):
    """A task ended that runs as long as the process."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} has ended")


async def run_until(stop: asyncio.Event, tasks: Sequence[Task]) -> None:
    """Wait for ``stop``; raises what ended a task before.

    Raises:
        EndedError: one of the tasks returned before ``stop``.
    """
    waiter = asyncio.create_task(stop.wait(), name="stop")
    try:
        await asyncio.wait([waiter, *tasks], return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiter.cancel()
    if stop.is_set():
        return
    for task in tasks:
        if task.done():
            await task
            raise EndedError(task.get_name())


async def first_of(*events: asyncio.Event) -> None:
    """Wait until one of the events is set."""
    waiters = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waiters, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await cancel(waiters)


async def cancel(tasks: Iterable[Task]) -> None:
    """Cancel what still runs and wait for it; errors that come late are dropped."""
    running = [task for task in tasks if not task.done()]
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
