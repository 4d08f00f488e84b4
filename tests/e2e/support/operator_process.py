"""The operator as a process of its own, told by environment, heard by log and metrics."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import IO

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_PORT = re.compile(r"serves health and metrics on port (\d+)")


class OperatorProcess:
    """Started at once; ``wait_working`` returns when it reconciles."""

    def __init__(self, kubeconfig: Path, log: Path, settings: Mapping[str, str]) -> None:
        self.log = log
        self.started_at = time.monotonic()
        self._lines: list[str] = []
        self._news = threading.Condition()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "quantized_model_operator", "run"],
            env=_environment(kubeconfig) | dict(settings),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        assert self._process.stderr is not None
        self._reader = threading.Thread(
            target=self._read, args=(self._process.stderr,), name="log of the operator", daemon=True
        )
        self._reader.start()

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def wait_working(self, timeout_seconds: float = 60.0) -> float:
        """Seconds from the start until it reconciles."""
        self.wait_said(r"working on \d+ models", timeout_seconds)
        return time.monotonic() - self.started_at

    def wait_said(self, pattern: str, timeout_seconds: float = 60.0, *, after: int = 0) -> str:
        """The first line of the log that matches, from line ``after`` on."""
        deadline = time.monotonic() + timeout_seconds
        with self._news:
            while True:
                found = next((n for n in self._lines[after:] if re.search(pattern, n)), None)
                if found is not None:
                    return found
                left = deadline - time.monotonic()
                if left <= 0 or not self._reader.is_alive():
                    tail = "\n".join(self._lines[-30:])
                    raise AssertionError(f"the operator never said {pattern!r}:\n{tail}")
                self._news.wait(left)

    def said(self, pattern: str) -> list[str]:
        """All lines of the log that match."""
        with self._news:
            return [line for line in self._lines if re.search(pattern, line)]

    def lines(self) -> int:
        """How many lines the log has."""
        with self._news:
            return len(self._lines)

    def get(self, path: str) -> str:
        """What the process itself answers, for example to ``/metrics``."""
        found = _PORT.search(self.wait_said(_PORT.pattern))
        assert found is not None
        url = f"http://127.0.0.1:{found.group(1)}{path}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            text: str = answer.read().decode()
        return text

    def metric(self, series: str) -> float | None:
        """The value of a series, given as the exposition writes it."""
        for line in self.get("/metrics").splitlines():
            name, _, value = line.rpartition(" ")
            if name == series:
                return float(value)
        return None

    def stop(self, *, kill: bool = False, timeout_seconds: float = 15.0) -> tuple[int, float]:
        """End it by SIGTERM or SIGKILL; the exit code and the seconds that it took."""
        started = time.monotonic()
        if self.is_running:
            self._process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
        try:
            code = self._process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise
        seconds = time.monotonic() - started
        self._reader.join(timeout=5.0)
        return code, seconds

    def wait_ended(self, timeout_seconds: float) -> int:
        """The exit code of a process that ends by itself."""
        return self._process.wait(timeout_seconds)

    def pause(self) -> None:
        """Freeze the process, as a machine that hangs does."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a frozen process go on."""
        self._process.send_signal(signal.SIGCONT)

    def peak_memory_bytes(self) -> int:
        """The largest resident size so far."""
        text = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        found = re.search(r"VmHWM:\s+(\d+) kB", text)
        assert found is not None
        return int(found.group(1)) * 1024

    def cpu_seconds(self) -> float:
        """User and system time so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(") ")[2]
        user, system = fields.split()[11:13]
        return (int(user) + int(system)) / _TICKS_PER_SECOND

    def _read(self, stream: IO[str]) -> None:
        with self.log.open("w", encoding="utf-8") as copy, stream:
            for line in stream:
                copy.write(line)
                copy.flush()
                with self._news:
                    self._lines.append(line.rstrip("\n"))
                    self._news.notify_all()
        with self._news:
            self._news.notify_all()


def _environment(kubeconfig: Path) -> dict[str, str]:
    """Of this process without its own settings for an operator, with those that tests want."""
    inherited = {name: text for name, text in os.environ.items() if not name.startswith("QMO_")}
    return inherited | {
        "KUBECONFIG": str(kubeconfig),
        "QMO_OPERATOR_IMAGE": "mirror.example/operator:3",
        "QMO_HTTP_HOST": "127.0.0.1",
        "QMO_HTTP_PORT": "0",
        "QMO_LOG_FORMAT": "text",
        "QMO_LEADER_ELECTION": "false",
        "POD_NAMESPACE": "operator-home",
    }
