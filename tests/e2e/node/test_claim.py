"""A model in a claim: served, scaled, rolled out under load, and removed."""

import time
from typing import Any

import pytest

from e2e.node.asking import Streams, ask, asking_all_the_time
from e2e.node.node_site import Exchange
from e2e.node.space import START_SECONDS, Space, canary, facts, pod_url, restarts, uids
from e2e.support import documents, watching
from e2e.support.world import Body

pytestmark = [pytest.mark.node, pytest.mark.timeout(1800)]

MODEL = "otter"
ARGUMENT = "--max-logprobs=7"
STREAMS = 8
STREAM_TOKENS = 1900
PRE_STOP_SECONDS = 15
"""After so long a deleted pod gets its stop signal."""
LAST_BEGIN_SECONDS = 13
"""Near the signal, for streams that last a few seconds to meet it on a fast machine."""
CHECKPOINTS = 2
"""Folders of the claim that the model was served from, or was to be."""
CHILDREN = ("deployments", "replicasets", "services", "jobs", "pods")


def test_the_life_of_a_model_in_a_claim(space: Space) -> None:
    """It answers to the letter, also twice, also while it is replaced, and leaves no trace."""
    exchange = space.site.exchanges[0]
    serve(space)
    scale(space, exchange)
    refuse_damaged(space, exchange)
    roll_out(space, exchange)
    remove(space)


def serve(space: Space) -> None:
    """One replica answers every question as it learned to."""
    space.claim_with("weights", {"tiny": space.tiny_copy})
    space.model(MODEL, space.spec("pvc://weights/tiny"))

    ready = space.until_serving(MODEL)

    assert documents.reason(ready, "WeightsReady") == "IntegrityUnverified", facts(ready)
    assert "failure" not in ready["status"], facts(ready)
    exchanges = space.site.exchanges
    assert len(exchanges) > 1
    answers = [ask(space.url(MODEL), MODEL, exchange.question) for exchange in exchanges]
    assert answers == [exchange.answer for exchange in exchanges]


def scale(space: Space, exchange: Exchange) -> None:
    """Both of two replicas answer, and the first one stays when one is enough."""
    first = space.pods(MODEL)
    where = f"--namespace={space.namespace}"

    space.cluster.kubectl("scale", "quantizedmodel", MODEL, "--replicas=2", where)
    ready = space.until_serving(MODEL)

    pods = space.pods(MODEL)
    assert (ready["status"]["replicas"], len(pods)) == (2, 2)
    assert [ask(pod_url(pod), MODEL, exchange.question) for pod in pods] == [exchange.answer] * 2
    space.cluster.kubectl("scale", "quantizedmodel", MODEL, "--replicas=1", where)
    ready = space.until_serving(MODEL)
    left = space.pods(MODEL)
    assert (ready["status"]["replicas"], len(left)) == (1, 1)
    assert uids(left) <= uids(pods)
    assert uids(first) <= uids(pods)
    assert restarts(pods) == 0


def refuse_damaged(space: Space, exchange: Exchange) -> None:
    """Weights whose canary is silent never take the place of those that answer."""
    space.overwritten_copy(space.volume("weights") / "overwritten")

    space.change(MODEL, {"model": {"uri": "pvc://weights/overwritten"}, "engine": canary(exchange)})
    told = space.until_told(MODEL, "AnswersDamaged", seconds=START_SECONDS)

    assert "spec.engine.canary" in told["status"]["failure"]["message"], facts(told)
    assert told["status"]["readyReplicas"] == 1, facts(told)
    assert ask(space.url(MODEL), MODEL, exchange.question) == exchange.answer
    space.change(MODEL, {"model": {"uri": "pvc://weights/tiny"}, "engine": None})
    ready = space.until_serving(MODEL)
    assert "failure" not in ready["status"], facts(ready)
    space.until_pods(MODEL, lambda pods: len(pods) == 1)


def roll_out(space: Space, exchange: Exchange) -> None:
    """No request is lost: neither those in flight on the old replica nor new ones."""
    [old] = space.pods(MODEL)
    with asking_all_the_time(space.url(MODEL), MODEL, exchange) as asked:
        space.change(MODEL, {"engine": {"args": [ARGUMENT]}})
        space.until_pods(MODEL, lambda pods: any(has_started(pod) and is_new(pod) for pod in pods))
        with Streams(pod_url(old), MODEL, count=STREAMS, tokens=STREAM_TOKENS) as streams:
            space.until_pods(MODEL, lambda pods: is_ending(pods, old))
            ending = time.monotonic()
            streamed = streams.finish(last_begin=ending + LAST_BEGIN_SECONDS)
        space.until_serving(MODEL)
    end = last_end(space, old)

    assert asked.trouble == []
    assert asked.right > 0
    assert [item for item in streamed if not item.whole] == []
    signal = ending + PRE_STOP_SECONDS
    assert any(item.began < signal < item.ended for item in streamed), (signal, streamed)
    assert end["exitCode"] == 0, end
    [new] = space.pods(MODEL)
    assert is_new(new)
    assert restarts([new]) == 0
    assert ask(pod_url(new), MODEL, exchange.question) == exchange.answer


def remove(space: Space) -> None:
    """Everything goes with the model but the records of the inspections."""
    space.cluster.kubectl(
        "delete", "quantizedmodel", MODEL, f"--namespace={space.namespace}", "--wait=false"
    )
    for plural in CHILDREN:
        watching.until(
            space.cluster, space.path(plural), lambda objects: not objects, timeout_seconds=150
        )
    kept = space.cluster.api.get(space.path("configmaps"))["items"]
    ours = [item for item in kept if item["metadata"]["name"] != "kube-root-ca.crt"]
    labels = [item["metadata"].get("labels", {}) for item in ours]
    assert all(item == documents.RECORD_LABELS for item in labels), labels
    assert len(labels) <= CHECKPOINTS


def has_started(pod: Body) -> bool:
    """The startup probe of vLLM has got its answer."""
    states = pod["status"].get("containerStatuses", ())
    return any(state.get("started") for state in states)


def is_new(pod: Body) -> bool:
    """It was made from the changed spec."""
    return ARGUMENT in pod["spec"]["containers"][0]["args"]


def is_ending(pods: list[Body], old: Body) -> bool:
    """The pod is on its way out, or gone."""
    uid = old["metadata"]["uid"]
    return all("deletionTimestamp" in p["metadata"] for p in pods if p["metadata"]["uid"] == uid)


def last_end(space: Space, old: Body) -> dict[str, Any]:
    """How vLLM ended in a pod that is on its way out, once the pod is gone."""
    ends: list[dict[str, Any]] = [{}]
    name = old["metadata"]["name"]

    def gone(pods: list[Body]) -> bool:
        for pod in pods:
            if pod["metadata"]["name"] == name:
                states = pod["status"].get("containerStatuses", ())
                ends.extend(s["state"]["terminated"] for s in states if "terminated" in s["state"])
                return False
        return True

    space.until_pods(MODEL, gone, seconds=150)
    return ends[-1]
