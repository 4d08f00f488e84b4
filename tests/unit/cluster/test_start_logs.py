"""The first log of a revision: read once, beside the reconciles, and never waited for long."""

import asyncio
import time
from dataclasses import replace

import pytest

from quantized_model_operator.cluster.api_errors import ApiError, ForbiddenError, ServerError
from quantized_model_operator.cluster.start_logs import READ_ATTEMPTS, WAIT_SECONDS, StartLogs
from quantized_model_operator.domain.cluster_state import EngineStart, ModelKey, ObservedPod
from quantized_model_operator.domain.engine_start import started_pod
from unit.otter import container, serving_pod

OTTER = ModelKey("zoo", "otter")
LOG = "(EngineCore pid=2) INFO 11-24 10:00:00 [a.py:1] GPU KV cache size: 1,024 tokens\n"
STARTED = serving_pod(container(started=True))
READY = replace(STARTED, ready=True)


class FakeReader:
    """A kubelet that gives each answer in turn, the last one for ever."""

    def __init__(self, *answers: str | ApiError | None) -> None:
        self.answers = answers
        self.asked: list[tuple[str, str, int]] = []

    async def log_start(self, namespace: str, pod: str, container: str, *, limit: int) -> str:
        """See ``StartReader``; ``None`` never answers."""
        answer = self.answers[min(len(self.asked), len(self.answers) - 1)]
        self.asked.append((f"{namespace}/{pod}", container, limit))
        if answer is None:
            await asyncio.Event().wait()
        if isinstance(answer, ApiError):
            raise answer
        return str(answer)


async def settled(logs: StartLogs, pod: ObservedPod, recorded: str = "") -> EngineStart | None:
    """What a reconcile gets after all that was under way has ended."""
    found = await logs.of(OTTER, pod, recorded)
    for _ in range(5):
        await asyncio.sleep(0)  # noqa: TID251 - lets the read run
    return found


async def test_the_log_is_read_once_for_each_revision() -> None:
    """However often a Ready pod is observed, its log is asked for once, and the next one's too."""
    reader = FakeReader(LOG)
    logs = StartLogs(reader)

    for _ in range(3):
        start = await settled(logs, READY)
        assert start is not None
        assert (start.revision, start.pod, start.node) == ("6f", READY.name, "den")
        assert start.figures.kv_cache_tokens == 1024
    assert reader.asked == [("zoo/otter-6f-x", "vllm", 256 * 1024)]

    newer = replace(READY, name="otter-7a-x", labels={**READY.labels, "pod-template-hash": "7a"})
    assert (await settled(logs, newer) or pytest.fail("not read")).revision == "7a"
    assert len(reader.asked) == 2


async def test_figures_in_the_status_are_not_read_again() -> None:
    """An operator that starts beside a model whose figures are recorded reads no log."""
    reader = FakeReader(LOG)

    assert await settled(StartLogs(reader), READY, recorded="6f") is None
    assert not reader.asked


async def test_the_read_begins_before_the_pod_is_ready() -> None:
    """When the startup probe has passed, the read goes on beside the reconcile, which is done."""
    reader = FakeReader(LOG)
    logs = StartLogs(reader)

    assert await settled(logs, STARTED) is None
    assert await logs.of(OTTER, READY, "") is not None
    assert len(reader.asked) == 1


async def test_a_silent_kubelet_delays_ready_once_and_briefly() -> None:
    """A kubelet that never answers costs a quarter of a second, and the second time nothing."""
    logs = StartLogs(FakeReader(None))
    begun = time.monotonic()

    for _ in range(4):
        assert await logs.of(OTTER, READY, "") is None

    assert WAIT_SECONDS <= time.monotonic() - begun < 2 * WAIT_SECONDS


async def test_a_failing_log_is_tried_a_few_times() -> None:
    """A kubelet that fails is asked again with each observation, three times in all."""
    reader = FakeReader(ServerError(502, "BadGateway", "dial tcp"))
    logs = StartLogs(reader)

    for _ in range(6):
        assert await settled(logs, READY) is None
    assert len(reader.asked) == READ_ATTEMPTS


async def test_a_later_answer_counts() -> None:
    """What the second attempt reads is told."""
    reader = FakeReader(ServerError(502, "BadGateway", "dial tcp"), LOG)
    logs = StartLogs(reader)

    assert await settled(logs, READY) is None
    assert await logs.of(OTTER, READY, "") is not None


async def test_a_refusal_is_final() -> None:
    """An operator that may not read logs asks once for each revision, and says nothing worse."""
    reader = FakeReader(ForbiddenError(403, "Forbidden", "pods/log"))
    logs = StartLogs(reader)

    for _ in range(3):
        assert await settled(logs, READY) is None
    assert len(reader.asked) == 1


async def test_a_deleted_model_is_forgotten() -> None:
    """Nothing is kept of a model that is gone; its successor's log is read anew."""
    reader = FakeReader(LOG)
    logs = StartLogs(reader)
    await settled(logs, READY)

    logs.forget(OTTER)
    await settled(logs, READY)

    assert len(reader.asked) == 2


def test_which_pod_tells() -> None:
    """The oldest started pod of the newest revision tells; ending ones and Jobs do not."""
    waiting = serving_pod(container(), revision="7a")
    ending = replace(STARTED, deleting=True)
    other = replace(STARTED, labels={"app.kubernetes.io/component": "inspect"})
    sibling = replace(STARTED, name="otter-6f-y")

    assert started_pod([STARTED]) is STARTED
    assert started_pod([sibling, STARTED]) is STARTED
    for pods in ([], [serving_pod(container())], [STARTED, waiting], [ending], [other]):
        assert started_pod(pods) is None
    unlabelled = replace(STARTED, labels={"app.kubernetes.io/component": "serving"})
    assert started_pod([unlabelled]) is None
