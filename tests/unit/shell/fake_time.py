"""An event loop whose clock jumps over every wait, so that hours of waiting take no time."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


class _JumpingSelector(selectors.DefaultSelector):
    """Never waits; says by how much it would have waited at most."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = super().select(0)
        if not events:
            if timeout is None:
                message = "nothing will ever happen: every task waits for another one"
                raise AssertionError(message)
            self.now += timeout
        return events


class FakeTimeLoop(asyncio.SelectorEventLoop):
    """Its clock stands still while anything runs, and jumps to the next timer when nothing can."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        """The fake time in seconds."""
        return self._jumping.now


def run(main: Coroutine[Any, Any, Result]) -> Result:
    """Run to the end in fake time."""
    with asyncio.Runner(loop_factory=FakeTimeLoop) as runner:
        return runner.run(main)


def clock() -> float:
    """The time of the running loop."""
    return asyncio.get_running_loop().time()


async def passing(seconds: float) -> None:
    """Let time pass."""
    await asyncio.wait([asyncio.get_running_loop().create_future()], timeout=seconds)
