"""Starts and stops a cluster's long-running processes; they outlive the program that starts them.

A process is known by pid *and* start time, so a reused pid is never mistaken for ours. Each carries
the state folder in its environment, which finds even those whose record was lost.
"""

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qmo_cluster.errors import ClusterError, fail
from qmo_cluster.settings import Layout
from qmo_cluster.waiting import wait_until

_MARKER = "QMO_PROCESS_OF"
_STOP_SECONDS = 15
# The API server waits for open watches to end by themselves, which they do not.
_PATIENCE_SECONDS = {"kube-apiserver": 1.0}
_LOG_LINES_SHOWN = 12


@dataclass(frozen=True)
class ProcessSpec:
    """How one process is started."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Running:
    """One live process."""

    pid: int
    started: str

    def is_alive(self) -> bool:
        """Whether it is still there; a dead child of ours is reaped on the way."""
        return start_time(self.pid) == self.started

    def end(self, number: signal.Signals) -> None:
        """Send a signal, unless it is gone."""
        if self.is_alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


def start_time(pid: int) -> str | None:
    """The kernel's start time of a live process, else None; zombies count as dead.

    A killed process is shown as a zombie while its other threads still end, and until the last
    one has ended its ports are taken: such a one counts as alive.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        threads = len(list(Path(f"/proc/{pid}/task").iterdir()))
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The second field is the name in brackets and may contain blanks and brackets.
    fields = stat.rpartition(")")[2].split()
    if fields[0] == "Z" and threads <= 1:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
        return None
    return fields[19]


class Processes:
    """The processes of one cluster, by name."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def start(self, spec: ProcessSpec) -> None:
        """Start a process and record it, its output going to its own log file.

        Raises:
            ClusterError: it runs already.
        """
        if self.running(spec.name):
            fail(f"{spec.name} runs already.")
        layout = self._layout
        layout.logs.mkdir(exist_ok=True)
        layout.processes.mkdir(exist_ok=True)
        env = {
            **os.environ,
            "PATH": f"{layout.programs}:{os.environ.get('PATH', '')}:/usr/sbin:/sbin",
            **spec.env,
            _MARKER: str(layout.directory),
        }
        with self.log(spec.name).open("ab") as log:
            child = subprocess.Popen(  # noqa: S603 - fixed programs, argument lists, no shell
                list(spec.argv),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=layout.directory,
                env=env,
                start_new_session=True,
            )
        # The process is followed by its record; the object would warn when it is collected.
        child.returncode = 0
        self._write(spec, Running(child.pid, start_time(child.pid) or "gone"))

    def restart_spec(self, name: str) -> ProcessSpec:
        """How a process was started before.

        Raises:
            ClusterError: it never was.
        """
        record = self._read(name)
        if record is None:
            names = ", ".join(self.names())
            fail(f"This cluster has no process {name}; it has {names}.")
        return ProcessSpec(name, record["argv"], record["env"])

    def stop(self, name: str, *, kill: bool = False) -> None:
        """End a process, at first politely, and wait until it is gone."""
        process = self.running(name)
        if process is not None:
            patience = 0 if kill else _PATIENCE_SECONDS.get(name, _STOP_SECONDS)
            end_processes([process], patience_seconds=patience)

    def running(self, name: str) -> Running | None:
        """The live process of this name, if there is one."""
        record = self._read(name)
        if record is None:
            return None
        process = Running(record["pid"], record["started"])
        return process if process.is_alive() else None

    def all_running(self) -> list[Running]:
        """Every recorded process that lives."""
        return [process for name in self.names() if (process := self.running(name))]

    def names(self) -> list[str]:
        """All processes that were ever started, in order of the alphabet."""
        return sorted(path.stem for path in self._layout.processes.glob("*.json"))

    def log(self, name: str) -> Path:
        """The log file of a process."""
        return self._layout.logs / f"{name}.log"

    def require_running(self, name: str) -> None:
        """Check that a process has not ended by itself.

        Raises:
            ClusterError: it has; the message quotes the end of its log.
        """
        if self.running(name) is None:
            lines = self.log(name).read_text(errors="replace").splitlines()[-_LOG_LINES_SHOWN:]
            shown = "\n  ".join(lines)
            fail(f"{name} ended; {self.log(name)} says:\n  {shown}")

    def _write(self, spec: ProcessSpec, process: Running) -> None:
        record = {
            "argv": list(spec.argv),
            "env": dict(spec.env),
            "pid": process.pid,
            "started": process.started,
        }
        path = self._layout.processes / f"{spec.name}.json"
        path.write_text(json.dumps(record, indent=2) + "\n")

    def _read(self, name: str) -> dict[str, Any] | None:
        try:
            text = (self._layout.processes / f"{name}.json").read_text()
        except FileNotFoundError:
            return None
        record: dict[str, Any] = json.loads(text)
        return record


def end_processes(processes: Iterable[Running], *, patience_seconds: float) -> None:
    """End all of them at once: SIGTERM, and SIGKILL for those that stay longer than that.

    Without patience SIGKILL is sent at once.
    """
    waiting = list(processes)

    def all_gone() -> bool:
        waiting[:] = [process for process in waiting if process.is_alive()]
        return not waiting

    if patience_seconds:
        for process in waiting:
            process.end(signal.SIGTERM)
        with contextlib.suppress(ClusterError):
            wait_until("processes end", all_gone, timeout_seconds=patience_seconds)
    for process in waiting:
        process.end(signal.SIGKILL)
    wait_until("killed processes end", all_gone, timeout_seconds=_STOP_SECONDS)


def marked_processes(layout: Layout) -> list[Running]:
    """All live processes that carry this state folder in their environment, shims included."""
    wanted = f"{_MARKER}={layout.directory}".encode()
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            if wanted in (folder / "environ").read_bytes().split(b"\0"):
                started = start_time(int(folder.name))
                if started is not None:
                    found.append(Running(int(folder.name), started))
    return found
