"""Values of options as `vllm serve` reads them."""

from __future__ import annotations

import click
import pytest

from quantized_model_operator.cli.vllm_values import AUTO_LENGTH, ModelLength, TokenCount


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("8192", 8192),
        ("8k", 8000),
        ("8K", 8192),
        ("25.6k", 25_600),
        ("1m", 1_000_000),
        ("1M", 1_048_576),
        (" 4k ", 4000),
    ],
)
def test_numbers_of_tokens(text: str, tokens: int) -> None:
    """Small suffixes are decimal, capital ones are binary."""
    assert TokenCount().convert(text, None, None) == tokens
    assert ModelLength().convert(text, None, None) == tokens


@pytest.mark.parametrize("text", ["auto", "-1"])
def test_auto_is_a_length_only(text: str) -> None:
    """``auto`` and -1 are lengths, not numbers of batched tokens."""
    assert ModelLength().convert(text, None, None) == AUTO_LENGTH
    with pytest.raises(click.BadParameter):
        TokenCount().convert(text, None, None)


@pytest.mark.parametrize("text", ["", "k", "8kb", "1.5", "1.5K", "0", "0k", "-8", "8 000", "eight"])
def test_what_is_no_number_of_tokens(text: str) -> None:
    """Fractions need a decimal suffix, and nothing is zero or below."""
    with pytest.raises(click.BadParameter):
        ModelLength().convert(text, None, None)
