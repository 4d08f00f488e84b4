"""Runs in the vLLM container: it asks over loopback, and judges the answers by their numbers.

Standard library only, any Python from 3.9 on: it runs in the image of the engine, as the text of
``python3 -c``, with the served name and the canary as arguments.
"""

import http.client
import json
import math
import os
import signal
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

QUESTION = "1, 2, 3,"
TOKENS = 8
FLOOR = -9999.0
"""vLLM sends it for minus infinity, some endpoints for NaN too. Source: vLLM 0.32.0,
entrypoints/openai/completion/serving.py and scale_out/token_in_token_out/serving.py, 2026-11."""
WIDE = 2.0
"""Nats between two answers in one context. Source: repeats of one prompt spread by 1.25 at most
with a sparse attention that is known for it (vLLM issue 54521, 2026-09)."""
SAME = 1e-6
"""Log-probabilities of a sound model move more than this from place to place."""
CLEARLY_BELOW_ONE = -1.0
LEAST = 1e-9
"""Below what is left beside a certainty in the engine's 32 bits."""
ROOM_TOKENS = 32
"""For words before the expected ones, which take at most one token a byte."""
SHOWN = 160
"""Characters of a text, so that two of them fit into 4096 bytes of termination message as JSON."""
SECONDS = 50.0
SERVER_ERROR = 500

Answer = list[tuple[str, float]]
Ask = Callable[[str, Any], Any]


class DamagedError(Exception):
    """What is wrong with the answers of a server that will not do better later."""


def pairs(document: Any) -> Answer:  # noqa: ANN401 - whatever the server sent
    """Tokens and log-probabilities of an answer of /v1/completions."""
    logprobs = ((document.get("choices") or [{}])[0].get("logprobs")) or {}
    numbers = logprobs.get("token_logprobs") or []
    if not numbers:
        raise DamagedError("the answer has no token")
    if any(n is None or not math.isfinite(n) or n <= FLOOR for n in numbers):
        raise DamagedError("the log-probabilities of the answer are not finite numbers")
    tokens = logprobs.get("tokens") or [""] * len(numbers)
    return list(zip(tokens, numbers))  # noqa: B905 - Python 3.9


def repeats(answer: Answer) -> bool:
    """Nothing but one token; a small model may do that in good health."""
    return len(answer) == TOKENS and len({token for token, _ in answer}) == 1


def ignores_the_question(answer: Answer) -> bool:
    """One token, everywhere with one number that is no certainty: the same logits everywhere."""
    numbers = [number for _, number in answer]
    constant = max(numbers) - min(numbers) <= SAME
    return repeats(answer) and constant and numbers[0] < CLEARLY_BELOW_ONE


def distance(first: Answer, second: Answer) -> float:
    """How far two answers to one question are apart, in nats, as far as their contexts are one.

    Tokens that part may be equally good ones: then neither has more than half of the probability.
    Each has in the other answer at most what the token of that one leaves.
    """
    widest = 0.0
    for (token, number), (other, its) in zip(first, second):  # noqa: B905 - Python 3.9
        widest = max(widest, abs(number - its))
        if token != other:
            return max(widest, _at_least(number, its), _at_least(its, number))
    return widest


def _at_least(number: float, other: float) -> float:
    """How much less the other answer gave to this token than this one did, at least."""
    if max(number, other) > 0:
        return 0.0  # --logprobs-mode=raw_logits
    return number - math.log(max(1.0 - math.exp(other), LEAST))


def judge(first: Answer, second: Answer) -> None:
    """Raise when the numbers of two answers to one question betray damage."""
    if ignores_the_question(first):
        token, number = first[0]
        raise DamagedError(
            f"it is {token or 'one token'} again and again, each time with the log-probability "
            f"{number:.3f}, whatever stands before it"
        )
    apart = distance(first, second)
    if apart > WIDE:
        raise DamagedError(
            f"two answers to one question are {apart:.1f} apart in log-probability; sound ones "
            f"stay within {WIDE:.0f}"
        )


def two_answers(ask: Ask, name: str) -> tuple[Answer, Answer]:
    """The same greedy question twice, with the log-probabilities of the tokens."""
    body = {
        "model": name,
        "prompt": QUESTION,
        "max_tokens": TOKENS,
        "temperature": 0,
        "repetition_penalty": 1,
        "logprobs": 1,
        "return_tokens_as_token_ids": True,
    }
    try:
        first = ask("/v1/completions", body)
    except urllib.error.HTTPError as error:
        text = refusal(error)
        if "max allowed" not in text:
            raise DamagedError(text) from error
        body["logprobs"] = 0  # the server was started with --max-logprobs=0
        first = ask("/v1/completions", body)
    return pairs(first), pairs(ask("/v1/completions", body))


def refusal(error: urllib.error.HTTPError) -> str:
    """What a server says that does not answer; an error of its own is left to ``main``."""
    if error.code >= SERVER_ERROR:
        raise error
    return words(error)


def words(error: urllib.error.HTTPError) -> str:
    """The code and the beginning of the text."""
    with error:
        return f"HTTP {error.code}: {error.read(300).decode(errors='replace')}"


def canary_answer(ask: Ask, name: str, canary: Any) -> str:  # noqa: ANN401 - JSON
    """The beginning of the greedy answer, up to the expected text."""
    body = {
        "model": name,
        "max_tokens": len(canary["expect"].encode()) + ROOM_TOKENS,
        "temperature": 0,
        "stop": [canary["expect"]],
        "include_stop_str_in_output": True,
    }
    try:
        message = {"role": "user", "content": canary["prompt"]}
        answer = ask("/v1/chat/completions", {**body, "messages": [message]})
    except urllib.error.HTTPError as error:
        text = refusal(error)
        if "chat template" not in text:
            raise DamagedError(f"spec.engine.canary: {text}") from error
        answer = ask("/v1/completions", {**body, "prompt": canary["prompt"]})
        return str(answer["choices"][0]["text"])
    said = answer["choices"][0]["message"]
    parts = (said.get("reasoning"), said.get("reasoning_content"), said.get("content"))
    return "".join(part for part in parts if part)


def check_canary(ask: Ask, name: str, canary: Any) -> None:  # noqa: ANN401 - JSON
    """Raise when the answer does not contain what the user knows it contains."""
    answer = canary_answer(ask, name, canary)
    if canary["expect"] not in answer:
        expected, came = canary["expect"][:SHOWN], answer[:SHOWN]
        raise DamagedError(f"spec.engine.canary expects {expected!r}, vLLM answered {came!r}")


def asker(port: int, deadline: float) -> Ask:
    """Puts a question before the deadline of the monotonic clock; no proxy is asked."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def ask(path: str, body: Any) -> Any:  # noqa: ANN401 - JSON
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}{path}",
            None if body is None else json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        key = os.environ.get("VLLM_API_KEY")
        if key:
            request.add_header("Authorization", "Bearer " + key)
        left = max(1.0, deadline - time.monotonic())
        with opener.open(request, timeout=left) as response:
            return json.loads(response.read() or "null")

    return ask


def examine(ask: Ask, name: str, canary: Any) -> str:  # noqa: ANN401 - JSON
    """A remark about sound answers, mostly empty; raises ``DamagedError`` for others."""
    try:
        first, second = two_answers(ask, name)
        judge(first, second)
        if canary:
            check_canary(ask, name, canary)
    except (ValueError, AttributeError, KeyError, IndexError, TypeError) as error:
        raise DamagedError(f"the answer is no completion: {error}") from error
    return f"the answer to {QUESTION!r} is one token repeated" if repeats(first) else ""


def main(name: str, canary: str, port: int, report: Path, server: int) -> int:
    """0 for sound answers; else 1, with the reason in the report when the server answered.

    What answers, and not soundly, will not do better later: it is told to end, so that the reason
    is seen at once. An engine that died, HTTP 5xx, ends by itself; one that lives and answers so
    a second time does not.
    """
    ask = asker(port, time.monotonic() + SECONDS)
    before = report.read_text(encoding="utf-8")
    if told_to_end(before):
        return 1  # it drains, and what it says meanwhile is no answer
    try:
        remark = examine(ask, name, json.loads(canary or "null"))
    except DamagedError as error:
        return end(report, server, str(error))
    except urllib.error.HTTPError as error:
        text = words(error)
        if before and error.code == SERVER_ERROR and lives(ask):
            return end(report, server, f"every question is answered with {text}")
        if not before:  # the first cause stays
            write(report, text)
        return 1
    except (OSError, http.client.HTTPException):
        return 1  # nothing listens yet, or no answer came in time
    report.write_text("", encoding="utf-8")
    if remark:
        tell(server, remark)
    return 0


def told_to_end(report: str) -> bool:
    """A verdict stands in the report, and not only the first trouble of the server."""
    return '"AnswersDamaged"' in report and '"message": "HTTP 5' not in report


def lives(ask: Ask) -> bool:
    """The engine behind the server is well, by its own account."""
    try:
        ask("/health", None)
    except OSError:
        return False
    return True


def write(report: Path, message: str) -> None:
    """Leave the verdict where the kubelet finds it when the container ends."""
    text = json.dumps({"reason": "AnswersDamaged", "message": message})
    report.write_text(text, encoding="utf-8")


def end(report: Path, server: int, message: str) -> int:
    """Leave the verdict and tell the server to end."""
    write(report, message)
    os.kill(server, signal.SIGTERM)
    return 1


def tell(server: int, remark: str) -> None:
    """A line in the log of the server, where one may be written."""
    try:
        log = os.open(f"/proc/{server}/fd/1", os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK)
        with os.fdopen(log, "wb") as stream:
            stream.write(f"startup probe: {remark}\n".encode())
    except OSError:
        return


if __name__ == "__main__":
    ARGUMENTS = [*sys.argv[1:], ""]
    sys.exit(main(ARGUMENTS[0], ARGUMENTS[1], 8000, Path("/dev/termination-log"), 1))
