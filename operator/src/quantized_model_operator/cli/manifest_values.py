"""Values of YAML nodes as kubectl reads them: YAML 1.1 without dates and base-60 numbers.

Source: Kubernetes 1.37.2, ``kubectl label --local -o json``, measured 2026-11-24.
"""

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import yaml

_TAG = "tag:yaml.org,2002:"
_TRUE = frozenset({"y", "yes", "true", "on"})
_INTEGER_LIMIT = 10**21
"""Above it a number is written with an exponent, and is no integer to the API server any more."""

_PLAIN = (
    ("bool", re.compile(r"(?:[yYnN]|yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE"
                        r"|on|On|ON|off|Off|OFF)\Z"), "yYnNtTfFoO"),
    ("null", re.compile(r"(?:~|null|Null|NULL|)\Z"), "~nN"),
    ("int", re.compile(r"[-+]?(?:0b[01_]+|0x[0-9a-fA-F_]+|0o?[0-7_]+|0|[1-9][0-9_]*)\Z"),
     "-+0123456789"),
    ("float", re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z"),
     "-+.0123456789"),
    ("merge", re.compile(r"<<\Z"), "<"),
)  # fmt: skip
"""What an unquoted scalar may mean: tag, form, first characters. Anything else is a string."""


class ManifestLoader(yaml.CSafeLoader):
    """Composes nodes whose tags are those that kubectl gives them."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012


for _name, _form, _first in _PLAIN:
    ManifestLoader.add_implicit_resolver(_TAG + _name, _form, list(_first))
ManifestLoader.yaml_implicit_resolvers[""] = [(_TAG + "null", _PLAIN[1][1])]


def value_of(node: yaml.Node, around: tuple[int, ...] = ()) -> Any:  # noqa: ANN401 - any JSON
    """The JSON value of a node; raises ``yaml.MarkedYAMLError`` where it has none."""
    if isinstance(node, yaml.ScalarNode):
        return _scalar(node)
    if id(node) in around:
        raise _error(node, "it contains itself")
    inside = (*around, id(node))
    if isinstance(node, yaml.SequenceNode):
        return [value_of(item, inside) for item in node.value]
    return _mapping(node, inside)


def key_of(node: yaml.Node) -> str:
    """The text of a key; raises ``yaml.MarkedYAMLError`` for a key that is no scalar."""
    if not isinstance(node, yaml.ScalarNode):
        raise _error(node, "a key must be a text")
    if node.tag == _TAG + "str":
        return str(node.value)
    value = _scalar(node)
    return str(value).lower() if isinstance(value, bool) else str(value)


def is_merge(key: yaml.Node) -> bool:
    """Whether the key is ``<<``, which takes over the fields of other mappings."""
    return bool(key.tag == _TAG + "merge")


def _mapping(node: yaml.Node, around: tuple[int, ...]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    own: dict[str, Any] = {}
    for key, child in node.value:
        if is_merge(key):
            value = value_of(child, around)
            for part in value if isinstance(value, list) else [value]:
                if not isinstance(part, dict):
                    raise _error(child, "only mappings can be merged with <<")
                merged = {**part, **merged}
        else:
            own[key_of(key)] = value_of(child, around)
    return {**merged, **own}


def _scalar(node: yaml.ScalarNode) -> Any:  # noqa: ANN401 - any JSON scalar
    convert = _CONVERSIONS.get(node.tag.removeprefix(_TAG), str)
    try:
        return convert(node.value)
    except ValueError as error:
        raise _error(node, f"{node.value!r} is not of the type {node.tag}") from error


def _integer(text: str) -> int:
    plain = text.replace("_", "")
    sign = -1 if plain.startswith("-") else 1
    digits = plain.lstrip("+-")
    is_octal = len(digits) > 1 and digits[0] == "0" and digits[1].isdigit()
    return sign * int(digits, 8 if is_octal else 0)


def _number(text: str) -> int | float | str:
    """An integer where JSON would show one; a text where the number has no end."""
    value = float(text)
    if value in {float("inf"), float("-inf")}:
        return text
    return int(value) if value.is_integer() and abs(value) < _INTEGER_LIMIT else value


_CONVERSIONS: Mapping[str, Callable[[str], Any]] = MappingProxyType(
    {
        "bool": lambda text: text.lower() in _TRUE,
        "null": lambda _: None,
        "int": _integer,
        "float": _number,
        "str": str,
    }
)


def _error(node: yaml.Node, problem: str) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
