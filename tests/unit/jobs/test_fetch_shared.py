"""Several fetch programs and one folder: one works, and a dead one holds nobody up."""

from __future__ import annotations

import signal
import subprocess
import sys
from threading import Event
from typing import TYPE_CHECKING

from unit.jobs.program_runs import (
    FILLED,
    OTTER,
    assert_filled,
    fetch_arguments,
    files_of,
    run_fetch,
)
from unit.tiny_checkpoint import shard_names, write_checkpoint

if TYPE_CHECKING:
    from pathlib import Path

    from hub import Hub

SHARD = shard_names(3)[0]


def test_two_programs_transfer_once(
    hub: Hub, destination: Path, source: Path, report_path: Path
) -> None:
    """Pods that share a volume fetch once; the others wait and then find everything there."""
    hub.faults.bytes_per_second = 1_000_000
    arguments = fetch_arguments(hub, OTTER, destination, report_path)
    command = [sys.executable, "-m", "quantized_model_jobs.fetch", *arguments]
    programs = [subprocess.Popen(command) for _ in range(3)]  # noqa: S603 - our own program
    assert [program.wait(60) for program in programs] == [FILLED] * 3
    assert_filled(destination, source)
    sizes = {f"{OTTER}/{name}": len(content) for name, content in files_of(source).items()}
    assert dict(hub.bytes_sent) == sizes


def test_a_frozen_program_is_replaced(
    hub: Hub, destination: Path, source: Path, report_path: Path
) -> None:
    """When the one that fetches stands still another goes on, and the first gives way."""
    hub.faults.bytes_per_second = 300_000
    arguments = fetch_arguments(hub, OTTER, destination, report_path)
    command = [sys.executable, "-m", "quantized_model_jobs.fetch", *arguments]
    with subprocess.Popen(command) as frozen:  # noqa: S603 - our own program
        while hub.bytes_sent[f"{OTTER}/{SHARD}"] < 100_000:
            Event().wait(0.05)
        frozen.send_signal(signal.SIGSTOP)
        hub.faults.bytes_per_second = None
        try:
            assert run_fetch(hub, OTTER, destination, report_path) == FILLED
        finally:
            frozen.send_signal(signal.SIGCONT)
        assert frozen.wait(30) == FILLED
    assert_filled(destination, source)


def test_a_restarted_container_does_not_wait(
    hub: Hub, destination: Path, source: Path, report_path: Path
) -> None:
    """The lock of the same pod's dead container is taken over at once."""
    hub.faults.bytes_per_second = 300_000
    arguments = fetch_arguments(hub, OTTER, destination, report_path)
    arguments += ["--holder", "pod-1", "--stale-seconds", "600"]
    command = [sys.executable, "-m", "quantized_model_jobs.fetch", *arguments]
    with subprocess.Popen(command) as killed:  # noqa: S603 - our own program
        while not hub.bytes_sent[f"{OTTER}/{SHARD}"]:
            Event().wait(0.05)
        killed.kill()
    hub.faults.bytes_per_second = None
    more = ("--holder", "pod-1", "--stale-seconds", "600")
    assert run_fetch(hub, OTTER, destination, report_path, *more) == FILLED
    assert_filled(destination, source)


def test_several_checkpoints_do_not_disturb_each_other(
    hub: Hub, tmp_path: Path, report_path: Path
) -> None:
    """Folders beside each other on one volume are independent."""
    write_checkpoint(tmp_path / "hub/zoo/mink")
    for name in (OTTER, "zoo/mink"):
        folder = tmp_path / "models" / name
        assert run_fetch(hub, name, folder, report_path) == FILLED
        assert_filled(folder, tmp_path / "hub" / name)
