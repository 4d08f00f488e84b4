"""`make bench`: how fast models become Deployments and Services, and what that costs.

bench.py [N ...]     default: 1 100 300 1000

For each N a control plane of its own (etcd, API server, controller manager), an operator with the
chart's rights, and a namespace that knows the checkpoint. Models are created as fast as the API
server takes them. Times and requests come from the audit log, so that measuring costs nothing;
the table goes to results.md beside this file.
"""

import asyncio
import json
import os
import platform
import re
import ssl
import statistics
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import aiohttp

from e2e.support import account, documents
from e2e.support.audit import WRITES, Audit, Request
from e2e.support.operator_process import OperatorProcess
from qmo_cluster import credentials
from qmo_cluster.cluster import Cluster
from qmo_cluster.control_plane import kube_controller_manager
from qmo_cluster.lifecycle import down, up
from qmo_cluster.programs import Profile
from qmo_cluster.progress import Progress
from qmo_cluster.waiting import wait_until

REPOSITORY = Path(__file__).resolve().parents[2]
NAMESPACE = "bench"
_PARALLEL_CREATES = 16
_QUIET_SECONDS = 5.0
_CHILDREN = {"deployments.apps", "services"}


@dataclass(frozen=True)
class Result:
    """What one N cost."""

    models: int
    load: float
    """Processes that waited for a core in the minute before: what else the machine did."""
    create_seconds: float
    """Until the API server had taken all models."""
    latencies: list[float]
    """Seconds from the creation of each model to its Deployment and its Service."""
    all_seconds: float
    """From the first creation to the last Deployment or Service."""
    requests: Counter[str]
    peak_memory_bytes: int
    cpu_seconds: float
    ready_seconds: float
    writes_at_rest: int


def main(arguments: list[str]) -> None:
    """Measure every N and write the table."""
    progress = Progress()
    results = []
    for count in [int(text) for text in arguments] or [1, 100, 300, 1000]:
        progress.say(f"{count} models")
        results.append(measure(count, progress))
    text = table(results)
    (Path(__file__).parent / "results.md").write_text(text, encoding="utf-8")
    sys.stdout.write(text)


def measure(count: int, progress: Progress) -> Result:
    """One N on a cluster of its own."""
    with tempfile.TemporaryDirectory(prefix="qmo-bench-", ignore_cleanup_errors=True) as folder:
        directory = Path(folder) / "c"
        cluster = up(Profile.CONTROL_PLANE, directory, audit=True, progress=Progress(quiet=True))
        try:
            return _measure(cluster, Path(folder), count, progress)
        finally:
            down(directory, progress=Progress(quiet=True))


def _measure(cluster: Cluster, folder: Path, count: int, progress: Progress) -> Result:
    load = os.getloadavg()[0]
    _as_in_the_field(cluster)
    rights = _prepare(cluster)
    operator = OperatorProcess(
        account.write_kubeconfig(cluster, rights, folder / "kubeconfig"),
        folder / "operator.log",
        {"QMO_OPERATOR_IMAGE": "mirror.example/operator:3"},
    )
    try:
        ready_seconds = operator.wait_working()
        audit = Audit(cluster.layout.audit_log)
        began = audit.mark()
        started = time.monotonic()
        asyncio.run(_create(cluster, count))
        created = time.monotonic() - started
        _wait_quiet(audit, rights.user, began, count)
        quiet = audit.mark()
        progress.say(f"{count} models are served")
        time.sleep(_QUIET_SECONDS)  # noqa: TID251 - this is what is measured: nothing
        requests = audit.requests(rights.user, began)
        rest = [item for item in audit.requests(rights.user, quiet) if item.verb in WRITES]
        born = _births(audit, began)
        finished = _finished(requests)
        return Result(
            models=count,
            load=load,
            create_seconds=created,
            latencies=sorted((finished[name] - born[name]).total_seconds() for name in born),
            all_seconds=(max(finished.values()) - min(born.values())).total_seconds(),
            requests=Counter(item.short for item in requests),
            peak_memory_bytes=operator.peak_memory_bytes(),
            cpu_seconds=operator.cpu_seconds(),
            ready_seconds=ready_seconds,
            writes_at_rest=len(rest),
        )
    finally:
        operator.stop()


def _as_in_the_field(cluster: Cluster) -> None:
    """Nobody places or runs pods, and the controllers keep to the rates they have by default.

    So are the peers' figures taken. The tests' own clusters let controllers send more, so that
    tests wait less; here they would only take the cores from what is measured.
    """
    for name in ("kube-scheduler", "kwok", "kube-controller-manager"):
        cluster.stop(name)
    spec = kube_controller_manager(cluster.settings)
    arguments = [item for item in spec.argv if not item.startswith("--kube-api-")]
    cluster.processes.start(replace(spec, argv=arguments))


def _prepare(cluster: Cluster) -> account.Account:
    crd = REPOSITORY / "crds/quantizedmodels.yaml"
    cluster.kubectl("apply", "--server-side", "-f", str(crd))
    cluster.kubectl(
        "wait", "--for=condition=Established", "crd/quantizedmodels.serving.quantizedmodel.dev"
    )
    rights = account.create_account(cluster, "bench")
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    record = documents.record(NAMESPACE, documents.facts())
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": [space, record]})
    cluster.kubectl("apply", "--server-side", "-f", "-", stdin=text)
    return rights


async def _create(cluster: Cluster, count: int) -> None:
    """As fast as the API server takes them, over a handful of connections."""
    context = ssl.create_default_context(cafile=str(cluster.layout.credentials / "ca.crt"))
    token = credentials.admin_token(cluster.layout)
    path = f"/apis/{documents.API_VERSION}/namespaces/{NAMESPACE}/quantizedmodels"
    url = f"{cluster.settings.api_url}{path}"
    names = iter([f"model-{number:04}" for number in range(count)])
    connector = aiohttp.TCPConnector(ssl=context, limit=_PARALLEL_CREATES)
    headers = {"Authorization": f"Bearer {token}"}

    async def create_some(session: aiohttp.ClientSession) -> None:
        for name in names:
            body = documents.model(NAMESPACE, name, documents.cpu_spec())
            async with session.post(url, json=body) as answer:
                answer.raise_for_status()

    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
        await asyncio.gather(*(create_some(session) for _ in range(_PARALLEL_CREATES)))


def _wait_quiet(audit: Audit, user: str, began: int, count: int) -> None:
    """Until every model has both children and nothing was written for a while."""

    def served() -> bool:
        return len(_finished(audit.requests(user, began))) == count

    wait_until("all models are served", served, timeout_seconds=600, interval_seconds=1.0)
    audit.quiet(user, _QUIET_SECONDS, timeout_seconds=300)


def _finished(requests: list[Request]) -> dict[str, datetime]:
    """When the later one of Deployment and Service was there, by model."""
    first: dict[tuple[str, str], datetime] = {}
    for item in requests:
        if item.resource in _CHILDREN and item.verb == "patch":
            first.setdefault((item.name, item.resource), item.at)
    names = {name for name, _ in first}
    return {
        name: max(first[name, kind] for kind in _CHILDREN)
        for name in names
        if all((name, kind) in first for kind in _CHILDREN)
    }


def _births(audit: Audit, began: int) -> dict[str, datetime]:
    """When each model was created, by whoever did."""
    born: dict[str, datetime] = {}
    for line in audit._path.read_bytes()[began:].splitlines():  # noqa: SLF001 - a look at all users
        event = json.loads(line)
        what = event.get("objectRef", {})
        if what.get("resource") == "quantizedmodels" and event["verb"] == "create":
            name = what.get("name") or event["responseObject"]["metadata"]["name"]
            born[name] = datetime.fromisoformat(event["stageTimestamp"])
    return born


def table(results: list[Result]) -> str:
    """The results for people, in Markdown."""
    versions = f"Python {platform.python_version()}, Kubernetes 1.37.2"
    lines = [
        "# Benchmark: from QuantizedModels to Deployments and Services",
        "",
        (
            f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores shared with API server, etcd and "
            f"controller manager, {versions}. Load is the load average before the run: what else "
            "the machine did. One run each; requests are exact, times are noisy. `make bench` "
            "writes this file."
        ),
        "",
        (
            "| models | load | created in | p50 | p99 | all | writes per model | reads per model "
            "| writes at rest | peak RSS | CPU | ready in |"
        ),
        "|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    lines += [_row(result) for result in results]
    lines += ["", "Requests by the operator, Lease aside:", ""]
    lines += [
        f"* {result.models}: "
        + ", ".join(f"{number} {what}" for what, number in sorted(result.requests.items()))
        for result in results
    ]
    return "\n".join([*lines, ""])


def _row(result: Result) -> str:
    writes = sum(n for what, n in result.requests.items() if what.split()[0] in WRITES)
    # A path instead of a resource is discovery, once for each process.
    reads = sum(n for what, n in result.requests.items() if re.match("get [^/]", what))
    p99 = result.latencies[min(len(result.latencies) - 1, int(0.99 * len(result.latencies)))]
    cells = (
        f"{result.models}",
        f"{result.load:.1f}",
        f"{result.create_seconds:.1f} s",
        f"{statistics.median(result.latencies):.2f} s",
        f"{p99:.2f} s",
        f"{result.all_seconds:.1f} s",
        f"{writes / result.models:.2f}",
        f"{reads / result.models:.2f}",
        f"{result.writes_at_rest}",
        f"{result.peak_memory_bytes / 2**20:.0f} MiB",
        f"{result.cpu_seconds:.1f} s",
        f"{result.ready_seconds:.2f} s",
    )
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main(sys.argv[1:])
