"""The fetch program against a hub: byte for byte, through every kind of trouble."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

import pytest

from quantized_model_jobs import fetch
from quantized_model_jobs.cache_folder import CacheFolder
from quantized_model_jobs.checkpoint_download import check_space
from quantized_model_jobs.hub_errors import HubRefusalError
from quantized_model_jobs.hub_repository import HubFile
from unit.jobs.conftest import GATED, GOOD_TOKEN
from unit.jobs.program_runs import (
    FILLED,
    MANIFEST,
    OTTER,
    REFUSED,
    TRY_AGAIN,
    assert_filled,
    fetch_arguments,
    files_of,
    read_report,
    run_fetch,
    the_problem,
)
from unit.tiny_checkpoint import shard_names

if TYPE_CHECKING:
    from hub import Hub

SHARD = shard_names(3)[0]


def test_all_files_arrive_with_a_manifest(
    hub: Hub, destination: Path, source: Path, report_path: Path
) -> None:
    """Each byte is transferred once, and a success leaves no report."""
    assert run_fetch(hub, OTTER, destination, report_path) == FILLED
    assert_filled(destination, source)
    assert report_path.read_text() == ""
    sizes = {f"{OTTER}/{name}": len(content) for name, content in files_of(source).items()}
    assert dict(hub.bytes_sent) == sizes


def test_a_filled_folder_asks_the_hub_nothing(
    hub: Hub, destination: Path, report_path: Path
) -> None:
    """A restarted pod makes no request at all, even when the hub is gone."""
    run_fetch(hub, OTTER, destination, report_path)
    hub.forget_counts()
    assert run_fetch(hub, OTTER, destination, report_path) == FILLED
    assert hub.total_requests() == 0


def test_only_what_serving_needs_is_fetched(
    hub: Hub, destination: Path, source: Path, report_path: Path
) -> None:
    """Copies in other formats and documents stay on the hub."""
    for name in ("pytorch_model.bin", "README.md", "model.gguf"):
        (source / name).write_bytes(b"x" * 1000)
    assert run_fetch(hub, OTTER, destination, report_path) == FILLED
    assert not {"pytorch_model.bin", "README.md", "model.gguf"} & set(files_of(destination))
    assert SHARD in files_of(destination)


def test_a_dropped_connection_is_resumed(
    hub: Hub, destination: Path, source: Path, report_path: Path
) -> None:
    """After each break the transfer goes on where it stopped: no byte comes twice."""
    hub.faults.drop_after(f"{OTTER}/{SHARD}", 100_000, times=3)
    assert run_fetch(hub, OTTER, destination, report_path) == FILLED
    assert_filled(destination, source)
    assert hub.bytes_sent[f"{OTTER}/{SHARD}"] == (source / SHARD).stat().st_size


def test_a_stalled_transfer_is_resumed(
    hub: Hub, destination: Path, source: Path, report_path: Path
) -> None:
    """Silence longer than the limit counts as a break."""
    hub.faults.stall_after(f"{OTTER}/{SHARD}", 100_000, 20)
    started = time.monotonic()
    assert run_fetch(hub, OTTER, destination, report_path) == FILLED
    assert time.monotonic() - started < 15
    assert_filled(destination, source)
    assert hub.bytes_sent[f"{OTTER}/{SHARD}"] == (source / SHARD).stat().st_size


def test_trouble_of_the_hub_is_waited_out(
    hub: Hub, destination: Path, source: Path, report_path: Path
) -> None:
    """Answers 503 at the beginning and in between do not end the fetch."""
    hub.faults.fail(1)
    hub.faults.fail(2, after=1)  # one request tells of the files, the next ones fetch them
    assert run_fetch(hub, OTTER, destination, report_path) == FILLED
    assert hub.faults.next_failure() is None
    assert_filled(destination, source)


def test_lasting_trouble_is_transient(hub: Hub, destination: Path, report_path: Path) -> None:
    """When the hub stays away the pod fails, with a report that says to try again."""
    hub.faults.drop_after(f"{OTTER}/{SHARD}", 0, times=1000)
    started = time.monotonic()
    code = run_fetch(hub, OTTER, destination, report_path, "--attempts", "3")
    assert time.monotonic() - started < 30
    assert code == TRY_AGAIN
    report = read_report(report_path)
    assert report.transient
    assert the_problem(report)[0] == "SourceUnreachable"
    assert MANIFEST not in files_of(destination)


def test_wrong_bytes_are_fetched_once_more(
    hub: Hub, destination: Path, source: Path, report_path: Path
) -> None:
    """One transfer with a flipped byte is removed and repeated."""
    hub.faults.serve_wrong_bytes(f"{OTTER}/{SHARD}", 300_000, times=1)
    assert run_fetch(hub, OTTER, destination, report_path) == FILLED
    assert_filled(destination, source)
    assert hub.bytes_sent[f"{OTTER}/{SHARD}"] == 2 * (source / SHARD).stat().st_size


@pytest.mark.parametrize("name", [SHARD, "config.json"])
def test_lasting_wrong_bytes_are_refused(
    hub: Hub, destination: Path, report_path: Path, name: str
) -> None:
    """Digests of weights (sha256) and of small files (git) are both held; nothing is left."""
    hub.faults.serve_wrong_bytes(f"{OTTER}/{name}", 50)
    assert run_fetch(hub, OTTER, destination, report_path) == REFUSED
    reason, message = the_problem(read_report(report_path))
    assert reason == "DigestMismatch"
    assert name in message
    assert not {name, MANIFEST} & set(files_of(destination))


def test_what_arrived_before_a_refusal_is_kept(
    hub: Hub, destination: Path, source: Path, report_path: Path
) -> None:
    """After the damage is mended only the refused file is transferred."""
    hub.faults.serve_wrong_bytes(f"{OTTER}/{SHARD}", 50, times=2)
    assert run_fetch(hub, OTTER, destination, report_path) == REFUSED
    hub.forget_counts()
    assert run_fetch(hub, OTTER, destination, report_path) == FILLED
    assert_filled(destination, source)
    assert hub.bytes_sent[f"{OTTER}/{SHARD}"] == (source / SHARD).stat().st_size


def test_a_killed_fetch_is_continued(
    hub: Hub, destination: Path, source: Path, report_path: Path
) -> None:
    """The next program takes over what a killed one left, down to the byte."""
    hub.faults.bytes_per_second = 300_000
    arguments = fetch_arguments(hub, OTTER, destination, report_path)
    command = [sys.executable, "-m", "quantized_model_jobs.fetch", *arguments]
    with subprocess.Popen(command) as killed:  # noqa: S603 - our own program
        while hub.bytes_sent[f"{OTTER}/{SHARD}"] < 200_000:
            Event().wait(0.05)
        killed.kill()
    hub.faults.bytes_per_second = None
    sent = hub.bytes_sent[f"{OTTER}/{SHARD}"]
    assert sent < (source / SHARD).stat().st_size
    assert run_fetch(hub, OTTER, destination, report_path) == FILLED
    assert_filled(destination, source)
    # Only what was under way when the program died comes twice.
    assert hub.bytes_sent[f"{OTTER}/{SHARD}"] <= (source / SHARD).stat().st_size + 131_072


def test_the_end_of_the_pod_is_orderly(hub: Hub, destination: Path, report_path: Path) -> None:
    """SIGTERM ends the program at once, with a report, and gives the lock back."""
    hub.faults.bytes_per_second = 100_000
    arguments = fetch_arguments(hub, OTTER, destination, report_path)
    command = [sys.executable, "-m", "quantized_model_jobs.fetch", *arguments]
    with subprocess.Popen(command) as ended:  # noqa: S603 - our own program
        while not hub.bytes_sent[f"{OTTER}/{SHARD}"]:
            Event().wait(0.05)
        ended.send_signal(signal.SIGTERM)
        assert ended.wait(5) == TRY_AGAIN
    assert read_report(report_path).transient
    assert not (destination / ".quantized-model-fetch/lock").exists()


def test_a_wrong_file_in_the_folder_is_replaced(
    hub: Hub, destination: Path, source: Path, report_path: Path
) -> None:
    """A file of the right size without a manifest is believed only by its digest."""
    destination.mkdir(parents=True)
    (destination / SHARD).write_bytes(b"x" * (source / SHARD).stat().st_size)
    other = shard_names(3)[1]
    (destination / other).write_bytes((source / other).read_bytes())
    assert run_fetch(hub, OTTER, destination, report_path) == FILLED
    assert_filled(destination, source)
    assert f"{OTTER}/{other}" not in hub.bytes_sent


def test_verify_reads_a_filled_folder(
    hub: Hub, destination: Path, source: Path, report_path: Path
) -> None:
    """Damage of equal size is found when asked for, and only that file is fetched again."""
    run_fetch(hub, OTTER, destination, report_path)
    hub.forget_counts()
    (destination / SHARD).write_bytes(b"x" * (source / SHARD).stat().st_size)
    assert run_fetch(hub, OTTER, destination, report_path) == FILLED
    assert hub.total_requests() == 0
    assert run_fetch(hub, OTTER, destination, report_path, "--verify") == FILLED
    assert_filled(destination, source)
    assert set(hub.bytes_sent) == {f"{OTTER}/{SHARD}"}


def test_a_lost_file_is_fetched_again(
    hub: Hub, destination: Path, source: Path, report_path: Path
) -> None:
    """A manifest without its files does not count as filled."""
    run_fetch(hub, OTTER, destination, report_path)
    (destination / SHARD).unlink()
    assert run_fetch(hub, OTTER, destination, report_path) == FILLED
    assert_filled(destination, source)


def test_another_commit_replaces_what_changed(
    hub: Hub, destination: Path, source: Path, report_path: Path
) -> None:
    """In a folder of an older commit equal files are kept and dropped ones removed."""
    (source / "added_tokens.json").write_text("{}")
    run_fetch(hub, OTTER, destination, report_path)
    (source / "added_tokens.json").unlink()
    (source / "generation_config.json").write_text('{"do_sample": true}')
    hub.forget_counts()
    assert run_fetch(hub, OTTER, destination, report_path) == FILLED
    assert_filled(destination, source)
    assert set(hub.bytes_sent) == {f"{OTTER}/generation_config.json"}


def test_an_unknown_commit_is_refused(hub: Hub, destination: Path, report_path: Path) -> None:
    """A commit that is gone from the hub will not come back by trying."""
    arguments = fetch_arguments(hub, OTTER, destination, report_path)
    arguments[arguments.index("--commit") + 1] = "0" * 40
    command = [sys.executable, "-m", "quantized_model_jobs.fetch", *arguments]
    assert subprocess.run(command, check=False).returncode == REFUSED  # noqa: S603
    assert the_problem(read_report(report_path))[0] == "RevisionNotFound"


def test_a_gated_repository_needs_its_token(
    hub: Hub, destination: Path, tmp_path: Path, report_path: Path
) -> None:
    """Without a token it is refused, with one it arrives, and no store sees the token."""
    assert run_fetch(hub, GATED, destination, report_path) == REFUSED
    assert the_problem(read_report(report_path))[0] == "TokenRefused"
    token_file = tmp_path / "token"
    more = ("--token-file", str(token_file))
    assert run_fetch(hub, GATED, destination, report_path, *more) == REFUSED
    assert the_problem(read_report(report_path))[0] == "TokenMissing"
    token_file.write_text(GOOD_TOKEN)
    assert run_fetch(hub, GATED, destination, report_path, *more) == FILLED
    assert_filled(destination, tmp_path / "hub" / GATED)


def test_too_little_space_is_told_before_any_transfer(tmp_path: Path) -> None:
    """Weights larger than the volume are refused with what is asked and what is free."""
    cache = CacheFolder(tmp_path, "one")
    cache.prepare()
    check_space(cache, {"small.safetensors": HubFile(1, "", "0" * 40)})
    with pytest.raises(HubRefusalError) as caught:
        check_space(cache, {"huge.safetensors": HubFile(2**60, "", "0" * 40)})
    problem = caught.value.problem
    assert (problem.reason, problem.field) == ("DiskFull", "spec.cache")
    assert "1073741824.0 GiB have still to be written" in problem.message


def test_present_files_and_parts_need_no_space(tmp_path: Path) -> None:
    """Only what has still to be written is asked for."""
    cache = CacheFolder(tmp_path, "one")
    cache.prepare()
    (tmp_path / "a").write_bytes(b"x" * 10)
    cache.adopt_part("b", "sha256:0").write_bytes(b"x" * 30)
    assert cache.missing_bytes({"a": 10, "b": 100}) == 70
    assert cache.missing_bytes({"a": 11}) == 0
    assert cache.missing_bytes({"a": 10}) == 0


@pytest.mark.parametrize(
    ("number", "reason", "is_transient"),
    [
        (errno.ENOSPC, "DiskFull", False),
        (errno.EDQUOT, "DiskFull", False),
        (errno.EROFS, "FetchFailed", False),
        (errno.EACCES, "FetchFailed", False),
        (errno.EIO, "FetchFailed", True),
        (errno.ESTALE, "FetchFailed", True),
    ],
)
def test_failures_of_the_volume_are_told_apart(
    number: int,
    reason: str,
    is_transient: bool,  # noqa: FBT001
) -> None:
    """A full or read-only volume stays so, other trouble may pass."""
    report = fetch.volume_failure(OSError(number, os.strerror(number)), Path("/models/otter"))
    assert report.problems[0].reason == reason
    assert report.transient is is_transient


def test_a_folder_that_cannot_exist_is_refused(hub: Hub, tmp_path: Path, report_path: Path) -> None:
    """A destination below a file, as a wrong mount would be, is a verdict."""
    blocked = tmp_path / "blocked"
    blocked.write_text("")
    assert run_fetch(hub, OTTER, blocked / "otter", report_path) == REFUSED
    assert the_problem(read_report(report_path))[0] == "FetchFailed"
