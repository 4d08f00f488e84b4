"""Pure: what to type about a model: to mend it, to see its log, to ask it something."""

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Body = Mapping[str, Any]


def kubectl(namespace: str, context: str) -> list[str]:
    """How each command begins; the context is told when the user named one."""
    options = ["--context", context] if context else []
    return ["kubectl", *options, "--namespace", namespace]


def patch_command(begin: Sequence[str], name: str, failure: Body) -> str:
    """The remedy ready to be run; a suggestion that is no JSON is not passed on."""
    try:
        patch = json.loads(failure.get("suggestion") or "")
    except ValueError:
        return ""
    if not isinstance(patch, Mapping):
        return ""
    text = json.dumps(patch)
    return shlex.join([*begin, "patch", "quantizedmodel", name, "--type", "merge", "--patch", text])


def log_command(begin: Sequence[str], failure: Body) -> str:
    """Shows the log that the failure is about; empty where nothing has run."""
    pod, container = failure.get("pod"), failure.get("container")
    has_run = "exitCode" in failure or failure.get("logExcerpt")
    if not (pod and container and has_run):
        return ""
    previous = ["--previous"] if failure.get("logExcerpt") else []
    return shlex.join([*begin, "logs", str(pod), "--container", str(container), *previous])


def reach(begin: Sequence[str], model: Body) -> Iterator[str]:
    """Asks the model something from a terminal anywhere; inside the cluster the URL is enough."""
    metadata, spec = model["metadata"], model.get("spec") or {}
    if not (model.get("status") or {}).get("readyReplicas"):
        return
    port = (spec.get("service") or {}).get("port") or 80
    served = ((spec.get("model") or {}).get("servedNames") or [metadata["name"]])[0]
    key = ' -H "Authorization: Bearer $API_KEY"' if spec.get("apiKeySecretRef") else ""
    yield shlex.join([*begin, "port-forward", f"service/{metadata['name']}", f"8000:{port}"])
    body = json.dumps({"model": served, "messages": [{"role": "user", "content": "Hello"}]})
    yield (
        "curl http://localhost:8000/v1/chat/completions"
        f" -H 'Content-Type: application/json'{key} -d {shlex.quote(body)}"
    )
