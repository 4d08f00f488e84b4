"""Quantities as numbers."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantized_model_operator.domain.quantity import (
    InvalidQuantityError,
    gibibytes,
    parse_quantity,
)


@pytest.mark.parametrize(
    ("text", "number"),
    [("500m", "0.5"), ("0.5", "0.5"), ("4", "4"), (4, "4"), ("1Ki", "1024"), ("2G", "2000000000")],
)
def test_parse_quantity(text: str | int, number: str) -> None:
    """Suffixes are decimal or binary, as Kubernetes has them."""
    assert parse_quantity(text) == Decimal(number)


@pytest.mark.parametrize("text", ["", "Gi", "4GiB", "four", "1 Gi"])
def test_nonsense_is_named(text: str) -> None:
    """What is no quantity is refused with examples of one."""
    with pytest.raises(InvalidQuantityError, match="500m, 4 or 12Gi"):
        parse_quantity(text)


@given(st.integers(min_value=1, max_value=10**15))
def test_whole_mebibytes_never_lose(size: int) -> None:
    """Rounding up to mebibytes keeps at least what was asked, and less than one more."""
    rounded = int(parse_quantity(gibibytes(size)))
    assert size <= rounded < size + 2**20
