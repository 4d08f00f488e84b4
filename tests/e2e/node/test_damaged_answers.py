"""Weights that no inspection finds wrong: vLLM starts with them, and is not let through."""

from pathlib import Path

import pytest

from e2e.node.space import START_SECONDS, Space, canary, facts, overwrite_tensors
from e2e.support import documents
from e2e.support.world import Body

pytestmark = [pytest.mark.node, pytest.mark.timeout(1800)]

NORM = "model.norm.weight"
LARGEST = b"\xff\x7b"
"""The largest number of float16, little-endian: whatever it is multiplied with overflows."""


def test_a_model_whose_answers_are_damaged_never_serves(space: Space) -> None:
    """The startup probe refuses numbers that are none and a canary that is silent, and says so."""
    exchange = space.site.exchanges[0]
    space.claim_with(
        "weights",
        {
            "overflowing": lambda folder: with_huge_norm(space, folder),
            "overwritten": space.overwritten_copy,
        },
    )
    space.model("otter", space.spec("pvc://weights/overflowing"))
    space.model("heron", space.spec("pvc://weights/overwritten", engine=canary(exchange)))

    otter = until_damaged(space, "otter")
    heron = until_damaged(space, "heron")

    assert "not JSON compliant" in otter["status"]["failure"]["message"], facts(otter)
    told = heron["status"]["failure"]["message"]
    assert f"spec.engine.canary expects {exchange.answer[:20]!r}"[:-1] in told, facts(heron)


def until_damaged(space: Space, name: str) -> Body:
    """The model once it says so; its checkpoint passed the inspection, its pod never was Ready."""
    told = space.until_told(name, "AnswersDamaged", seconds=START_SECONDS)
    assert documents.reason(told, "Inspected") == "Inspected", facts(told)
    assert told["status"]["readyReplicas"] == 0
    [pod] = space.pods(name)
    [engine] = pod["status"]["containerStatuses"]
    assert not engine["ready"]
    return told


def with_huge_norm(space: Space, folder: Path) -> None:
    """A copy in which everything is finite, and every answer overflows."""
    space.tiny_copy(folder)
    overwrite_tensors(folder / "model.safetensors", NORM, LARGEST)
