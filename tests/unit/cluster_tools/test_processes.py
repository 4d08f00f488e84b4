"""Processes outlive their starter, are known exactly, and are found without their records."""

import os
import signal
from pathlib import Path

import pytest

from qmo_cluster.errors import ClusterError
from qmo_cluster.processes import (
    Processes,
    ProcessSpec,
    Running,
    end_processes,
    marked_processes,
    start_time,
)
from qmo_cluster.settings import Layout
from qmo_cluster.waiting import wait_until

SLEEP = ProcessSpec("sleeper", ["sleep", "60"])


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """The layout of an empty state folder."""
    return Layout.at(tmp_path)


def test_a_process_is_started_stopped_and_started_again(layout: Layout) -> None:
    """The record is enough to start the same process anew."""
    processes = Processes(layout)
    processes.start(SLEEP)
    first = processes.running("sleeper")

    processes.stop("sleeper")
    assert processes.running("sleeper") is None
    processes.start(processes.restart_spec("sleeper"))
    second = processes.running("sleeper")
    processes.stop("sleeper", kill=True)

    assert first is not None
    assert second is not None
    assert first != second


def test_a_reused_pid_is_not_ours(layout: Layout) -> None:
    """A process with the recorded pid but another start time is left alone."""
    processes = Processes(layout)
    processes.start(SLEEP)
    process = processes.running("sleeper")
    assert process is not None

    Running(process.pid, "1").end(signal.SIGKILL)

    assert processes.running("sleeper") == process
    processes.stop("sleeper", kill=True)


def test_a_process_that_ignores_the_wish_is_killed(layout: Layout) -> None:
    """SIGKILL follows when SIGTERM is not enough."""
    processes = Processes(layout)
    processes.start(ProcessSpec("deaf", ["sh", "-c", "trap '' TERM; echo up; sleep 60 & wait"]))
    wait_until("the trap is set", lambda: processes.log("deaf").read_text() == "up\n")
    deaf = processes.running("deaf")
    assert deaf is not None

    end_processes([deaf], patience_seconds=0.3)

    assert start_time(deaf.pid) is None
    end_processes(marked_processes(layout), patience_seconds=0)


def test_lost_records_hide_no_process(layout: Layout) -> None:
    """Processes and their children are found by the folder in their environment."""
    processes = Processes(layout)
    processes.start(ProcessSpec("parent", ["sh", "-c", "sleep 60 & wait"]))
    wait_until("both run", lambda: len(marked_processes(layout)) == 2)
    (layout.processes / "parent.json").unlink()

    end_processes(marked_processes(layout), patience_seconds=0)

    assert marked_processes(layout) == []
    assert os.getpid() not in [process.pid for process in marked_processes(layout)]


def test_other_folders_are_not_meant(layout: Layout, tmp_path: Path) -> None:
    """The search by environment finds nothing of a folder that merely begins alike."""
    processes = Processes(layout)
    processes.start(SLEEP)

    assert marked_processes(Layout(tmp_path.parent)) == []
    assert marked_processes(Layout(Path(f"{tmp_path}x"))) == []

    processes.stop("sleeper", kill=True)


def test_a_running_process_is_not_started_twice(layout: Layout) -> None:
    """A second start is an error and leaves the first alone."""
    processes = Processes(layout)
    processes.start(SLEEP)
    before = processes.running("sleeper")

    with pytest.raises(ClusterError, match="runs already"):
        processes.start(SLEEP)

    assert processes.running("sleeper") == before
    processes.stop("sleeper", kill=True)


def test_an_ended_process_is_quoted(layout: Layout) -> None:
    """The error about a process that ended by itself shows the end of its log."""
    processes = Processes(layout)
    processes.start(ProcessSpec("brief", ["sh", "-c", "echo no such otter; exit 3"]))
    wait_until("it ends", lambda: processes.running("brief") is None)

    with pytest.raises(ClusterError, match="no such otter"):
        processes.require_running("brief")


def test_an_unknown_process_is_an_error(layout: Layout) -> None:
    """Starting what never ran names the processes that did."""
    with pytest.raises(ClusterError, match="has no process otter"):
        Processes(layout).restart_spec("otter")
