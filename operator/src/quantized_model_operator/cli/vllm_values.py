"""Pure: values of options as `vllm serve` reads them.

Source: vLLM 0.33.0 engine/arg_utils.py (``human_readable_int``, ``human_readable_int_or_auto``),
checked 2026-11.
"""

import re
from typing import Any

import click

AUTO_LENGTH = -1
"""What ``auto`` stands for: the longest that fits."""

_NUMBER = re.compile(r"(\d+(?:\.\d+)?)([kKmMgGtT]?)")
_POWERS = {"k": 1, "m": 2, "g": 3, "t": 4}


class TokenCount(click.ParamType[int]):
    """A whole number, also as ``8k`` (8000) or ``8K`` (8192)."""

    name = "tokens"

    def convert(
        self,
        value: Any,  # noqa: ANN401 - what click passes
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> int:
        """The number of tokens."""
        if isinstance(value, int):
            return value
        match = _NUMBER.fullmatch(value.strip())
        if match is None:
            self.fail(f"{value!r} is no number of tokens, such as 8192, 8k or 8K", param, ctx)
        digits, suffix = match.groups()
        if "." in digits and not suffix.islower():
            self.fail(
                f"{value!r} is no whole number; a fraction needs k or m, as 25.6k", param, ctx
            )
        factor = 1000 if suffix.islower() else 1024
        count = int(float(digits) * factor ** _POWERS.get(suffix.lower(), 0))
        if count < 1:
            self.fail(f"{value!r} is not above zero", param, ctx)
        return count


class ModelLength(TokenCount):
    """A number of tokens, or ``auto`` (also ``-1``) for the longest that fits."""

    name = "tokens|auto"

    def convert(
        self,
        value: Any,  # noqa: ANN401 - what click passes
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> int:
        """The number of tokens, or ``AUTO_LENGTH``."""
        if value in {"auto", str(AUTO_LENGTH), AUTO_LENGTH}:
            return AUTO_LENGTH
        return super().convert(value, param, ctx)
