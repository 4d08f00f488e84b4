"""I/O: kopf in a loop: an error in its stream starts kopf again, not the process.

kopf's own way out of an error inside a watch is to end the operator. Caches, workers and the
Lease live outside of it and go on.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from quantized_model_operator.cluster.pacing import pause
from quantized_model_operator.shell.kopf_settings import EndlessBackoffs, kopf, operator_settings
from quantized_model_operator.shell.tasks import cancel

logger = logging.getLogger(__name__)

_KOPF_FOLDER = str(Path(kopf.__file__).parent)

_FLAG_WAITER = "stop-flag waiter"
"""kopf waits five seconds for this task of its own, which ends only when the flag is set."""

STABLE_SECONDS = 60.0
"""After running for so long, the next end is the first one again."""


class TasksOfOthers(Collection["asyncio.Task[Any]"]):
    """Contains every task that does not run kopf's code.

    At its end kopf waits for, and then cancels, all tasks that began after it: answers of the
    health server and reconciles as well. This tells it which ones are not its own.
    """

    def __contains__(self, task: object) -> bool:
        """Whether the task is none of kopf's."""
        if not isinstance(task, asyncio.Task) or task.get_name() == _FLAG_WAITER:
            return True
        code = getattr(task.get_coro(), "cr_code", None)
        return code is None or not code.co_filename.startswith(_KOPF_FOLDER)

    def __iter__(self) -> Iterator["asyncio.Task[Any]"]:
        """Those of this moment."""
        return (task for task in asyncio.all_tasks() if task in self)

    def __len__(self) -> int:
        """How many there are at this moment."""
        return sum(1 for _ in self)


class ModelStream:
    """Runs kopf until it is told to stop."""

    def __init__(
        self,
        registry: Callable[[], kopf.OperatorRegistry],
        *,
        identity: str,
        namespaces: Sequence[str],
        on_started: Callable[[], None],
        on_failed: Callable[[], None],
        clock: Callable[[], float],
        settings: Callable[[], kopf.OperatorSettings] = operator_settings,
    ) -> None:
        """``on_started`` is called when kopf has taken the signals, ``on_failed`` at each end."""
        self._registry = registry
        self._identity = identity
        self._namespaces = tuple(namespaces)
        self._on_started = on_started
        self._on_failed = on_failed
        self._clock = clock
        self._settings = settings

    async def run(self, stop: asyncio.Event) -> None:
        """Never raises but for cancellation."""
        delays = iter(EndlessBackoffs())
        while not stop.is_set():
            started = self._clock()
            try:
                await self._once(stop)
            except Exception as error:  # noqa: BLE001 - kopf ends with any of its own
                logger.warning("the stream of models ended: %s: %s", type(error).__name__, error)
            if stop.is_set():
                return
            self._on_failed()
            if self._clock() - started > STABLE_SECONDS:
                delays = iter(EndlessBackoffs())
            await pause(next(delays), stop)

    async def _once(self, stop: asyncio.Event) -> None:
        # A flag of its own for each run, so that what waits for it ends with the run.
        flag = asyncio.Event()
        relay = asyncio.create_task(_pass_on(stop, flag), name="end of the stream")
        try:
            tasks = await kopf.spawn_tasks(
                registry=self._registry(),
                settings=self._settings(),
                identity=self._identity,  # type: ignore[arg-type] # a private NewType of str
                clusterwide=not self._namespaces,
                namespaces=self._namespaces,
                stop_flag=flag,
            )
            self._on_started()
            await kopf.run_tasks(tasks, ignored=TasksOfOthers())
        finally:
            flag.set()
            await cancel([relay])


async def _pass_on(stop: asyncio.Event, flag: asyncio.Event) -> None:
    await stop.wait()
    flag.set()
