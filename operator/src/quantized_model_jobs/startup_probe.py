"""Runs in the vLLM container: one greedy request over loopback, judged by its numbers.

Standard library only, any Python from 3.9 on: it runs in the image of the engine, as the text of
``python3 -c``.
"""

import json
import math
import os
import signal
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any


def verdict(answer: Any) -> str:  # noqa: ANN401 - whatever the server sent
    """What is wrong with this answer of /v1/completions; empty when nothing is."""
    choices = answer.get("choices") or [{}]
    numbers = (choices[0].get("logprobs") or {}).get("token_logprobs") or []
    if not numbers:
        return "the answer has no token"
    if any(number is None or not math.isfinite(number) for number in numbers):
        return "the log-probabilities of the answer are not finite numbers"
    return ""


def ask(name: str, port: int) -> Any:  # noqa: ANN401 - JSON
    """The answer to one short greedy request; raises what urllib and json raise."""
    body = {"model": name, "prompt": "1, 2, 3,", "max_tokens": 4, "temperature": 0, "logprobs": 1}
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/completions",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    key = os.environ.get("VLLM_API_KEY")
    if key:
        request.add_header("Authorization", "Bearer " + key)
    with urllib.request.urlopen(request, timeout=50) as response:  # noqa: S310 - a fixed scheme
        return json.loads(response.read())


def main(name: str, port: int, report: str, server: int) -> int:
    """0 for a sane answer; else 1, with the reason in the report when the server answered.

    What answers, and not sanely, will not do better later: it is told to end, so that the reason
    is seen at once. An engine that died, HTTP 5xx, ends by itself.
    """
    is_final = True
    try:
        problem = verdict(ask(name, port))
    except urllib.error.HTTPError as error:
        problem = f"HTTP {error.code}: {error.read(300).decode(errors='replace')}"
        is_final = error.code < 500  # noqa: PLR2004 - HTTP
    except OSError:
        return 1  # nothing listens yet
    except (ValueError, AttributeError) as error:
        problem = f"the answer is no completion: {error}"
    if not problem:
        Path(report).write_text("", encoding="utf-8")
        return 0
    if is_final or not Path(report).read_text(encoding="utf-8"):  # the first cause stays
        text = json.dumps({"reason": "AnswersDamaged", "message": problem})
        Path(report).write_text(text, encoding="utf-8")
    if is_final:
        os.kill(server, signal.SIGTERM)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], 8000, "/dev/termination-log", 1))
