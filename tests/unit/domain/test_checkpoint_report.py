"""The report fits into a termination message, whatever strangers wrote into a checkpoint."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from quantized_model_operator.domain.checkpoint import (
    REPORT_LIMIT_BYTES,
    CheckpointFacts,
    CheckpointProblem,
    InspectionReport,
    report_from_json,
    report_to_json,
)
from quantized_model_operator.domain.checkpoint_inspection import Evidence, inspect_checkpoint
from unit.tiny_checkpoint import Recipe, Tensor, config, safetensors, tensors

HOSTILE = st.text(max_size=1200)
PROBLEMS = st.lists(
    st.builds(CheckpointProblem, reason=HOSTILE, message=HOSTILE, field=HOSTILE), max_size=12
)
SOUND = tensors(Recipe(layers=1))


@given(PROBLEMS, st.integers(0, 10**12), st.booleans())
def test_any_problems_fit(problems: list[CheckpointProblem], count: int, transient: bool) -> None:  # noqa: FBT001
    """Texts are shortened until the report fits; the count of problems stays true."""
    report = InspectionReport(problems=tuple(problems), problem_count=count, transient=transient)
    text = report_to_json(report)
    assert len(text.encode()) <= REPORT_LIMIT_BYTES
    read = report_from_json(text)
    assert bool(read.problems) is bool(problems)
    assert not problems or read.problem_count == max(count, len(problems))


@given(st.lists(HOSTILE, min_size=7, max_size=7), st.lists(HOSTILE, max_size=20))
def test_any_facts_fit(words: list[str], warnings: list[str]) -> None:
    """Facts are kept whole but for their texts."""
    number = 2**60
    facts = CheckpointFacts(
        uri=words[0],
        commit=words[1],
        digest=words[2],
        integrity=words[3],
        architecture=words[4],
        model_type=words[5],
        dtype=words[6],
        bits=number,
        group_size=number,
        symmetric=True,
        desc_act=False,
        quantized_lm_head=False,
        weights_bytes=number,
        files=number,
        parameters=number,
        layers=number,
        hidden_size=number,
        intermediate_size=number,
        heads=number,
        kv_heads=number,
        head_size=number,
        vocabulary=number,
        max_model_length=number,
        tied_embeddings=False,
        has_tokenizer=True,
        has_chat_template=True,
        sliding_window=number,
        warnings=tuple(warnings),
    )
    text = report_to_json(InspectionReport(facts=facts))
    assert len(text.encode()) <= REPORT_LIMIT_BYTES
    read = report_from_json(text).facts
    assert read is not None
    assert read.weights_bytes == number


@settings(max_examples=60, deadline=None)
@given(
    names=st.lists(HOSTILE, max_size=6),
    words=st.lists(HOSTILE, min_size=3, max_size=3),
    number=st.integers() | st.none() | HOSTILE,
    files=st.lists(HOSTILE, max_size=6),
)
def test_hostile_checkpoints_give_a_report_that_fits(
    names: list[str], words: list[str], number: object, files: list[str]
) -> None:
    """Names of tensors, files and architectures, and any number, end in a verdict that fits."""
    odd = Tensor("U8", (1,), b"x")
    contents = {**SOUND, **{f"model.layers.0.{name}.qweight": odd for name in names}}
    document: dict[str, Any] = config(Recipe(layers=1))
    document |= {"architectures": [words[0]], "model_type": words[1], "dtype": words[2]}
    document["vocab_size"] = number
    weights = safetensors(contents)
    report = inspect_checkpoint(
        Evidence(
            uri="pvc://shelf/otter",
            commit="uid",
            sizes={
                "config.json": 1,
                "tokenizer.json": 1,
                "m.safetensors": len(weights),
                **dict.fromkeys((f"{name}.safetensors" for name in files), 0),
            },
            documents={"config.json": json.dumps(document).encode()},
            first_bytes={
                "m.safetensors": weights,
                **dict.fromkeys((f"{name}.safetensors" for name in files), b""),
            },
            digests={"config.json": "sha256:0", "m.safetensors": "header:0"},
        )
    )
    text = report_to_json(report)
    assert len(text.encode()) <= REPORT_LIMIT_BYTES
    assert text.isascii()
    report_from_json(text)
