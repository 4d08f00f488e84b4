"""I/O: from the environment to an exit code: settings, log, event loop, then the wiring."""

import asyncio
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress

from quantized_model_operator.shell import logs
from quantized_model_operator.shell.environment import (
    SettingError,
    log_format_from,
    log_level_from,
    settings_from,
)

WRONG_USE = 2

LoopFactory = Callable[[], asyncio.AbstractEventLoop]


def run_process(environment: Mapping[str, str]) -> int:
    """Run the operator; a wrong setting ends in one sentence and exit code 2."""
    try:
        level = log_level_from(environment)
        log_format = log_format_from(environment, terminal=sys.stderr.isatty())
        settings = settings_from(environment)
    except SettingError as error:
        return _refuse(error)
    logs.configure(level, log_format)

    # Not before: a wrong setting is told at once.
    from quantized_model_operator.cluster.connection import ConnectionConfigError  # noqa: PLC0415
    from quantized_model_operator.cluster.kubeconfig import find_connection  # noqa: PLC0415
    from quantized_model_operator.shell.health_server import ListenError  # noqa: PLC0415
    from quantized_model_operator.shell.signals import show_stacks_on_signal  # noqa: PLC0415
    from quantized_model_operator.shell.wiring import run  # noqa: PLC0415

    try:
        connection = find_connection(environment)
    except ConnectionConfigError as error:
        return _refuse(error)
    show_stacks_on_signal()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        try:
            return runner.run(run(settings, connection, asyncio.Event()))
        except ListenError as error:
            return _refuse(error)


def _refuse(error: Exception) -> int:
    sys.stderr.write(f"{error}\n")
    return WRONG_USE


def _loop_factory() -> LoopFactory | None:
    """That of uvloop where it is installed: less memory with many TLS connections."""
    with suppress(ImportError):
        import uvloop  # noqa: PLC0415 - optional

        return uvloop.new_event_loop
    return None
