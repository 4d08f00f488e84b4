"""Waiting for a model by watching it, and saying each change of its state once."""

import json
import subprocess
import threading
from collections.abc import Iterator

from qmo_cluster.errors import fail
from qmo_cluster.progress import Progress
from qmo_demo.kubernetes import Document, Kubernetes


def condition(model: Document, kind: str) -> Document:
    """A condition of a model; empty when it has none of this kind."""
    conditions = model.get("status", {}).get("conditions", ())
    return next((item for item in conditions if item["type"] == kind), {})


def is_current(model: Document) -> bool:
    """Whether the status is about the spec as it is."""
    seen = model.get("status", {}).get("observedGeneration")
    return bool(seen == model["metadata"]["generation"])


def wait_ready(
    kubernetes: Kubernetes, namespace: str, name: str, *, seconds: float, progress: Progress
) -> Document:
    """The model once it is Ready.

    Raises:
        ClusterError: it is stalled, or the time is over; the message is the model's own.
    """
    last = ""
    for model in _watched(kubernetes, namespace, name, seconds):
        ready = condition(model, "Ready")
        said = f"{ready.get('reason', 'Created')}: {ready.get('message', 'nobody looked yet')}"
        if said != last:
            progress.say(f"model {name}: {said}")
        last = said
        if is_current(model) and ready.get("status") == "True":
            return model
        if is_current(model) and condition(model, "Stalled"):
            fail(f"The model is stalled, {said}")
    return fail(f"The model was not Ready within {seconds:g} s; last seen: {last}")


def _watched(
    kubernetes: Kubernetes, namespace: str, name: str, seconds: float
) -> Iterator[Document]:
    """Each state of the model as the API server tells it, until the time is over."""
    watch = subprocess.Popen(  # noqa: S603 - a fixed program, no shell
        [
            kubernetes.kubectl_program,
            "get",
            "quantizedmodel",
            name,
            f"--namespace={namespace}",
            "--watch",
            "--output=json",
        ],
        stdout=subprocess.PIPE,
        text=True,
        env=dict(kubernetes.environment),
    )
    end = threading.Timer(seconds, watch.terminate)
    end.start()
    try:
        yield from _documents(watch)
    finally:
        end.cancel()
        watch.terminate()
        watch.wait()


def _documents(watch: "subprocess.Popen[str]") -> Iterator[Document]:
    """Splits what kubectl prints: one indented JSON document after the other."""
    lines: list[str] = []
    for line in watch.stdout or ():
        lines.append(line)
        if line.rstrip() == "}":
            yield json.loads("".join(lines))
            lines.clear()
