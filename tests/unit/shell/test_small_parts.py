"""Heartbeat, log, tasks and the session that tells when the server answers."""

import asyncio
import io
import json
import logging
from collections.abc import Iterator

import pytest

from quantized_model_operator.shell import logs
from quantized_model_operator.shell.heard_session import HeardSession
from quantized_model_operator.shell.heartbeat import beat
from quantized_model_operator.shell.tasks import EndedError, cancel, first_of, run_until
from unit.shell import fake_time


def test_the_heart_beats_each_second_without_lag() -> None:
    """In a loop that nothing blocks, there is one beat per second and no lag."""

    async def main() -> None:
        beats: list[float] = []
        lags: list[float] = []
        task = asyncio.create_task(
            beat(lambda: beats.append(fake_time.clock()), lags.append, clock=fake_time.clock)
        )
        await fake_time.passing(10.5)
        await cancel([task])
        assert len(beats) == 11
        assert max(lags) < 0.001

    fake_time.run(main())


async def test_a_blocked_loop_shows_as_lag() -> None:
    """What blocks the loop for some time is seen as a lag of about that time."""
    lags: list[float] = []
    loop = asyncio.get_running_loop()
    task = asyncio.create_task(beat(lambda: None, lags.append, clock=loop.time, seconds=0.01))
    await fake_time.passing(0.05)
    began = loop.time()
    while loop.time() < began + 0.2:
        pass
    await fake_time.passing(0.05)
    await cancel([task])
    assert max(lags) > 0.15


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Where the log goes; the loggers are as before afterwards."""
    names = ("", "kopf", "aiohttp", "asyncio")
    before = {name: logging.getLogger(name).level for name in names}
    handlers = logging.getLogger().handlers[:]
    yield io.StringIO()
    logging.getLogger().handlers[:] = handlers
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)


def test_a_line_of_json_has_time_level_logger_and_traceback(log: io.StringIO) -> None:
    """Each record is one line of JSON, a traceback included."""
    logs.configure("INFO", "json", log)
    logging.getLogger("some.part").error("it %s", "failed", exc_info=ValueError("no\nway"))
    logging.getLogger("kopf.x").info("chatter")
    lines = log.getvalue().splitlines()
    assert len(lines) == 1
    document = json.loads(lines[0])
    assert document["message"] == "it failed"
    assert document["level"] == "ERROR"
    assert document["logger"] == "some.part"
    assert document["time"].endswith("+00:00")
    assert "ValueError: no\nway" in document["traceback"]


def test_a_line_of_text_is_for_people(log: io.StringIO) -> None:
    """The plain form has level, logger and message in one line."""
    logs.configure("WARNING", "text", log)
    logging.getLogger("some.part").info("not this")
    logging.getLogger("some.part").warning("but that")
    assert log.getvalue().endswith("WARNING some.part: but that\n")
    assert "not this" not in log.getvalue()


async def test_run_until_raises_what_ended_a_part() -> None:
    """The error of a part is raised, and a part that simply returned is an error too."""

    async def fail() -> None:
        message = "broken"
        raise RuntimeError(message)

    async def end() -> None:
        return

    forever = asyncio.create_task(asyncio.Event().wait())
    with pytest.raises(RuntimeError, match="broken"):
        await run_until(asyncio.Event(), [forever, asyncio.create_task(fail())])
    with pytest.raises(EndedError, match="part one has ended"):
        await run_until(asyncio.Event(), [forever, asyncio.create_task(end(), name="part one")])
    assert not forever.done()
    await cancel([forever])


async def test_run_until_returns_when_told() -> None:
    """Stop ends the wait, and the parts go on."""
    stop = asyncio.Event()
    forever = asyncio.create_task(asyncio.Event().wait())
    asyncio.get_running_loop().call_later(0.01, stop.set)
    await run_until(stop, [forever])
    assert not forever.done()
    await cancel([forever])
    assert forever.cancelled()


async def test_first_of_returns_at_the_first_event() -> None:
    """One of several events is enough."""
    events = [asyncio.Event() for _ in range(3)]
    asyncio.get_running_loop().call_later(0.01, events[2].set)
    await asyncio.wait_for(first_of(*events), timeout=2.0)


class Answer:
    """An answer of a server."""

    def __init__(self, status: int) -> None:
        self.status = status


class Session:
    """A session that always answers the same."""

    closed = False

    def __init__(self, status: int) -> None:
        self._status = status

    async def request(self, **options: object) -> Answer:
        """Answer."""
        assert options.keys() == {"method", "url"}
        return Answer(self._status)


MODELS = "https://api/apis/serving.quantizedmodel.dev/v1alpha1/quantizedmodels"
IN_ZOO = "https://api/apis/serving.quantizedmodel.dev/v1alpha1/namespaces/zoo/quantizedmodels"


@pytest.mark.parametrize(
    ("url", "status", "signs"),
    [
        (f"{MODELS}?limit=100", 200, ["heard", "listed"]),
        (f"{IN_ZOO}?limit=100", 200, ["heard", "listed"]),
        (MODELS, 200, ["heard", "listed"]),
        (f"{MODELS}?limit=100&continue=abc", 200, ["heard"]),
        (f"{MODELS}?watch=true&resourceVersion=5", 200, ["heard"]),
        (f"{MODELS}?watch=true&resourceVersion=5", 410, []),
        (f"{MODELS}?limit=100", 503, []),
        (f"{MODELS}?limit=100", 401, []),
        ("https://api/apis", 200, ["heard"]),
    ],
)
async def test_answers_and_lists_are_told(url: str, status: int, signs: list[str]) -> None:
    """A good answer is a sign of life, the first page of a list is told, errors are neither."""
    told: list[str] = []
    session = HeardSession(
        Session(status),
        on_heard=lambda: told.append("heard"),
        on_listed=lambda: told.append("listed"),
    )
    answer = await session.request(method="get", url=url)
    assert answer.status == status
    assert told == signs
    assert session.closed is False
