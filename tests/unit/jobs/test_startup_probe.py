"""The startup probe: it lets sane answers through, and ends a server that answers otherwise."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from quantized_model_jobs.startup_probe import main

SANE = {"choices": [{"logprobs": {"token_logprobs": [-0.1, -2.5]}}]}
NOT_FINITE = {"choices": [{"logprobs": {"token_logprobs": [-0.1, float("nan")]}}]}
UNHEARD_OF_PORT = 1


class Vllm(ThreadingHTTPServer):
    """Answers every request alike, and remembers what it was asked."""

    def __init__(self, status: int, answer: bytes) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status, self.answer = status, answer
        self.asked: list[tuple[str, str, bytes]] = []


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server = self.server
        assert isinstance(server, Vllm)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        server.asked.append((self.path, self.headers.get("Authorization", ""), body))
        self.send_response(server.status)
        self.end_headers()
        self.wfile.write(server.answer)

    def log_message(self, *_: object) -> None:
        """Silent."""


class Bench:
    """A container as the probe sees it: a report file, a server that answers, its process."""

    def __init__(self, folder: Path, process: "subprocess.Popen[bytes]") -> None:
        self.report = folder / "termination-log"
        self.report.touch()
        self.process = process
        self.asked: list[tuple[str, str, bytes]] = []

    def probe(self, answer: object, status: int = 200) -> int:
        """The exit code of the probe against this answer."""
        text = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        with Vllm(status, text) as server:
            thread = threading.Thread(target=server.serve_forever, args=(0.01,))
            thread.start()
            code = main("otter", server.server_port, str(self.report), self.process.pid)
            self.asked = server.asked
            server.shutdown()
            thread.join()
        return code

    @property
    def message(self) -> str:
        """What the report says."""
        return str(json.loads(self.report.read_text())["message"])

    @property
    def has_ended(self) -> bool:
        """Whether the process was told to end; it ends at once then."""
        try:
            return self.process.wait(0.3) is not None
        except subprocess.TimeoutExpired:
            return False


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A bench whose process runs until it is ended."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield Bench(tmp_path, process)
        process.kill()


def test_a_sane_answer_lets_the_server_through(bench: Bench) -> None:
    """Finite log-probabilities count, and clear what an earlier question left."""
    bench.report.write_text("something else")

    assert bench.probe(SANE) == 0

    assert bench.report.read_text() == ""
    assert not bench.has_ended
    [(path, key, body)] = bench.asked
    asked = json.loads(body)
    assert (path, key, asked["model"], asked["temperature"]) == ("/v1/completions", "", "otter", 0)


@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [
        (NOT_FINITE, 200, "not finite"),
        ({"choices": [{"logprobs": {"token_logprobs": [None]}}]}, 200, "not finite"),
        ({"choices": [{"logprobs": {"token_logprobs": []}}]}, 200, "no token"),
        ({"choices": []}, 200, "no token"),
        (b"hello", 200, "no completion"),
        ([1], 200, "no completion"),
        ({"error": "Out of range float values"}, 400, "HTTP 400"),
        ({"error": "no such model"}, 404, "no such model"),
    ],
)
def test_an_answer_that_is_not_sane_ends_the_server(
    bench: Bench, answer: object, status: int, words: str
) -> None:
    """The reason is in the report before the server ends, so the model's status tells at once."""
    assert bench.probe(answer, status) == 1

    assert json.loads(bench.report.read_text())["reason"] == "AnswersDamaged"
    assert words in bench.message
    assert bench.has_ended


def test_an_engine_that_fails_is_left_to_end_by_itself(bench: Bench) -> None:
    """HTTP 5xx is reported, the server is not touched, and an earlier cause stays."""
    assert bench.probe({"error": "EngineDeadError"}, 500) == 1
    assert "EngineDeadError" in bench.message
    assert not bench.has_ended

    assert bench.probe({"error": "cannot schedule new futures"}, 500) == 1
    assert "EngineDeadError" in bench.message


def test_a_server_that_does_not_listen_yet_is_waited_for(bench: Bench) -> None:
    """No connection, no verdict."""
    assert main("otter", UNHEARD_OF_PORT, str(bench.report), bench.process.pid) == 1

    assert bench.report.read_text() == ""
    assert not bench.has_ended


def test_the_key_of_the_server_is_sent(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The probe reads it where vLLM does."""
    monkeypatch.setenv("VLLM_API_KEY", "secret")

    assert bench.probe(SANE) == 0

    assert bench.asked[0][1] == "Bearer secret"
