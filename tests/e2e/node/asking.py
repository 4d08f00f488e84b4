"""Asking models as clients do, once or all the time, with the official client."""

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Self

import openai

from e2e.node.node_site import Exchange

_MOST_TOKENS = 96
CALM_SECONDS = 2.5
"""A pace that leaves the cores to others."""


def client(url: str, key: str = "EMPTY") -> openai.OpenAI:
    """A client with connections of its own; a proxy of this machine knows no pods."""
    return openai.OpenAI(
        base_url=url,
        api_key=key,
        max_retries=0,
        timeout=120,
        http_client=openai.DefaultHttpxClient(trust_env=False),
    )


def ask(url: str, model: str, question: str, *, key: str = "EMPTY") -> str:
    """The answer, over a new connection."""
    with client(url, key) as asked:
        answer = asked.chat.completions.create(
            model=model,
            messages=[{"role": "user", "content": question}],
            temperature=0,
            max_tokens=_MOST_TOKENS,
        )
    return (answer.choices[0].message.content or "").strip()


@dataclass
class Asked:
    """What became of questions that were asked all the time."""

    right: int = 0
    trouble: list[str] = field(default_factory=list)


@contextmanager
def asking_all_the_time(
    url: str, model: str, exchange: Exchange, *, pace_seconds: float = 0.5
) -> Iterator[Asked]:
    """Ask again and again while the context lasts, each time over a new connection."""
    asked, over = Asked(), threading.Event()

    def work() -> None:
        while not over.wait(pace_seconds):
            try:
                answer = ask(url, model, exchange.question)
            except openai.OpenAIError as error:
                asked.trouble.append(f"{type(error).__name__}: {error} ({error.__cause__})")
                continue
            if answer == exchange.answer:
                asked.right += 1
            else:
                asked.trouble.append(f"a wrong answer: {answer!r}")

    thread = threading.Thread(target=work, name="asking")
    thread.start()
    try:
        yield asked
    finally:
        over.set()
        thread.join()


@dataclass(frozen=True)
class Stream:
    """A streamed answer; times are of the monotonic clock."""

    began: float
    ended: float
    wanted: int
    tokens: int
    finish: str
    trouble: str = ""

    @property
    def whole(self) -> bool:
        """It ended because every token that was asked for has come."""
        return (self.tokens, self.finish) == (self.wanted, "length")


def stream(asked: openai.OpenAI, model: str, tokens: int) -> Stream:
    """One streamed completion of exactly so many tokens, read to its end."""
    began = time.monotonic()
    count, finish, trouble = 0, "", ""
    try:
        for chunk in asked.completions.create(
            model=model,
            prompt="1, 2, 3,",
            max_tokens=tokens,
            temperature=0,
            stream=True,
            stream_options={"include_usage": True},
            extra_body={"ignore_eos": True},
        ):
            count = chunk.usage.completion_tokens if chunk.usage else count
            for choice in chunk.choices:
                finish = str(choice.finish_reason)
    except openai.OpenAIError as error:
        trouble = f"{type(error).__name__}: {error}"
    return Stream(began, time.monotonic(), tokens, count, finish, trouble)


class Streams:
    """Many streamed answers at the same time; as soon as one ends, the next one begins.

    The first ones differ in length, so that no moment finds all of them between two answers.
    """

    def __init__(self, url: str, model: str, *, count: int, tokens: int) -> None:
        self._last_begin = math.inf
        self._ended: list[Stream] = []
        self._threads = [
            threading.Thread(
                target=self._work,
                args=(url, model, tokens * number // count, tokens),
                name=f"stream-{number}",
            )
            for number in range(1, count + 1)
        ]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> Self:
        """Streaming already."""
        return self

    def __exit__(self, *_: object) -> None:
        """No thread outlives a test that failed."""
        self.finish(last_begin=-math.inf)

    def finish(self, *, last_begin: float) -> list[Stream]:
        """Begin none after this time, and return all once the last one has ended."""
        self._last_begin = last_begin
        for thread in self._threads:
            thread.join()
        return self._ended

    def _work(self, url: str, model: str, first: int, tokens: int) -> None:
        # One connection for all, which stays with its pod when the Service has left that.
        with client(url) as asked:
            self._ended.append(stream(asked, model, first))
            while time.monotonic() < self._last_begin:
                self._ended.append(stream(asked, model, tokens))
