"""The startup probe: it lets sound answers through, and ends a server that answers otherwise."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from quantized_model_jobs.startup_probe import TOKENS, main
from unit.jobs.vllm_answers import (
    COUNTING,
    NO_TEMPLATE,
    Asked,
    Reply,
    Vllm,
    chat,
    completion,
    error,
    serving,
)

COMPLETIONS = "/v1/completions"
CHAT = "/v1/chat/completions"
SOUND = (200, completion(COUNTING))
CANARY = json.dumps({"prompt": "Who swims?", "expect": "the otter"})
UNHEARD_OF_PORT = 1
TERMINATION_BYTES = 4096
"""What the kubelet keeps of a termination message."""


class Bench:
    """A container as the probe sees it: a report file, a server that answers, its process."""

    def __init__(self, folder: Path, process: "subprocess.Popen[bytes]") -> None:
        self.report = folder / "termination-log"
        self.report.touch()
        self.process = process
        self.asked: list[Asked] = []

    def probe(
        self,
        *completions: Reply,
        chats: Sequence[Reply] = (),
        canary: str = "",
        health: int = 200,
    ) -> int:
        """The exit code of the probe against these answers."""
        replies: dict[str, list[Reply]] = {
            COMPLETIONS: list(completions),
            CHAT: list(chats),
            "/health": [(health, b"")],
        }
        with serving(Vllm(replies)) as vllm:
            code = main("otter", canary, vllm.port, self.report, self.process.pid)
        self.asked = vllm.asked
        return code

    @property
    def message(self) -> str:
        """What the report says."""
        document = json.loads(self.report.read_text())
        assert document["reason"] == "AnswersDamaged"
        return str(document["message"])

    @property
    def has_ended(self) -> bool:
        """Whether the process was told to end; it ends at once then."""
        try:
            return self.process.wait(0.3) is not None
        except subprocess.TimeoutExpired:
            return False

    @property
    def log(self) -> str:
        """What the process has in its log; ends it."""
        self.process.kill()
        return self.process.communicate()[0].decode()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A bench whose process runs until it is ended."""
    with subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        yield Bench(tmp_path, process)
        process.kill()


def test_sound_answers_let_the_server_through(bench: Bench) -> None:
    """Two greedy answers count, and clear what an earlier question left."""
    bench.report.write_text("something else")

    assert bench.probe(SOUND) == 0

    assert bench.report.read_text() == ""
    assert not bench.has_ended
    assert [(asked.path, asked.key) for asked in bench.asked] == [(COMPLETIONS, "")] * 2
    first, second = (asked.body for asked in bench.asked)
    assert first == second
    assert (first["model"], first["temperature"], first["repetition_penalty"]) == ("otter", 0, 1)
    assert bench.log == ""


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        ((200, completion([(0, float("nan"))] * TOKENS)), "not finite"),
        ((200, completion([(0, None)] * TOKENS)), "not finite"),
        ((200, completion([])), "no token"),
        ((200, {"choices": []}), "no token"),
        ((200, completion([(0, -11.93)] * TOKENS)), "token_id:0 again and again"),
        ((200, b"hello"), "no completion"),
        ((200, [1]), "no completion"),
        ((400, error("Out of range float values are not JSON compliant")), "HTTP 400"),
        ((404, error("The model `otter` does not exist.", 404)), "does not exist"),
    ],
)
def test_an_answer_that_is_not_sound_ends_the_server(
    bench: Bench, reply: Reply, words: str
) -> None:
    """The reason is in the report before the server ends, so the model's status tells at once."""
    assert bench.probe(reply) == 1

    assert words in bench.message
    assert bench.has_ended


def test_answers_that_disagree_end_the_server(bench: Bench) -> None:
    """The same question has two certain answers."""
    other = [(7, -0.01), *COUNTING[1:]]

    assert bench.probe(SOUND, (200, completion(other))) == 1

    assert "two answers" in bench.message
    assert bench.has_ended


def test_mere_repetition_is_noted_in_the_log(bench: Bench) -> None:
    """The server serves, and its log says what is odd."""
    repeated = [(13, -0.5 - place / 100) for place in range(TOKENS)]

    assert bench.probe((200, completion(repeated))) == 0

    assert bench.report.read_text() == ""
    assert bench.log == "startup probe: the answer to '1, 2, 3,' is one token repeated\n"


def test_a_log_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    """The remark is lost, the server is let through."""
    report = tmp_path / "termination-log"
    report.touch()
    repeated = completion([(13, -0.5 - place / 100) for place in range(TOKENS)])
    no_process = 2**22 + 1
    with serving(Vllm({COMPLETIONS: [(200, repeated)]})) as vllm:
        assert main("otter", "", vllm.port, report, no_process) == 0


def test_an_engine_that_fails_is_left_to_end_by_itself(bench: Bench) -> None:
    """HTTP 5xx is reported, the server is not touched, and an earlier cause stays."""
    assert bench.probe((500, {"error": "EngineDeadError"})) == 1
    assert bench.message.startswith("HTTP 500")
    assert not bench.has_ended

    assert bench.probe((500, {"error": "cannot schedule new futures"}), health=503) == 1
    assert "EngineDeadError" in bench.message
    assert not bench.has_ended


def test_an_engine_that_lives_and_fails_again_is_ended(bench: Bench) -> None:
    """Versions that answer NaN with HTTP 500 are told from engines that died."""
    assert bench.probe((500, b"Internal Server Error")) == 1
    assert not bench.has_ended

    assert bench.probe((500, b"Internal Server Error")) == 1
    assert bench.message == "every question is answered with HTTP 500: Internal Server Error"
    assert bench.has_ended


def test_a_server_that_was_told_to_end_is_asked_no_more(bench: Bench) -> None:
    """What it answers while it drains does not take the place of the verdict."""
    assert bench.probe((400, error("Out of range float values are not JSON compliant"))) == 1
    told = bench.message

    draining = (500, error("cannot schedule new futures after shutdown"))
    assert [bench.probe(draining), bench.probe(draining)] == [1, 1]

    assert bench.message == told
    assert "not JSON compliant" in told
    assert bench.asked == []


def test_a_busy_server_is_asked_again(bench: Bench) -> None:
    """HTTP 503 is what vLLM answers when its queue is full; that is no damage."""
    for _ in range(3):
        assert bench.probe((503, error("queue full", 503))) == 1
        assert not bench.has_ended

    assert bench.probe(SOUND) == 0
    assert bench.report.read_text() == ""


def test_a_server_that_does_not_listen_yet_is_waited_for(bench: Bench) -> None:
    """No connection, no verdict."""
    assert main("otter", "", UNHEARD_OF_PORT, bench.report, bench.process.pid) == 1

    assert bench.report.read_text() == ""
    assert not bench.has_ended


def test_a_server_without_log_probabilities_is_asked_for_none_but_its_own(bench: Bench) -> None:
    """``--max-logprobs=0`` allows those of the answer's own tokens."""
    text = "Requested sample logprobs of 1, which is greater than max allowed: 0"

    assert bench.probe((400, error(text)), SOUND) == 0

    assert [asked.body["logprobs"] for asked in bench.asked] == [1, 0, 0]


def test_the_key_of_the_server_is_sent(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The probe reads it where vLLM does, and sends it with every question."""
    monkeypatch.setenv("VLLM_API_KEY", "secret")

    assert bench.probe(SOUND, chats=[(200, chat("It is the otter."))], canary=CANARY) == 0

    assert [asked.key for asked in bench.asked] == ["Bearer secret"] * 3


def test_no_proxy_is_asked(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables for vLLM's way to the outside do not lead the probe astray."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")

    assert bench.probe(SOUND) == 0


@pytest.mark.parametrize(
    "answer",
    [
        chat("It is the otter."),
        chat("the otter"),
        chat(None, reasoning="Swims? I think of the otter"),
        chat("", reasoning_content="Could be the otter"),
    ],
)
def test_a_canary_that_sings_lets_the_server_through(bench: Bench, answer: dict[str, Any]) -> None:
    """The expected text is in the answer, or in the thoughts before it."""
    assert bench.probe(SOUND, chats=[(200, answer)], canary=CANARY) == 0

    body = bench.asked[-1].body
    assert body["messages"] == [{"role": "user", "content": "Who swims?"}]
    assert (body["temperature"], body["stop"]) == (0, ["the otter"])
    assert body["include_stop_str_in_output"] is True
    assert body["max_tokens"] >= len("the otter")


@pytest.mark.parametrize("said", ["It is the heron.", "It is The Otter.", ""])
def test_a_canary_that_is_silent_ends_the_server(bench: Bench, said: str) -> None:
    """The report has what was expected and what came, and room for nothing else is needed."""
    assert bench.probe(SOUND, chats=[(200, chat(said))], canary=CANARY) == 1

    assert bench.message == f"spec.engine.canary expects 'the otter', vLLM answered {said!r}"
    assert bench.has_ended


def test_a_long_answer_is_shortened(bench: Bench) -> None:
    """The verdict fits into a termination message, whatever the answer is made of."""
    canary = json.dumps({"prompt": "Who swims?", "expect": "\N{OTTER}" * 256})

    assert bench.probe(SOUND, chats=[(200, chat("\N{HERB}\0" * 900))], canary=canary) == 1

    assert "vLLM answered" in bench.message
    assert len(bench.report.read_bytes()) < TERMINATION_BYTES


def test_a_model_without_chat_template_completes_the_canary(bench: Bench) -> None:
    """The prompt is sent as the text to go on with."""
    completed = (200, completion(COUNTING, text=" the otter"))
    refused = (400, error(NO_TEMPLATE))

    assert bench.probe(SOUND, SOUND, completed, chats=[refused], canary=CANARY) == 0

    assert [asked.path for asked in bench.asked][2:] == [CHAT, COMPLETIONS]
    assert bench.asked[-1].body["prompt"] == "Who swims?"


def test_a_canary_that_vllm_refuses_names_the_field(bench: Bench) -> None:
    """The words of vLLM are told, for example that the question is too long."""
    text = "This model's maximum context length is 16 tokens."

    assert bench.probe(SOUND, chats=[(400, error(text))], canary=CANARY) == 1

    assert bench.message.startswith("spec.engine.canary: HTTP 400")
    assert text in bench.message


def test_the_program_runs_as_text() -> None:
    """``python3 -c`` with a canary finds nobody to ask, and says nothing."""
    text = Path(main.__code__.co_filename).read_text(encoding="utf-8")
    text = text.replace("8000", str(UNHEARD_OF_PORT)).replace("/dev/termination-log", "/dev/null")
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-I", "-c", text, "otter", CANARY], capture_output=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (1, b"", b"")
