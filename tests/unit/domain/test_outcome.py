"""Sentences about what a user can mend."""

from __future__ import annotations

import pytest

from quantized_model_operator.domain.outcome import Problem

FIELD = "spec.engine.dtype"


@pytest.mark.parametrize(
    ("field", "message", "sentence"),
    [
        (FIELD, "use float16", f"{FIELD}: use float16"),
        (FIELD, f"{FIELD}: use float16", f"{FIELD}: use float16"),
        (FIELD, f"too wide; set {FIELD}", f"{FIELD}: too wide; set {FIELD}"),
        ("", "the quota is used up", "the quota is used up"),
    ],
)
def test_a_sentence_begins_with_the_field(field: str, message: str, sentence: str) -> None:
    """The field at fault comes first and once, whether or not the message begins with it."""
    assert Problem(reason="InvalidSpec", field=field, message=message).sentence == sentence
