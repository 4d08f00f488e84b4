"""Operators, functions and macros of CEL, as far as rules of the CRD use them."""

import operator
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

Variables = Mapping[str, Any]
Expression = Callable[[Variables], Any]


class RuleError(Exception):
    """The rule has no value here, for example because a field is absent."""


def truth(value: Any) -> bool:  # noqa: ANN401 - any CEL value
    """The value, which must be a boolean: CEL has no other notion of truth."""
    if not isinstance(value, bool):
        raise RuleError(f"no such overload: {value!r} is no boolean")
    return value


def select(holder: Any, key: Any) -> Any:  # noqa: ANN401 - any CEL value
    """The field of a mapping or the item of a list."""
    try:
        return holder[key]
    except (KeyError, IndexError, TypeError) as error:
        raise RuleError(f"no such key: {key}") from error


def matches(text: str, pattern: str) -> bool:
    """Whether a part of the text matches: a pattern of RE2, in which ``$`` is the very end."""
    return re.search(pattern.replace("$", r"\Z"), text) is not None


def _compared(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def run(left: Any, right: Any) -> bool:  # noqa: ANN401 - any CEL value
        try:
            return compare(left, right)
        except TypeError as error:
            raise RuleError(f"no such overload: {error}") from error

    return run


def _equal(left: Any, right: Any) -> bool:  # noqa: ANN401 - any CEL value
    """Equality in which true is not 1."""
    return bool(isinstance(left, bool) == isinstance(right, bool) and left == right)


def _each(
    items: Any,  # noqa: ANN401 - a list or a mapping
    variable: str,
    body: Expression,
    known: Variables,
) -> list[tuple[Any, Any]]:
    """The items with what the body gives for each; of a mapping, its keys."""
    return [(item, body({**known, variable: item})) for item in items]


def _all(items: Any, variable: str, body: Expression, known: Variables) -> bool:  # noqa: ANN401
    return all(truth(answer) for _, answer in _each(items, variable, body, known))


def _exists(items: Any, variable: str, body: Expression, known: Variables) -> bool:  # noqa: ANN401
    return any(truth(answer) for _, answer in _each(items, variable, body, known))


def _filter(items: Any, variable: str, body: Expression, known: Variables) -> list[Any]:  # noqa: ANN401
    return [item for item, answer in _each(items, variable, body, known) if truth(answer)]


def _map(items: Any, variable: str, body: Expression, known: Variables) -> list[Any]:  # noqa: ANN401
    return [answer for _, answer in _each(items, variable, body, known)]


BINARY: Mapping[str, Callable[[Any, Any], Any]] = MappingProxyType(
    {
        "==": _equal,
        "!=": lambda left, right: not _equal(left, right),
        "<": _compared(operator.lt),
        "<=": _compared(operator.le),
        ">": _compared(operator.gt),
        ">=": _compared(operator.ge),
        "in": lambda item, holder: any(_equal(item, other) for other in holder),
        "+": operator.add,
        "-": operator.sub,
    }
)
"""Operators of two operands; ``&&`` and ``||`` are apart, because they forgive errors."""

FUNCTIONS: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        "size": len,
        "startsWith": lambda text, start: text.startswith(start),
        "endsWith": lambda text, end: text.endswith(end),
        "contains": lambda text, part: part in text,
        "matches": matches,
    }
)

MACROS: Mapping[str, Callable[[Any, str, Expression, Variables], Any]] = MappingProxyType(
    {"all": _all, "exists": _exists, "filter": _filter, "map": _map}
)
