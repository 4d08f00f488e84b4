"""Models from a hub: fetched by the real client inside the pods, resumed, verified, shared."""

import os
import shutil

import openai
import pytest

from e2e.node.asking import ask
from e2e.node.conftest import GATED, TOKEN
from e2e.node.space import Space, facts, pod_url, restarts
from e2e.support import documents, watching
from e2e.support.world import Body
from hub import Hub

pytestmark = [pytest.mark.node, pytest.mark.timeout(1800)]

MODEL = "otter"
WEIGHTS = "model.safetensors"
BROKEN_OFF_BYTES = 4_000_000
BYTES_PER_SECOND = 2_000_000
WRONG = "zoo/wrong"
WRONG_AND_SHARED = "zoo/wrong-and-shared"
KEY = "key-of-the-door"
ENGINE_USER = 2000


def put_repository(space: Space, repository: str) -> int:
    """Copy the good checkpoint to the hub; the size of its weights."""
    folder = space.site.hub_root / repository
    shutil.copytree(space.site.tiny.folder, folder, dirs_exist_ok=True)
    return (folder / WEIGHTS).stat().st_size


def requests_for(hub: Hub, repository: str) -> int:
    """How often the hub was asked for anything of a repository."""
    return sum(count for request, count in hub.requests.items() if repository in request)


def test_a_model_is_fetched_once_for_all_replicas(space: Space, hub: Hub) -> None:
    """A Job with the token fills the shared claim, goes on after a break, and is the only one."""
    exchange = space.site.exchanges[0]
    size = put_repository(space, GATED)
    hub.forget_counts()
    hub.faults.bytes_per_second = BYTES_PER_SECOND
    hub.faults.drop_after(f"{GATED}/{WEIGHTS}", BROKEN_OFF_BYTES)
    put_cache_claim(space)
    space.create("secrets", {"metadata": {"name": "hub"}, "stringData": {"token": TOKEN}})
    token = {"name": "hub", "key": "token"}

    space.model(
        MODEL,
        space.spec(f"hf://{GATED}", model={"tokenSecretRef": token}, cache={"claimName": "cache"}),
    )
    fetched_at = until_fetched(space)
    hub.faults.bytes_per_second = None
    ready = space.until_serving(MODEL)

    assert space.the("deployments", MODEL)["metadata"]["creationTimestamp"] >= fetched_at
    sent = hub.bytes_sent[f"{GATED}/{WEIGHTS}"]
    assert size <= sent < size + BROKEN_OFF_BYTES // 2, "it began anew"
    assert hub.leaked_tokens == 0
    repository = hub.repositories.get(GATED)
    assert repository is not None
    assert ready["status"]["model"]["resolvedRevision"] == repository.commit
    weights = documents.condition(ready, "WeightsReady")
    assert (weights["status"], weights["reason"]) == ("True", "Fetched"), facts(ready)
    assert ask(space.url(MODEL), MODEL, exchange.question) == exchange.answer

    hub.forget_counts()
    space.merge("quantizedmodels", MODEL, {"spec": {"replicas": 2}})
    space.until_serving(MODEL)

    pods = space.pods(MODEL)
    assert [ask(pod_url(pod), MODEL, exchange.question) for pod in pods] == [exchange.answer] * 2
    assert requests_for(hub, GATED) == 0
    assert restarts(pods) == 0


def test_wrong_bytes_never_reach_vllm(space: Space, hub: Hub) -> None:
    """A file with another digest than the hub's is told by name, and right bytes mend it alone."""
    exchange = space.site.exchanges[0]
    put_wrong_repository(space, hub, WRONG)
    space.create("secrets", {"metadata": {"name": "door"}, "stringData": {"key": KEY}})

    space.model(MODEL, space.spec(f"hf://{WRONG}", apiKeySecretRef={"name": "door", "key": "key"}))
    told = space.until_told(MODEL, "DigestMismatch")

    assert WEIGHTS in documents.condition(told, "Ready")["message"]
    assert told["status"]["failure"]["container"] == "fetch"
    [pod] = space.pods(MODEL)
    [engine] = pod["status"]["containerStatuses"]
    assert "waiting" in engine["state"], engine
    assert (engine["restartCount"], engine["lastState"]) == (0, {}), engine
    serve_right_bytes(hub, WRONG)
    ready = space.until_serving(MODEL)
    assert [item["metadata"]["uid"] for item in space.pods(MODEL)] == [pod["metadata"]["uid"]]
    assert documents.reason(ready, "WeightsReady") == "Fetched", facts(ready)
    assert "failure" not in ready["status"], facts(ready)
    assert ask(space.url(MODEL), MODEL, exchange.question, key=KEY) == exchange.answer
    with pytest.raises(openai.AuthenticationError):
        ask(space.url(MODEL), MODEL, exchange.question)


def test_wrong_bytes_keep_a_shared_claim_from_being_used(space: Space, hub: Hub) -> None:
    """No Deployment exists until a later Job has fetched what the hub states."""
    put_wrong_repository(space, hub, WRONG_AND_SHARED)
    put_cache_claim(space)

    space.model(MODEL, space.spec(f"hf://{WRONG_AND_SHARED}", cache={"claimName": "cache"}))
    told = space.until_told(MODEL, "DigestMismatch")

    assert WEIGHTS in documents.condition(told, "WeightsReady")["message"], facts(told)
    assert documents.condition(told, "WeightsReady")["status"] == "False"
    assert space.get("deployments", MODEL) is None
    serve_right_bytes(hub, WRONG_AND_SHARED)
    mended = space.until_told(MODEL, "Fetched", "WeightsReady")
    assert not documents.condition(mended, "Stalled"), facts(mended)
    assert space.get("deployments", MODEL) is not None


def put_wrong_repository(space: Space, hub: Hub, repository: str) -> None:
    """A repository whose weights arrive with one byte changed, behind all headers."""
    size = put_repository(space, repository)
    hub.faults.serve_wrong_bytes(f"{repository}/{WEIGHTS}", size - 1000)


def serve_right_bytes(hub: Hub, repository: str) -> None:
    """From now on."""
    hub.faults.serve_wrong_bytes(f"{repository}/{WEIGHTS}", 0, times=0)


def put_cache_claim(space: Space) -> None:
    """An empty claim that all pods may write, as a network file system would be."""
    space.claim_with("cache", {})
    os.chown(space.volume("cache"), ENGINE_USER, 0)


def until_fetched(space: Space) -> str:
    """When the Job that fetches was done; until then nothing of vLLM may exist."""

    def done(jobs: dict[str, Body]) -> str:
        return next((str(job["status"].get("completionTime", "")) for job in jobs.values()), "")

    found = watching.until(
        space.cluster,
        space.path("jobs"),
        lambda jobs: bool(done(dict(jobs))),
        selector="app.kubernetes.io/component=fetch",
        timeout_seconds=300,
        what="the Job that fetches is done",
    )
    return done(dict(found))
