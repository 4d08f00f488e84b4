"""`make bench-failures`: how soon the reason of a failed vLLM stands in the status.

failure_latency.py [ENDS]      default: 100

On a real node: QuantizedModels whose image replays logs of real failures. Each pod says in its
last line when it ends, to the nanosecond; the status carries that line in its excerpt, and a watch
says when it came. So the time is from the end of the process to the status, with the kubelet, its
Events, the operator and the API server between them. The table goes to failure_latency.md.
"""

import gzip
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from e2e.support import account, documents, watching
from e2e.support.audit import Audit
from e2e.support.operator_process import OperatorProcess
from qmo_cluster.cluster import Cluster
from qmo_cluster.images import load_images, write_archive
from qmo_cluster.lifecycle import down, up
from qmo_cluster.programs import Profile
from qmo_cluster.progress import Progress
from qmo_demo.installation import claim_on_node

REPOSITORY = Path(__file__).resolve().parents[2]
EVIDENCE = REPOSITORY / "tests/unit/domain/evidence"
REPLAY = Path(__file__).with_name("replay")
IMAGE = "localhost/replay:1"
NAMESPACE = "bench"
CLAIM = "weights"
REASONS = {
    "0.25.1-h200-7b-int8-fp8-kv-FAILS": "KvCacheDtypeUnsupported",
    "0.25.1-h200-7b-int8-kv-too-small-FAILS": "ModelLengthTooLong",
    "0.33.0-h200-0.5b-int4-tp2-exllama-FAILS": "IllegalTensorParallelSize",
}
"""Recorded logs, and what must be made of each."""
HARDWARE = {"device": "CPU", "cpu": "100m", "memory": "4Gi"}
_AT_ONCE = 4
"""Models whose pods run together: each asks for 4 GiB of the node."""
_END = re.compile(r"^replay ends at (\d+)$", re.MULTILINE)
_BATCH_SECONDS = 120.0


@dataclass
class Heard:
    """When the failure of each model was heard of, and what it was."""

    seconds: dict[str, float] = field(default_factory=dict)
    """From the end of the process to the watch's event."""
    reasons: dict[str, str] = field(default_factory=dict)

    def listen(self, models: watching.Objects) -> None:
        """Note the models that have a failure by now."""
        now = time.time_ns()
        for name, body in models.items():
            failure = (body.get("status") or {}).get("failure") or {}
            if name in self.seconds or "exitCode" not in failure:
                continue
            found = _END.search(failure.get("logExcerpt", ""))
            if found is None:
                raise AssertionError(f"{name}: the log was not read: {json.dumps(failure)}")
            self.seconds[name] = (now - int(found[1])) / 1e9
            self.reasons[name] = failure["reason"]


def main(arguments: list[str]) -> None:
    """Measure and write the table."""
    ends = int(arguments[0]) if arguments else 100
    progress = Progress()
    with tempfile.TemporaryDirectory(prefix="qmo-bench-", ignore_cleanup_errors=True) as folder:
        directory = Path(folder) / "c"
        cluster = up(Profile.NODE, directory, audit=True, progress=progress)
        try:
            text = _measured(cluster, Path(folder), ends, progress)
        finally:
            down(directory, progress=Progress(quiet=True))
    Path(__file__).with_suffix(".md").write_text(text, encoding="utf-8")
    sys.stdout.write(text)


def _measured(cluster: Cluster, folder: Path, ends: int, progress: Progress) -> str:
    load = os.getloadavg()[0]
    _import_replay(cluster, folder)
    rights = _prepare(cluster, folder)
    operator = OperatorProcess(
        account.write_kubeconfig(cluster, rights, folder / "kubeconfig"),
        folder / "operator.log",
        {"QMO_OPERATOR_IMAGE": IMAGE},
    )
    try:
        operator.wait_working()
        audit = Audit(cluster.layout.audit_log)
        mark = audit.mark()
        heard = Heard()
        began = time.monotonic()
        left = _models(ends)
        while models := tuple(islice(left, _AT_ONCE)):
            _fail(cluster, models, heard)
            progress.say(f"{len(heard.seconds)} of {ends} ends are told")
        seconds = time.monotonic() - began
        requests = audit.requests(rights.user, mark)
    finally:
        operator.stop()
    reads = sum(item.resource == "pods/log" for item in requests)
    writes = sum(item.short == "patch quantizedmodels/status" for item in requests)
    return table(sorted(heard.seconds.values()), seconds, load, reads / ends, writes / ends)


def _import_replay(cluster: Cluster, folder: Path) -> None:
    """An image from nothing: a static program and the recorded logs."""
    program = folder / "replay"
    subprocess.run(  # noqa: S603 - fixed arguments
        ["go", "build", "-trimpath", "-o", str(program), "."],  # noqa: S607 - found on the path
        cwd=REPLAY,
        env={**os.environ, "CGO_ENABLED": "0"},
        check=True,
    )
    files = {"replay": program}
    for name in REASONS:
        log = folder / f"{name}.log"
        log.write_bytes(gzip.decompress((EVIDENCE / f"{name}.log.gz").read_bytes()))
        files[f"logs/{name}.log"] = log
    archive = folder / "replay.tar"
    write_archive(archive, name=IMAGE, files=files, entrypoint=["/replay"])
    load_images(cluster.layout, [archive])


def _prepare(cluster: Cluster, folder: Path) -> account.Account:
    """The CRD, the operator's rights, and a claim whose checkpoint is known already."""
    cluster.kubectl("apply", "--server-side", "-f", str(REPOSITORY / "crds/quantizedmodels.yaml"))
    cluster.kubectl(
        "wait", "--for=condition=Established", "crd/quantizedmodels.serving.quantizedmodel.dev"
    )
    cluster.kubectl("create", "namespace", NAMESPACE)
    weights = folder / CLAIM
    (weights / "tiny").mkdir(parents=True)
    claim_on_node(cluster, weights, namespace_name=NAMESPACE, name=CLAIM)
    path = f"/api/v1/namespaces/{NAMESPACE}/persistentvolumeclaims/{CLAIM}"
    uid = cluster.api.get(path)["metadata"]["uid"]
    known = documents.facts(f"pvc://{CLAIM}/tiny", uid, integrity="Unverified")
    text = json.dumps(documents.record(NAMESPACE, known))
    cluster.kubectl("apply", "--server-side", "-f", "-", stdin=text)
    return account.create_account(cluster, "bench")


def _models(ends: int) -> Iterator[dict[str, Any]]:
    for number, log in enumerate(islice(cycle(REASONS), ends)):
        engine = {"image": IMAGE, "env": [{"name": "REPLAY_LOG", "value": f"{log}.log"}]}
        spec = documents.claim_spec(CLAIM, engine=engine) | {"hardware": HARDWARE}
        yield documents.model(NAMESPACE, f"otter-{number:03}", spec)


def _fail(cluster: Cluster, models: tuple[dict[str, Any], ...], heard: Heard) -> None:
    """Let some models fail together, listen, and remove them with their pods."""
    path = f"/apis/{documents.API_VERSION}/namespaces/{NAMESPACE}/quantizedmodels"
    names = {model["metadata"]["name"] for model in models}
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(models)})
    cluster.kubectl("apply", "--server-side", "-f", "-", stdin=text)

    def told(objects: watching.Objects) -> bool:
        heard.listen(objects)
        return names <= heard.seconds.keys()

    watching.until(cluster, path, told, timeout_seconds=_BATCH_SECONDS, what="all ends are told")
    for model in models:
        wanted = REASONS[_log_of(model)]
        assert heard.reasons[model["metadata"]["name"]] == wanted
    _remove(cluster)


def _remove(cluster: Cluster) -> None:
    """All models and pods, these while they wait for their next start: so nothing is drained."""

    def until(path: str, holds: Callable[[watching.Objects], bool], what: str) -> None:
        watching.until(cluster, path, holds, timeout_seconds=_BATCH_SECONDS, what=what)

    pods = f"/api/v1/namespaces/{NAMESPACE}/pods"
    where = f"--namespace={NAMESPACE}"
    until(pods, lambda found: all(map(_waits, found.values())), "pods are in back-off")
    cluster.kubectl("delete", "quantizedmodels", "--all", where, "--wait=false")
    until(f"/apis/apps/v1/namespaces/{NAMESPACE}/replicasets", lambda found: not found, "no owner")
    cluster.kubectl("delete", "pods", "--all", where, "--force", "--grace-period=0")
    until(pods, lambda found: not found, "no pod is left")


def _waits(pod: Mapping[str, Any]) -> bool:
    containers = pod["status"].get("containerStatuses") or ()
    return bool(containers) and all("waiting" in item["state"] for item in containers)


def _log_of(model: Mapping[str, Any]) -> str:
    (variable,) = model["spec"]["engine"]["env"]
    return str(variable["value"]).removesuffix(".log")


def table(latencies: list[float], seconds: float, load: float, reads: float, writes: float) -> str:
    """The result for people, in Markdown."""
    p99 = latencies[min(len(latencies) - 1, int(0.99 * len(latencies)))]
    cells = (
        f"{len(latencies)}",
        f"{load:.1f}",
        f"{statistics.median(latencies):.2f} s",
        f"{p99:.2f} s",
        f"{latencies[-1]:.2f} s",
        f"{reads:.2f}",
        f"{writes:.2f}",
        f"{seconds:.0f} s",
    )
    lines = [
        "# Benchmark: from the end of vLLM to its reason in the status",
        "",
        (
            f"{time.strftime('%Y-%m-%d')}, a node of {os.cpu_count()} cores shared with the "
            f"control plane and the operator, Python {platform.python_version()}, Kubernetes "
            "1.37.2. Pods replay logs of real failures and end; the time is from the last line of "
            "the log, which has its own clock, to the event of a watch on the model. The kubelet "
            "looks at its containers once a second, which is most of it. `make bench-failures` "
            "writes this file."
        ),
        "",
        "| ends | load | p50 | p99 | longest | log reads per end | status writes per model | all |",
        "|--:|--:|--:|--:|--:|--:|--:|--:|",
        f"| {' | '.join(cells)} |",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main(sys.argv[1:])
