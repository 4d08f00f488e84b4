"""Models whose pods fail: each says why in its own words, others go on, and mending helps."""

import pytest

from e2e.node.asking import CALM_SECONDS, ask, asking_all_the_time
from e2e.node.space import Space, facts, restarts, uids
from e2e.support import documents
from e2e.support.world import Body
from qmo_demo import supplies

pytestmark = [pytest.mark.node, pytest.mark.timeout(1800)]

NO_IMAGE = "localhost/no-such-engine:9"
NO_FLAG = "--no-such-flag"
UNREAD_VERSION = "0.99.0"
"""A version whose arguments the operator does not know, so that vLLM itself has to refuse one."""
KILL_ENGINE = """
import os, pathlib, signal
paths = pathlib.Path("/proc").glob("[0-9]*/cmdline")
names = {int(path.parent.name): path.read_bytes() for path in paths}
[engine] = [pid for pid, name in names.items() if name.startswith(b"VLLM::EngineCore")]
os.kill(engine, signal.SIGKILL)
"""
FAR_TOO_MANY_BLOCKS = "--num-gpu-blocks-override=40000"
"""Of 256 KiB each with the tiny model: vLLM fills ten gibibytes."""


def test_failing_pods_tell_why_and_disturb_nobody(space: Space, healthy: Space) -> None:
    """Image, room, memory, arguments, a dead process: each has its reason, and ends with it."""
    exchange = space.site.exchanges[0]
    before = healthy.pods("otter")
    space.claim_with("weights", {"tiny": space.tiny_copy})
    with asking_all_the_time(
        healthy.url("otter"), "otter", exchange, pace_seconds=CALM_SECONDS
    ) as asked:
        put(space, "no-image", engine={"image": NO_IMAGE})
        put(space, "vast", hardware={"memory": "500Gi"})
        put(space, "mistaken", engine=unread_engine([NO_FLAG]))
        put(space, "hungry", engine={"args": [FAR_TOO_MANY_BLOCKS]})

        check(space.until_told("no-image", "ImagePullFailed"), NO_IMAGE)
        check(space.until_told("vast", "Unschedulable"), "1 Insufficient memory")
        mistaken = space.until_told("mistaken", "InvalidArgument", seconds=600)
        hungry = space.until_told("hungry", "OutOfMemory", seconds=600)

        check(mistaken, NO_FLAG)
        failure = mistaken["status"]["failure"]
        assert (failure["container"], failure["exitCode"]) == ("vllm", 2), failure
        assert NO_FLAG in failure["logExcerpt"], failure
        check(hungry, "spec.hardware.memory")
        for name in ("no-image", "vast", "hungry"):
            space.delete("quantizedmodels", name)
        space.change("mistaken", {"engine": None})
        mended = space.until_serving("mistaken")
        assert "failure" not in mended["status"], facts(mended)
        kill_engine(space, "mistaken")
        dead = space.until_told("mistaken", "EngineDied")
        assert dead["status"]["failure"]["exitCode"] == 0, facts(dead)
        again = space.until_serving("mistaken")

    assert "failure" not in again["status"], facts(again)
    assert restarts(space.pods("mistaken")) == 1
    assert ask(space.url("mistaken"), "mistaken", exchange.question) == exchange.answer
    assert asked.trouble == []
    assert asked.right > 0
    assert uids(healthy.pods("otter")) == uids(before)
    assert restarts(healthy.pods("otter")) == 0


def put(space: Space, name: str, **spec: object) -> None:
    """A model of the good checkpoint with something wrong in its spec."""
    space.model(name, space.spec("pvc://weights/tiny", **spec))


def unread_engine(args: list[str]) -> dict[str, object]:
    """The engine of this node under a version that has no tables."""
    return {
        "version": UNREAD_VERSION,
        "image": f"{supplies.ENGINE_REPOSITORY}:{supplies.ENGINE_VERSION}",
        "args": args,
    }


def kill_engine(space: Space, name: str) -> None:
    """End the process of vLLM that computes, as the kernel would."""
    [pod] = space.pods(name)
    where = (f"--namespace={space.namespace}", pod["metadata"]["name"])
    space.cluster.kubectl("exec", *where, "--", "python3", "-c", KILL_ENGINE)


def check(body: Body, text: str) -> None:
    """The message of Ready and the failure hold a text."""
    assert documents.condition(body, "Ready")["status"] == "False", facts(body)
    assert text in documents.condition(body, "Ready")["message"], facts(body)
    assert text in body["status"]["failure"]["message"], facts(body)
