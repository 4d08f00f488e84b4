"""The first log of a revision, by the gateway: which request is made, and when there is none."""

from typing import Any

import pytest

from quantized_model_operator.domain.well_known import COMPONENT_LABEL
from shell.cluster.live_gateway import Bench, pod

pytestmark = pytest.mark.shell

TOLD = "(EngineCore pid=2) INFO 11-24 10:00:00 [a.py:1] GPU KV cache size: 1,024 tokens\n"


def serving(*, started: bool = True) -> dict[str, Any]:
    """A Ready pod of the otter's newest revision."""
    body: dict[str, Any] = pod()
    body["metadata"]["labels"] |= {COMPONENT_LABEL: "serving", "pod-template-hash": "6f"}
    body["spec"]["containers"] = [{"name": "vllm"}]
    (status,) = body["status"]["containerStatuses"]
    status |= {"name": "vllm", "started": started, "ready": started}
    ready = "True" if started else "False"
    body["status"]["conditions"] = [{"type": "Ready", "status": ready}]
    return body


def log_queries(bench: Bench) -> list[dict[str, str]]:
    """Of the requests for logs."""
    return [dict(seen.query) for seen in bench.server.seen if seen.path.endswith("/log")]


async def test_the_beginning_of_the_log_is_asked_for(bench: Bench) -> None:
    """The running container's log is read from its first line, at most 256 KiB, once."""
    bench.server.log_text["otter-1"] = TOLD
    await bench.heard_pod(serving())

    for _ in range(3):
        start = (await bench.seen()).start
        assert start is not None
        assert (start.revision, start.figures.kv_cache_tokens) == ("6f", 1024)

    expected = {"container": "vllm", "previous": "false", "limitBytes": "262144"}
    assert log_queries(bench) == [expected]


async def test_no_log_is_read_before_the_start_or_after_the_status(bench: Bench) -> None:
    """A pod that starts has nothing to tell yet, and a recorded revision nothing new."""
    bench.server.log_text["otter-1"] = TOLD
    await bench.heard_pod(serving(started=False))
    assert (await bench.seen()).start is None
    bench.put_model("otter", status={"engine": {"revision": "6f"}})
    await bench.heard_pod(serving())
    assert (await bench.seen()).start is None
    assert log_queries(bench) == []


async def test_a_missing_log_is_asked_for_once(bench: Bench) -> None:
    """A log that is gone leaves the figures out, without an error and without another request."""
    await bench.heard_pod(serving())
    for _ in range(3):
        assert (await bench.seen()).start is None
    assert len(log_queries(bench)) == 1
