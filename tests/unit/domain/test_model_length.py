"""The context length of a plan, and numbers for people."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantized_model_operator.domain.model_length import (
    length_problem,
    longest_length,
    one_decimal,
    short_count,
    unlimited_length,
)
from unit.domain.model_shapes import QWEN2_7B_INT4, changed

SILENT = changed(QWEN2_7B_INT4, max_model_length=0)


@pytest.mark.parametrize("requested", [None, 1, 32768])
def test_lengths_within_the_model_are_not_refused(requested: int | None) -> None:
    """No length, one token and the model's own limit are all accepted."""
    assert length_problem(QWEN2_7B_INT4, requested) is None


@pytest.mark.parametrize("requested", [0, -5, 32769])
def test_lengths_beyond_the_model_are_refused(requested: int) -> None:
    """A length the model was not made for is refused with its limit."""
    problem = length_problem(QWEN2_7B_INT4, requested)
    assert problem is not None
    assert (problem.reason, problem.field) == ("ModelLengthTooLong", "spec.engine.maxModelLen")
    assert "32768 or less" in problem.message


def test_a_model_that_states_no_limit_accepts_any() -> None:
    """Without a limit in its config any positive length is accepted, and 2048 is the default."""
    assert length_problem(SILENT, 999_999) is None
    assert length_problem(SILENT, 0) is not None
    assert unlimited_length(SILENT) == 2048


@pytest.mark.parametrize(
    ("requested", "tokens", "length"),
    [
        (None, 10**6, 32768),
        (None, 4096, 4096),
        (None, 0, None),
        (4096, 4096, 4096),
        (4097, 4096, None),
    ],
)
def test_the_longest_that_fits_is_taken(
    requested: int | None, tokens: int, length: int | None
) -> None:
    """A request fits or not; without one it is the model's limit or what fits."""
    assert longest_length(QWEN2_7B_INT4, requested, tokens) == length


@given(st.integers(0, 10**9), st.integers(1, 10**6))
def test_one_decimal_rounds_down(numerator: int, denominator: int) -> None:
    """The text is the ratio rounded down to a tenth."""
    text = one_decimal(numerator, denominator)
    tenths = int(text.replace(".", ""))
    assert len(text.split(".")[1]) == 1
    assert tenths * denominator <= numerator * 10 < (tenths + 1) * denominator


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (999, "999"), (1000, "1k"), (521_984, "521k"), (2_283_888, "2.2M")],
)
def test_counts_are_short(number: int, text: str) -> None:
    """Counts are written in thousands or millions, rounded down."""
    assert short_count(number) == text
