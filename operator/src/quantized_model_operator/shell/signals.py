"""I/O: signals of the process: SIGTERM and SIGINT ask it to stop, SIGUSR1 shows its stacks."""

import asyncio
import faulthandler
import logging
import signal
from collections.abc import Callable

logger = logging.getLogger(__name__)


def stop_on_signals(stop: asyncio.Event) -> Callable[[], None]:
    """Set ``stop`` on the first signal; returns what installs this again after others took over.

    Must be called in the running loop.
    """
    loop = asyncio.get_running_loop()

    def receive(received: signal.Signals) -> None:
        logger.info("received %s, stopping", received.name)
        stop.set()

    def install() -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, receive, number)

    install()
    return install


def show_stacks_on_signal() -> None:
    """SIGUSR1 writes the stacks of all threads to standard error, even from a blocked loop."""
    faulthandler.enable()
    faulthandler.register(signal.SIGUSR1, all_threads=True)
