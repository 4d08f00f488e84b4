"""The logs of containers that ended: which are read, how often, and what is kept."""

from collections.abc import Mapping
from typing import Any

import pytest

from quantized_model_operator.domain.cluster_state import LogKey
from shell.cluster.live_gateway import Bench, pod

pytestmark = pytest.mark.shell


def log_requests(bench: Bench) -> list[Mapping[str, str]]:
    """Queries of the requests for logs."""
    return [seen.query for seen in bench.server.seen if seen.path.endswith("/log")]


async def test_the_log_of_an_end_is_read_once(bench: Bench) -> None:
    """The tail of a container that ended is read once, however often it is observed."""
    bench.server.log_text["otter-1"] = "the cause\n"
    await bench.heard_pod(pod("terminated"))
    for _ in range(3):
        observed = await bench.seen()
        assert observed.logs == {LogKey("pod-uid", "engine", 0): "the cause\n"}
    (query,) = log_requests(bench)
    assert (query["previous"], query["tailLines"]) == ("false", "400")


async def test_the_log_before_a_restart_is_the_previous_one(bench: Bench) -> None:
    """After a restart the previous log is read, under the number of the run that ended."""
    bench.server.log_text["otter-1"] = "first\n"
    await bench.heard_pod(pod(restarts=1))
    assert (await bench.seen()).logs == {LogKey("pod-uid", "engine", 0): "first\n"}
    bench.server.log_text["otter-1"] = "second\n"
    await bench.heard_pod(pod("terminated", restarts=1))
    assert (await bench.seen()).logs == {LogKey("pod-uid", "engine", 1): "second\n"}
    assert [query["previous"] for query in log_requests(bench)] == ["true", "false"]


@pytest.mark.parametrize("begun", ["", "2026-03-01T12:00:02.5Z Loading\n"])
async def test_a_run_that_has_begun_meanwhile_is_not_taken_for_the_one_that_ended(
    bench: Bench, begun: str
) -> None:
    """An empty log, or one begun after the end, is of the next run: the one before is read."""
    bench.server.log_text["otter-1"] = begun
    bench.server.previous_log_text["otter-1"] = "2026-03-01T11:59:58.1Z the cause\n"
    body = pod("terminated")
    ended = body["status"]["containerStatuses"][0]["state"]["terminated"]
    ended["finishedAt"] = "2026-03-01T12:00:00Z"
    await bench.heard_pod(body)
    for _ in range(2):
        assert (await bench.seen()).logs == {LogKey("pod-uid", "engine", 0): "the cause\n"}
    assert [query["previous"] for query in log_requests(bench)] == ["false", "true"]


async def test_times_of_lines_are_left_out(bench: Bench) -> None:
    """Lines are asked for with their times, which tell whose they are, and kept without."""
    stamped = "2026-03-01T12:59:59.123456789+01:00 first\n2026-03-01T12:00:00Z 2026-03-01 second\n"
    bench.server.log_text["otter-1"] = stamped
    body = pod("terminated")
    ended = body["status"]["containerStatuses"][0]["state"]["terminated"]
    ended["finishedAt"] = "2026-03-01T12:00:00Z"
    await bench.heard_pod(body)
    assert list((await bench.seen()).logs.values()) == ["first\n2026-03-01 second\n"]
    assert len(log_requests(bench)) == 1


async def test_only_the_end_of_a_long_log_is_kept(bench: Bench) -> None:
    """A log is cut at 64 KiB from its end, where the cause is."""
    bench.server.log_text["otter-1"] = "x" * 100_000 + "the cause"
    await bench.heard_pod(pod("terminated"))
    (text,) = (await bench.seen()).logs.values()
    assert len(text) == 64 * 1024
    assert text.endswith("the cause")


async def test_a_missing_log_is_not_asked_for_again(bench: Bench) -> None:
    """A log that is gone gives no text, no error, and one request."""
    await bench.heard_pod(pod("terminated"))
    assert not (await bench.seen()).logs
    assert not (await bench.seen()).logs
    assert len(log_requests(bench)) == 1


async def test_a_failing_log_is_tried_three_times(bench: Bench) -> None:
    """A kubelet that fails neither fails the observation nor is asked for ever."""
    await bench.heard_pod(pod("terminated"))
    bench.server.log_text["otter-1"] = "the cause"
    bench.server.fail("GET", 500, times=2)
    assert not (await bench.seen()).logs
    assert not (await bench.seen()).logs
    assert (await bench.seen()).logs
    await bench.seen()
    assert len(log_requests(bench)) == 3


@pytest.mark.parametrize(
    ("body", "reads"),
    [
        (pod(), 0),
        (pod("terminated", code=0), 1),
        (pod("terminated", code=0, init=True), 0),
        (pod("terminated", init=True), 1),
    ],
    ids=["running", "exit 0", "init exit 0", "init failed"],
)
async def test_which_logs_are_read(bench: Bench, body: dict[str, Any], reads: int) -> None:
    """Any end of the engine and a failure of an init container are read, nothing else."""
    await bench.heard_pod(body)
    await bench.seen()
    assert len(log_requests(bench)) == reads


async def test_the_log_of_a_container_that_runs_well_again_is_not_read(bench: Bench) -> None:
    """An end long ago is no failure now: whoever begins to watch a healthy pod reads nothing."""
    body = pod(restarts=1)
    body["status"]["containerStatuses"][0] |= {"started": True, "ready": True}
    await bench.heard_pod(body)
    assert not (await bench.seen()).logs
    assert not log_requests(bench)


async def test_logs_of_jobs_and_of_ending_pods_are_not_read(bench: Bench) -> None:
    """Jobs speak through their termination message, and an ending pod does as it was told."""
    of_job = pod("terminated")
    of_job["metadata"]["ownerReferences"] = [
        {"kind": "Job", "name": "j", "uid": "j", "controller": True}
    ]
    await bench.heard_pod(of_job)
    ending = pod("terminated")
    ending["metadata"] |= {"name": "otter-2", "deletionTimestamp": "2026-03-01T12:00:00Z"}
    await bench.heard_pod(ending)
    assert len((await bench.seen()).pods) == 2
    assert not log_requests(bench)
