"""I/O: beats while the event loop runs, and measures how much too late each beat is."""

import asyncio
from collections.abc import Callable

BEAT_SECONDS = 1.0


async def beat(
    on_beat: Callable[[], None],
    on_lag: Callable[[float], None],
    *,
    clock: Callable[[], float],
    seconds: float = BEAT_SECONDS,
) -> None:
    """Never returns; ends by cancellation."""
    never = asyncio.Event()
    while True:
        on_beat()
        due = clock() + seconds
        try:
            async with asyncio.timeout(seconds):
                await never.wait()
        except TimeoutError:
            on_lag(max(0.0, clock() - due))
