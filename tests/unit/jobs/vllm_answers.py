"""Answers in the shape of vLLM's, and a server on loopback that gives them.

Source of the shapes: vLLM 0.32.0, answers of /v1/completions and /v1/chat/completions, 2026-11.
"""

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

COUNTING = ((19, -0.02), (15, -0.4), (220, -0.001), (20, -0.01), (15, -0.2), (220, 0.0))
"""Tokens and log-probabilities of a model that goes on with `` 4, 5,``."""
NO_TEMPLATE = (
    "As of transformers v4.44, default chat template is no longer allowed, so you must provide a "
    "chat template if the tokenizer does not define one."
)


def completion(answer: Sequence[tuple[int, float | None]], text: str = " 4, 5") -> dict[str, Any]:
    """The answer of /v1/completions with these tokens and log-probabilities."""
    names = [f"token_id:{token}" for token, _ in answer]
    numbers = [number for _, number in answer]
    logprobs = {
        "text_offset": list(range(len(names))),
        "token_logprobs": numbers,
        "tokens": names,
        "top_logprobs": [{name: number} for name, number in zip(names, numbers, strict=True)],
    }
    choice = {"index": 0, "text": text, "logprobs": logprobs, "finish_reason": "length"}
    return {
        "id": "cmpl-8d3e",
        "object": "text_completion",
        "model": "otter",
        "choices": [choice],
        "usage": {"prompt_tokens": 9, "completion_tokens": len(names)},
    }


def chat(content: str | None, **more: str) -> dict[str, Any]:
    """The answer of /v1/chat/completions."""
    message: dict[str, Any] = {
        "role": "assistant",
        "content": content,
        "refusal": None,
        "tool_calls": [],
        **more,
    }
    return {
        "id": "chatcmpl-91ac",
        "object": "chat.completion",
        "model": "otter",
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
    }


def error(message: str, code: int = 400) -> dict[str, Any]:
    """The document of an error."""
    return {"error": {"message": message, "type": "BadRequestError", "param": None, "code": code}}


@dataclass(frozen=True)
class Asked:
    """One request."""

    path: str
    key: str
    body: dict[str, Any]


Reply = tuple[int, object]
"""Status, and a document or bytes."""


@dataclass
class Vllm:
    """What a server answers on each path, one after the other; the last one stays."""

    replies: dict[str, list[Reply]]
    port: int = 0
    asked: list[Asked] = field(default_factory=list)

    def reply(self, asked: Asked) -> tuple[int, bytes]:
        """The next answer."""
        self.asked.append(asked)
        known = self.replies.get(asked.path) or [(404, error("Not Found", 404))]
        status, document = known.pop(0) if len(known) > 1 else known[0]
        text = document if isinstance(document, bytes) else json.dumps(document).encode()
        return status, text


@contextmanager
def serving(vllm: Vllm) -> Iterator[Vllm]:
    """The server at a port of its own."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(vllm.reply)) as server:
        vllm.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield vllm
        finally:
            server.shutdown()
            thread.join()


def _handler(reply: Callable[[Asked], tuple[int, bytes]]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer({})

        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            self._answer(json.loads(self.rfile.read(length)))

        def _answer(self, body: dict[str, Any]) -> None:
            key = self.headers.get("Authorization", "")
            status, text = reply(Asked(path=self.path, key=key, body=body))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            """Silent."""

    return Handler
