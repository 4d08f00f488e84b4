"""The report fits into a termination message, whatever strangers wrote into a checkpoint."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantized_model_operator.domain.checkpoint import (
    REPORT_LIMIT_BYTES,
    CheckpointFacts,
    CheckpointProblem,
    InspectionReport,
    InvalidReportError,
    report_from_json,
    report_to_json,
)
from quantized_model_operator.domain.checkpoint_inspection import Evidence, inspect_checkpoint
from quantized_model_operator.domain.decoder_linears import MOST_LINEARS
from quantized_model_operator.domain.readable_text import readable_name
from quantized_model_operator.domain.tensor_facts import (
    LinearShape,
    MixtureOfExperts,
    TensorBytes,
)
from unit.tiny_checkpoint import Recipe, Tensor, config, safetensors, tensors

TEXTS = ("uri", "commit", "digest", "integrity", "architecture", "model_type", "dtype")
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


SIZES = st.integers(0, 2**44)
"""As large as a model could ever be: 16 TiB, or as many of anything."""
LINEARS = st.builds(
    LinearShape,
    name=st.text(max_size=60).map(lambda text: readable_name(text, 32)),
    inputs=SIZES,
    outputs=SIZES,
    split=st.sampled_from(["column", "row", "whole"]),
    kind=st.sampled_from(["dense", "expert"]),
    count=SIZES,
    bits=st.sampled_from([4, 8, 16]),
    group_size=st.sampled_from([-1, 32, 64, 128]),
)
BYTES = st.builds(TensorBytes, **{item.name: SIZES for item in fields(TensorBytes)})
MIXTURES = st.builds(MixtureOfExperts, **{item.name: SIZES for item in fields(MixtureOfExperts)})


def facts(words: list[str], number: int, **more: Any) -> CheckpointFacts:  # noqa: ANN401
    """Facts with these texts, and one number everywhere."""
    return CheckpointFacts(
        uri=words[0],
        commit=words[1],
        digest=words[2],
        integrity=words[3],
        architecture=words[4],
        model_type=words[5],
        dtype=words[6],
        bits=number,
        group_size=number,
        symmetric=False,
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
        has_tokenizer=False,
        has_chat_template=False,
        sliding_window=number,
        full_attention_layers=number,
        quantization_argument=True,
        **more,
    )


@given(
    words=st.lists(HOSTILE, min_size=7, max_size=7),
    number=SIZES,
    warnings=st.lists(HOSTILE, max_size=20).map(tuple),
    more=st.fixed_dictionaries(
        {
            "linears": st.lists(LINEARS, max_size=MOST_LINEARS).map(tuple),
            "mixture": st.none() | MIXTURES,
            "tensor_bytes": st.none() | BYTES,
        }
    ),
)
def test_any_facts_fit(
    words: list[str], number: int, warnings: tuple[str, ...], more: dict[str, Any]
) -> None:
    """Facts are kept whole but for their texts: every number, expert and linear arrives."""
    written = facts(words, number, warnings=warnings, **more)
    text = report_to_json(InspectionReport(facts=written))
    assert len(text.encode()) <= REPORT_LIMIT_BYTES
    read = report_from_json(text).facts
    assert read is not None
    texts: dict[str, Any] = dict(zip(TEXTS, words, strict=True))
    assert replace(read, **texts, warnings=warnings) == written


def test_the_largest_facts_fit_whole() -> None:
    """With every text, number and linear at its longest nothing is dropped."""
    largest = 2**44 - 1
    linear = LinearShape("n" * 32, largest, largest, "column", "expert", largest, 16, 1024)
    sizes = TensorBytes(**{item.name: largest for item in fields(TensorBytes)})
    mixture = MixtureOfExperts(**{item.name: largest for item in fields(MixtureOfExperts)})
    more = {"linears": (linear,) * MOST_LINEARS, "mixture": mixture, "tensor_bytes": sizes}
    written = facts(["\0" * 300] * 7, largest, warnings=("w" * 3000,) * 9, **more)
    text = report_to_json(InspectionReport(facts=written))
    assert len(text.encode()) <= REPORT_LIMIT_BYTES
    read = report_from_json(text).facts
    assert read is not None
    assert (read.linears, read.mixture, read.tensor_bytes) == (written.linears, mixture, sizes)


@given(st.integers(2**45, 2**300))
def test_numbers_beyond_any_model_still_fit(number: int) -> None:
    """Rather than a message that the kubelet cuts, later facts are left out."""
    linear = LinearShape("n" * 32, number, number, "column", "expert", number, 16, 128)
    written = facts(["w" * 64] * 7, 1, linears=(linear,) * MOST_LINEARS)
    text = report_to_json(InspectionReport(facts=written))
    assert len(text.encode()) <= REPORT_LIMIT_BYTES
    assert report_from_json(text).facts in (written, replace(written, linears=()))


def test_records_of_before_are_read() -> None:
    """A record without later facts is read as if they had their defaults."""
    first = facts([""] * 7, 1)
    document = json.loads(report_to_json(InspectionReport(facts=first)))
    for name in ("full_attention_layers", "quantization_argument"):
        del document["facts"][name]
    old = replace(first, full_attention_layers=0, quantization_argument=False)
    assert report_from_json(json.dumps(document)).facts == old
    assert not {"mixture", "tensor_bytes", "linears"} & set(document["facts"])


def test_records_of_later_versions_are_read() -> None:
    """Facts that this version does not know are passed over, inside of others too."""
    linear = LinearShape("up", 1, 2, "column", "dense", 3, 4, 128)
    sizes = TensorBytes(**{item.name: 5 for item in fields(TensorBytes)})
    mixture = MixtureOfExperts(**{item.name: 6 for item in fields(MixtureOfExperts)})
    known = facts([""] * 7, 1, linears=(linear,), tensor_bytes=sizes, mixture=mixture)
    document = json.loads(report_to_json(InspectionReport(facts=known)))
    document["facts"] |= {"later": [1]}
    document["facts"]["mixture"]["later"] = document["facts"]["tensor_bytes"]["later"] = 7
    document["facts"]["linears"][0].append("later")
    assert report_from_json(json.dumps(document)).facts == known


@pytest.mark.parametrize("text", ['{"version": 2}', '{"version": null}', "{}", "[]", "", "1"])
def test_reports_of_another_form_are_refused(text: str) -> None:
    """Another version, or no report at all, is told by one error."""
    with pytest.raises(InvalidReportError):
        report_from_json(text)


@pytest.mark.parametrize("rows", [[["up", 1]], "up", [7], {"up": 1}])
def test_linears_of_another_form_are_no_report(rows: object) -> None:
    """A record whose linears cannot be read is refused as a whole."""
    document = json.loads(report_to_json(InspectionReport(facts=facts([""] * 7, 1))))
    document["facts"]["linears"] = rows
    with pytest.raises(InvalidReportError):
        report_from_json(json.dumps(document))


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
