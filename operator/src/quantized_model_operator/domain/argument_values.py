"""Pure: the types of values in the tables of arguments, as vLLM converts them.

Source: vLLM 0.20.2 to 0.33.0 utils/argparse_utils.py and engine/arg_utils.py, 2026-11.
"""

import json
import re
from argparse import ArgumentTypeError
from collections.abc import Callable, Mapping

_SIZE = re.compile(r"(\d+(?:\.\d+)?)[kmgtKMGT]")


def converter(kind: str) -> Callable[[str], object] | None:
    """What makes a value of a text of this kind, or raises as argparse wants it; ``None``: any."""
    convert = _CONVERTERS.get(kind.removesuffix("?"))
    return _optional(convert) if convert and kind.endswith("?") else convert


def _whole_number(text: str) -> int:
    return int(text)


def _number(text: str) -> float:
    return float(text)


def _size(text: str) -> int:
    """``4096``, ``4k`` (4000) or ``4K`` (4096)."""
    text = text.strip()
    match = _SIZE.fullmatch(text)
    if match is None:
        return int(text)
    if text[-1].isupper() and "." in text:
        raise ArgumentTypeError(f"decimals are not allowed with {text[-1]}: {text!r}")
    power = "kmgt".index(text[-1].lower()) + 1
    return int(float(match[1]) * (1024 if text[-1].isupper() else 1000) ** power)


def _size_or_auto(text: str) -> int:
    return -1 if text.strip().lower() in {"-1", "auto"} else _size(text)


def _json(text: str) -> object:
    value: object = json.loads(text)
    return value


def _object(text: str) -> str:
    """Braces at least: numbers like 4k inside are vLLM's own and no JSON."""
    if not (text.strip().startswith("{") and text.strip().endswith("}")):
        raise ValueError(text)
    return text


def _optional(convert: Callable[[str], object]) -> Callable[[str], object]:
    def converted(text: str) -> object:
        return None if text in {"", "None"} else convert(text)

    converted.__name__ = convert.__name__
    return converted


def _named(convert: Callable[[str], object], name: str) -> Callable[[str], object]:
    """The converter under the name that argparse puts into 'invalid ... value'."""
    convert.__name__ = name
    return convert


_CONVERTERS: Mapping[str, Callable[[str], object]] = {
    "int": _named(_whole_number, "whole number"),
    "float": _named(_number, "number"),
    "size": _named(_size, "size (like 4096, 4k or 4K)"),
    "size-or-auto": _named(_size_or_auto, "size (like 4096, 4k, 4K or auto)"),
    "json": _named(_json, "JSON"),
    "object": _named(_object, "JSON object"),
    "text": str,
}
