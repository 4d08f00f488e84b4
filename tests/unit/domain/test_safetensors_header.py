"""Headers of safetensors files: what is accepted, and how each kind of damage is told."""

from __future__ import annotations

import json
import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantized_model_operator.domain.safetensors_header import (
    DamagedShardError,
    TruncatedShardError,
    parse_header,
)
from unit.tiny_checkpoint import linear, safetensors

JSON = st.recursive(
    st.none() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)
GOOD = safetensors(linear(256, 128))


def file_with(header: object, data: bytes = b"") -> bytes:
    """A file whose header is this JSON value."""
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def entry(begin: int, end: int, **changes: object) -> dict[str, object]:
    """A tensor of bytes."""
    return {"dtype": "U8", "shape": [end - begin], "data_offsets": [begin, end], **changes}


def test_a_sound_header_gives_types_shapes_and_offsets() -> None:
    """Every tensor of a sound file is described as it was written."""
    header = parse_header(GOOD, len(GOOD))
    assert set(header.tensors) == {"qweight", "qzeros", "scales", "g_idx"}
    assert header.tensors["qweight"].dtype == "I32"
    assert header.tensors["qweight"].shape == (32, 128)
    assert header.data_offset + header.tensors["g_idx"].end == len(GOOD)


def test_only_the_header_is_needed() -> None:
    """The bytes after the header are not looked at."""
    length = 8 + int.from_bytes(GOOD[:8], "little")
    assert parse_header(GOOD[:length], len(GOOD)) == parse_header(GOOD, len(GOOD))


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "only 0 bytes"),
        (b"\1\2\3", "only 3 bytes"),
        (GOOD[: len(GOOD) // 2], "the file has only"),
        (GOOD[:40], "the whole file only 40"),
        (GOOD + b"\0" * 16, "(+16 bytes)"),
    ],
)
def test_a_wrong_size_is_told_apart_from_damage(content: bytes, text: str) -> None:
    """A file that is too short or too long is called truncated, with the numbers."""
    with pytest.raises(TruncatedShardError) as caught:
        parse_header(content, len(content))
    assert text in str(caught.value)
    assert caught.value.reason == "ShardTruncated"


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"\xff" * len(GOOD), "impossible header length"),
        (b"\0" * len(GOOD), "impossible header length"),
        (GOOD[:8] + b"\xff" * (len(GOOD) - 8), "no JSON"),
        (file_with([1]), "no JSON object"),
        (file_with({"a": 1}), "does not describe a"),
        (file_with({"a": {"dtype": "U8", "shape": [1]}}), "does not describe a"),
        (file_with({"a": entry(0, 1, dtype=7)}, b"x"), "does not describe a"),
        (file_with({"a": entry(0, 1, shape=[-1])}, b"x"), "are no numbers"),
        (file_with({"a": entry(0, 1, shape=[True])}, b"x"), "are no numbers"),
        (file_with({"a": entry(0, 1, dtype="F3")}, b"x"), "unknown type F3"),
        (file_with({"a": entry(0, 1, shape=[2])}, b"x"), "shape and type do not make"),
        (file_with({"a": entry(0, 1), "b": entry(2, 3)}, b"xyz"), "before b has a gap"),
        (file_with({"a": entry(0, 2), "b": entry(1, 3)}, b"xyz"), "gap or overlaps"),
        (file_with({"a": entry(1, 2)}, b"xy"), "before a has a gap"),
    ],
)
def test_damage_is_named(content: bytes, text: str) -> None:
    """A header that cannot be true is called damaged, with what is wrong."""
    with pytest.raises(DamagedShardError) as caught:
        parse_header(content, len(content))
    assert text in str(caught.value)
    assert caught.value.reason == "ShardDamaged"


@given(st.binary(max_size=400), st.integers(0, 400))
def test_any_bytes_are_judged_without_another_error(noise: bytes, position: int) -> None:
    """Whatever the bytes are, they parse or are refused as damaged."""
    content = GOOD[:position] + noise + GOOD[position + len(noise) :]
    with suppress(DamagedShardError):
        parse_header(content, len(content))


@given(JSON)
def test_any_json_is_judged_without_another_error(value: object) -> None:
    """Whatever JSON the header holds, it parses or is refused as damaged."""
    content = file_with(value)
    with suppress(DamagedShardError):
        parse_header(content, len(content))
