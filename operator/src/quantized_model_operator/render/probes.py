"""Pure: when a container counts as started, ready and alive, and how long it may take.

The startup probe is a program in the container: it asks vLLM over loopback and judges the answers
by their log-probabilities and by the canary. A revision whose answers are damaged never starts,
so it never replaces a good one; the verdict is left in the termination message.
"""

import json
from importlib.resources import files
from typing import Any

from quantized_model_operator.domain.checkpoint import CheckpointFacts
from quantized_model_operator.domain.model import CacheKind, Canary, ResolvedModel
from quantized_model_operator.render.metadata import SERVER_PORT_NAME

STARTUP_PROGRAM = files("quantized_model_jobs").joinpath("startup_probe.py").read_text("utf-8")
_STARTUP_PERIOD_SECONDS = 5
_ANSWER_TIMEOUT_SECONDS = 60
_BASE_BUDGET_SECONDS = {"GPU": 900, "CPU": 600}
"""Twice the slowest start seen of each, and more. Our measurement: 276 s on an H100 in the rendered
pod's setting with nothing cached, no bytecode either (vLLM 0.33.0), 66 s on two shared cores
(vLLM 0.32.0)."""
_READ_BYTES_PER_SECOND = 50 * 10**6
"""A slow network file system."""
_FETCH_BYTES_PER_SECOND = 10 * 10**6
"""A slow connection to the hub."""
_IMAGE_PULL_SECONDS = 1800


def startup_budget_seconds(facts: CheckpointFacts, device: str) -> int:
    """How long vLLM may take from its start to its first answer."""
    return _BASE_BUDGET_SECONDS[device] + facts.weights_bytes // _READ_BYTES_PER_SECOND


def progress_deadline_seconds(model: ResolvedModel, facts: CheckpointFacts, device: str) -> int:
    """How long a rollout may go without progress: pulling, fetching and starting together."""
    fetched = 0 if model.cache.kind is CacheKind.NONE else facts.weights_bytes
    return (
        _IMAGE_PULL_SECONDS
        + fetched // _FETCH_BYTES_PER_SECOND
        + startup_budget_seconds(facts, device)
    )


def canary_argument(canary: Canary) -> str:
    """The canary as JSON in which the kubelet finds no ``$(VARIABLE)`` to replace.

    Source: Kubernetes 1.37 pkg/kubelet/prober/prober.go, which expands the commands of probes.
    """
    document = {"prompt": canary.prompt, "expect": canary.expect}
    return json.dumps(document).replace("$", r"\u0024")


def probes(served_name: str, canary: Canary | None, budget_seconds: int) -> dict[str, Any]:
    """The three probes of the vLLM container."""
    arguments = [served_name, canary_argument(canary)] if canary else [served_name]
    health = {"httpGet": {"path": "/health", "port": SERVER_PORT_NAME}}
    return {
        "startupProbe": {
            "exec": {"command": ["python3", "-c", STARTUP_PROGRAM, *arguments]},
            "periodSeconds": _STARTUP_PERIOD_SECONDS,
            "timeoutSeconds": _ANSWER_TIMEOUT_SECONDS,
            "failureThreshold": -(-budget_seconds // _STARTUP_PERIOD_SECONDS),
        },
        "readinessProbe": health | {"periodSeconds": 5, "timeoutSeconds": 5, "failureThreshold": 3},
        "livenessProbe": health | {"periodSeconds": 10, "timeoutSeconds": 5, "failureThreshold": 6},
    }
