"""Weights that are whole and wrong: vLLM starts with them, and is not let through."""

import json
from pathlib import Path

import pytest

from e2e.node.space import START_SECONDS, Space, facts
from e2e.support import documents

pytestmark = [pytest.mark.node, pytest.mark.timeout(1200)]

NOT_A_NUMBER = b"\x00\x7e"
"""In float16, little-endian."""


def test_a_model_whose_answers_are_not_numbers_never_serves(space: Space) -> None:
    """The startup probe refuses it, and status.failure says what the first answer was."""
    space.claim_with("weights", {"tiny": lambda folder: with_damaged_scales(space, folder)})

    space.model("otter", space.spec("pvc://weights/tiny"))
    told = space.until_told("otter", "AnswersDamaged", seconds=START_SECONDS)

    assert documents.reason(told, "Inspected") == "Inspected", facts(told)
    assert "not JSON compliant" in told["status"]["failure"]["message"], facts(told)
    assert told["status"]["readyReplicas"] == 0
    [pod] = space.pods("otter")
    [engine] = pod["status"]["containerStatuses"]
    assert not engine["ready"]


def with_damaged_scales(space: Space, folder: Path) -> None:
    """A copy whose header is right and whose scales are no numbers."""
    space.tiny_copy(folder)
    path = folder / "model.safetensors"
    content = bytearray(path.read_bytes())
    data = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:data])
    scales = [tensor for name, tensor in header.items() if name.endswith(".scales")]
    assert scales
    for tensor in scales:
        begin, end = (data + offset for offset in tensor["data_offsets"])
        content[begin:end] = NOT_A_NUMBER * ((end - begin) // len(NOT_A_NUMBER))
    path.write_bytes(content)
