"""What a really running vLLM says about itself, beside what was planned before it started."""

import json

import pytest

from e2e.node.node_site import OPERATOR
from e2e.node.space import Space
from e2e.support import documents
from quantized_model_operator.cli import qm

pytestmark = [pytest.mark.node, pytest.mark.timeout(1200)]

MODEL = "otter"
BLOCK_TOKENS = 128
"""Of a KV cache on CPU."""


def test_a_plan_on_cpu_is_what_vllm_makes_of_it(healthy: Space) -> None:
    """Kernel, version and KV cache are as planned, to the block; the phases have their times."""
    status = healthy.the("quantizedmodels", MODEL)["status"]
    plan, engine = status["plan"], status["engine"]

    assert engine["kernel"] == plan["kernel"] == "CPUWNA16"
    assert engine["engineVersion"] == plan["engineVersion"]
    over = engine["kvCacheTokens"] - plan["kvCacheTokens"]
    assert 0 <= over <= BLOCK_TOKENS
    assert abs(engine["kvCacheBytesPerGpu"] - plan["kvCacheBytesPerGpu"]) < 1 << 20
    assert engine["startSeconds"] == sum(engine["phases"].values()) > 0
    assert "warnings" not in engine
    assert "plan" not in documents.condition({"status": status}, "Ready")["message"]


def test_the_log_is_read_once(healthy: Space) -> None:
    """There is one request for a log: of the first pod, and it was answered."""
    engine = healthy.the("quantizedmodels", MODEL)["status"]["engine"]
    reads = [
        request
        for request in healthy.audit.requests(OPERATOR.user)
        if request.resource == "pods/log" and request.namespace == healthy.namespace
    ]
    assert [(request.name, request.code) for request in reads] == [(engine["pod"], 200)]


def test_the_story_of_a_running_model(healthy: Space, capsys: pytest.CaptureFixture[str]) -> None:
    """`qm explain` tells its stages, its figures and how to reach it, and ends well."""
    kubeconfig = str(healthy.cluster.kubeconfig)
    where = ("explain", MODEL, "--namespace", healthy.namespace, "--kubeconfig", kubeconfig)

    code = qm.run([*where, "--output", "json"])

    told = json.loads(capsys.readouterr().out)
    assert (code, told["state"], told["reason"]) == (0, "Healthy", "Answering")
    stages = {stage["name"]: stage["state"] for stage in told["stages"]}
    assert set(stages.values()) == {"done"}
    assert {"inspect", "plan", "place", "start vLLM"} <= set(stages)
    assert {"name": "Kernel", "planned": "CPUWNA16", "reported": "CPUWNA16"} in told["figures"]
    assert told["reach"][0].endswith(f"port-forward service/{MODEL} 8000:80")
