"""The operator as a process: signals, users without a name, exit codes, what it imports."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from e2e.support.operator_process import OperatorProcess
from shell.cluster.clients import until
from shell.process.fake_cluster import LEASES, MODELS, FakeCluster

pytestmark = pytest.mark.shell

ELECTION = {"QMO_LEADER_ELECTION": "true", "POD_NAME": "operator-1", "POD_NAMESPACE": "system"}


@pytest.fixture
async def operator(cluster: FakeCluster, tmp_path: Path) -> AsyncIterator[OperatorProcess]:
    """A process that leads."""
    kubeconfig = cluster.write_kubeconfig(tmp_path / "kubeconfig")
    process = OperatorProcess(kubeconfig, tmp_path / "log", ELECTION)
    await asyncio.to_thread(process.wait_working, 30.0)
    yield process
    if process.is_running:
        await asyncio.to_thread(process.stop, kill=True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_cleanly(
    cluster: FakeCluster, operator: OperatorProcess, number: signal.Signals
) -> None:
    """SIGTERM and SIGINT end the process with code 0, its Lease given back, within 10 s."""
    os.kill(operator.pid, number)
    assert await asyncio.to_thread(operator.wait_ended, 10.0) == 0
    lease = cluster.get(LEASES, "system", "quantized-model-operator") or {}
    assert lease["spec"]["holderIdentity"] == ""


async def test_a_signal_ends_it_after_the_stream_was_restarted(
    cluster: FakeCluster, operator: OperatorProcess
) -> None:
    """Kopf's own signal handlers do not stay behind when its stream ends and begins again."""
    await until(lambda: any(watch.collection == MODELS for watch in cluster.watches))
    cluster.fail_watches(MODELS)
    await asyncio.to_thread(operator.wait_said, "the stream of models ended")
    code, seconds = await asyncio.to_thread(operator.stop)
    assert code == 0
    assert seconds < 10.0


async def test_a_reconcile_that_hangs_does_not_hold_up_the_end(
    cluster: FakeCluster, operator: OperatorProcess
) -> None:
    """With a write that the server never answers, SIGTERM still ends the process in 10 s."""
    cluster.fail("PATCH", 500, times=100, hang=True)
    cluster.add_model("otter")
    await until(lambda: cluster.count("PATCH") >= 1)
    code, seconds = await asyncio.to_thread(operator.stop)
    assert code == 0
    assert seconds < 10.0
    lease = cluster.get(LEASES, "system", "quantized-model-operator") or {}
    assert lease["spec"]["holderIdentity"] == ""


async def test_an_unreachable_server_does_not_hold_up_the_end(
    cluster: FakeCluster, operator: OperatorProcess
) -> None:
    """When nothing is answered any more, SIGTERM ends the process in 10 s."""
    await until(lambda: any(watch.collection == MODELS for watch in cluster.watches))
    for method in ("GET", "PUT", "PATCH", "POST", "WATCH"):
        cluster.fail(method, 500, times=1000, hang=True)
    cluster.fail_watches(MODELS)
    await asyncio.to_thread(operator.wait_said, "the stream of models ended")
    code, seconds = await asyncio.to_thread(operator.stop)
    assert code == 0
    assert seconds < 10.0


async def test_usr1_shows_the_stacks_and_nothing_else_happens(
    cluster: FakeCluster, operator: OperatorProcess
) -> None:
    """SIGUSR1 writes the stack of each thread to the log; the process goes on."""
    os.kill(operator.pid, signal.SIGUSR1)
    await asyncio.to_thread(operator.wait_said, r"most recent call first")
    assert await asyncio.to_thread(operator.get, "/livez") == "ok: leading\n"
    cluster.add_model("otter")
    await until(lambda: bool(cluster.status_of("otter")))


async def test_it_is_ready_within_two_seconds_of_processor_time(
    cluster: FakeCluster, operator: OperatorProcess
) -> None:
    """From its start until it works, the process uses less than two seconds of processor time."""
    assert operator.cpu_seconds() < 2.0
    assert operator.peak_memory_bytes() < 90 * 2**20
    assert cluster.writes() == []


async def test_a_user_without_a_name_can_run_it(cluster: FakeCluster, tmp_path: Path) -> None:
    """A user id that no passwd entry names, without a home, runs the operator."""
    nameless = """
        import pwd
        def absent(number):
            raise KeyError(f"getpwuid(): uid not found: {number}")
        pwd.getpwuid = absent
    """
    kubeconfig = cluster.write_kubeconfig(tmp_path / "kubeconfig")
    process = await start(nameless, str(kubeconfig))
    cluster.add_model("otter")
    await until(lambda: bool(cluster.status_of("otter")), 30.0)
    process.send_signal(signal.SIGTERM)
    said, log = await process.communicate()
    assert process.returncode == 0
    assert said == b"kopf\n"
    assert b"Traceback" not in log


async def test_a_standby_has_not_imported_kopf(cluster: FakeCluster, tmp_path: Path) -> None:
    """A process that does not lead has loaded neither kopf nor the Kubernetes client."""
    cluster.hold_lease("somebody-else")
    kubeconfig = cluster.write_kubeconfig(tmp_path / "kubeconfig")
    process = await start("", str(kubeconfig), QMO_LEADER_ELECTION="true")
    await until(lambda: any("/leases/" in seen.path for seen in cluster.seen), 30.0)
    process.send_signal(signal.SIGTERM)
    said, _ = await process.communicate()
    assert process.returncode == 0
    assert said == b"\n"


async def test_the_log_is_json_in_a_pod(cluster: FakeCluster, tmp_path: Path) -> None:
    """Without a terminal, each line of the log is one JSON object, kopf's own lines included."""
    kubeconfig = cluster.write_kubeconfig(tmp_path / "kubeconfig")
    process = OperatorProcess(
        kubeconfig, tmp_path / "log", {"QMO_LOG_FORMAT": "", "QMO_LOG_LEVEL": "debug"}
    )
    await asyncio.to_thread(process.wait_working, 30.0)
    assert await asyncio.to_thread(process.stop) is not None
    lines = (tmp_path / "log").read_text(encoding="utf-8").splitlines()
    assert len(lines) > 20
    documents = [json.loads(line) for line in lines]
    assert all({"time", "level", "logger", "message"} <= document.keys() for document in documents)
    assert any(document["logger"].startswith("kopf.") for document in documents)


def test_a_wrong_setting_ends_at_once_with_code_2() -> None:
    """A wrong value is told in one line on standard error, with exit code 2, within a second."""
    started = time.monotonic()
    ended = subprocess.run(
        [sys.executable, "-m", "quantized_model_operator", "run"],
        env={"QMO_OPERATOR_IMAGE": "x", "QMO_WORKERS": "many"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 2
    assert ended.stderr == "QMO_WORKERS is 'many', but must be a whole number from 1 to 256\n"
    assert time.monotonic() - started < 5.0


def test_a_taken_port_is_told_in_one_line(tmp_path: Path) -> None:
    """When the port is taken, the process ends with code 2 and one line that names the setting."""
    kubeconfig = tmp_path / "kubeconfig"
    FakeCluster().write_kubeconfig(kubeconfig)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = subprocess.run(
            [sys.executable, "-m", "quantized_model_operator", "run"],
            env=environment(str(kubeconfig), QMO_HTTP_PORT=str(port)),
            capture_output=True,
            text=True,
            check=False,
        )
    assert ended.returncode == 2
    expected = f"cannot listen on QMO_HTTP_PORT {port} of 127.0.0.1: address already in use\n"
    assert ended.stderr.lower() == expected.lower()


def test_importing_kopf_loads_no_client_and_blocks_none() -> None:
    """Kopf is imported without the Kubernetes client, which can be imported afterwards."""
    program = (
        "import sys\n"
        "from quantized_model_operator.shell.kopf_settings import kopf\n"
        "loaded = [m for m in ('kubernetes', 'kubernetes_asyncio', 'pykube') if m in sys.modules]\n"
        "import kubernetes\n"
        "print(loaded, kubernetes.__name__, 'kopf' in sys.modules)\n"
    )
    ended = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert ended.stdout == "[] kubernetes True\n"


def environment(kubeconfig: str, **settings: str) -> dict[str, str]:
    """Nothing of the test's own environment."""
    return {
        "KUBECONFIG": kubeconfig,
        "HOME": "/nonexistent",
        "QMO_OPERATOR_IMAGE": "mirror.example/operator:7",
        "QMO_HTTP_HOST": "127.0.0.1",
        "QMO_HTTP_PORT": "0",
        "QMO_LEADER_ELECTION": "false",
        "POD_NAMESPACE": "system",
        **settings,
    }


async def start(before: str, kubeconfig: str, **settings: str) -> asyncio.subprocess.Process:
    """Run some lines, then the operator; at its end it says which big packages it has loaded."""
    after = """
        import os, sys
        from quantized_model_operator.__main__ import main
        code = main(["run"], os.environ)
        print(*(name for name in ("kopf", "kubernetes") if name in sys.modules))
        sys.exit(code)
    """
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        textwrap.dedent(before) + textwrap.dedent(after),
        env=environment(kubeconfig, **settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd="/",
    )
