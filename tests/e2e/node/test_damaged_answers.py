"""Weights that no inspection finds wrong: vLLM starts with them, and is not let through."""

from pathlib import Path

import pytest

from e2e.node.space import START_SECONDS, Space, facts, overwrite_tensors
from e2e.support import documents

pytestmark = [pytest.mark.node, pytest.mark.timeout(1200)]

NORM = "model.norm.weight"
LARGEST = b"\xff\x7b"
"""The largest number of float16, little-endian: whatever it is multiplied with overflows."""


def test_a_model_whose_answers_are_not_numbers_never_serves(space: Space) -> None:
    """The startup probe refuses it, and status.failure says what the first answer was."""
    space.claim_with("weights", {"tiny": lambda folder: with_huge_norm(space, folder)})

    space.model("otter", space.spec("pvc://weights/tiny"))
    told = space.until_told("otter", "AnswersDamaged", seconds=START_SECONDS)

    assert documents.reason(told, "Inspected") == "Inspected", facts(told)
    assert "not JSON compliant" in told["status"]["failure"]["message"], facts(told)
    assert told["status"]["readyReplicas"] == 0
    [pod] = space.pods("otter")
    [engine] = pod["status"]["containerStatuses"]
    assert not engine["ready"]


def with_huge_norm(space: Space, folder: Path) -> None:
    """A copy in which everything is finite, and every answer overflows."""
    space.tiny_copy(folder)
    overwrite_tensors(folder / "model.safetensors", NORM, LARGEST)
