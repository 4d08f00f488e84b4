"""Compiles rules of the CRD, which are written in CEL, so that a file is judged without a cluster.

The part of the language that such rules use: anything else raises ``UnsupportedRuleError`` when
the rule is compiled, and a test compiles every rule of the CRD.
Source: Common Expression Language specification 0.25, checked 2026-11-24.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from quantized_model_operator.cli.cel_functions import (
    BINARY,
    FUNCTIONS,
    MACROS,
    Expression,
    RuleError,
    Variables,
    select,
    truth,
)

_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")|(?P<number>\d+(?:\.\d+)?)"
    r"|(?P<name>[A-Za-z_]\w*)|(?P<sign>&&|\|\||[=!<>]=|[-+<>!?:.,()\[\]]))"
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}
_LEVELS: tuple[tuple[str, ...], ...] = (
    ("==", "!=", "<", "<=", ">", ">=", "in"),
    ("+", "-"),
)
"""Operators of two operands beside && and ||, those that bind less first."""


class UnsupportedRuleError(ValueError):
    """The rule uses something that is not read here."""


@dataclass(frozen=True, slots=True)
class _Node:
    """A part of a rule; what macros need to know of it is kept beside what it gives."""

    run: Expression
    name: str = ""
    """Of a variable."""
    selected: tuple[Expression, str] | None = None
    """Of ``a.b``: what gives a, and b."""


def compile_rule(rule: str) -> Callable[[Variables], bool]:
    """The rule as a function of its variables; it raises ``RuleError`` where CEL has an error."""
    parser = _Parser(rule)
    node = parser.ternary()
    parser.expect("")
    return lambda variables: truth(node.run(variables))


class _Parser:
    """Reads one rule from left to right."""

    def __init__(self, rule: str) -> None:
        self._rule = rule
        self._tokens = _tokens(rule)
        self._next = 0

    def ternary(self) -> _Node:
        """``a ? b : c``, or what binds more."""
        condition = self._either()
        if not self._take("?"):
            return condition
        then = self.ternary()
        self.expect(":")
        otherwise = self.ternary()
        return _Node(lambda known: (then if truth(condition.run(known)) else otherwise).run(known))

    def _either(self) -> _Node:
        node = self._both()
        while self._take("||"):
            node = _Node(_logical(node.run, self._both().run, deciding=True))
        return node

    def _both(self) -> _Node:
        node = self._binary(0)
        while self._take("&&"):
            node = _Node(_logical(node.run, self._binary(0).run, deciding=False))
        return node

    def _binary(self, level: int) -> _Node:
        if level == len(_LEVELS):
            return self._unary()
        node = self._binary(level + 1)
        while self._peek() in _LEVELS[level]:
            operator = BINARY[self._pop()]
            node = _Node(_applied(operator, node.run, self._binary(level + 1).run))
        return node

    def _unary(self) -> _Node:
        if self._take("!"):
            inner = self._unary()
            return _Node(lambda known: not truth(inner.run(known)))
        if self._take("-"):
            inner = self._unary()
            return _Node(lambda known: -inner.run(known))
        return self._member()

    def _member(self) -> _Node:
        node = self._primary()
        while self._peek() in {".", "["}:
            if self._take("["):
                index = self.ternary().run
                self.expect("]")
                node = _Node(_applied(select, node.run, index))
                continue
            self.expect(".")
            name = self._pop()
            node = self._call(node, name) if self._take("(") else _selection(node.run, name)
        return node

    def _call(self, target: _Node, name: str) -> _Node:
        arguments = self._list_until(")")
        if name in MACROS:
            if len(arguments) != 2 or not arguments[0].name:  # noqa: PLR2004 - (variable, body)
                raise self._unsupported(f"{name}() without a variable and a body")
            macro, variable, body = MACROS[name], arguments[0].name, arguments[1].run
            return _Node(lambda known: macro(target.run(known), variable, body, known))
        return self._function(name, [target, *arguments])

    def _primary(self) -> _Node:
        part = self._pop()
        if part == "(":
            node = self.ternary()
            self.expect(")")
            return node
        if part == "[":
            items = [item.run for item in self._list_until("]")]
            return _Node(lambda known: [item(known) for item in items])
        if part[:1] in {"'", '"'}:
            return _constant(_unescaped(part[1:-1]))
        if part[:1].isdigit():
            return _constant(float(part) if "." in part else int(part))
        return self._named(part)

    def _named(self, name: str) -> _Node:
        if name in _CONSTANTS:
            return _constant(_CONSTANTS[name])
        if not name.isidentifier():
            raise self._unsupported(f"{name or 'its end'!r}")
        if not self._take("("):
            return _Node(lambda known: select(known, name), name=name)
        arguments = self._list_until(")")
        if name != "has":
            return self._function(name, arguments)
        if len(arguments) != 1 or arguments[0].selected is None:
            raise self._unsupported("has() of something that is no field")
        holder, field = arguments[0].selected
        return _Node(lambda known: field in holder(known))

    def _function(self, name: str, arguments: list[_Node]) -> _Node:
        if name not in FUNCTIONS:
            raise self._unsupported(f"the function {name}")
        function, runs = FUNCTIONS[name], [argument.run for argument in arguments]
        return _Node(lambda known: function(*(run(known) for run in runs)))

    def _list_until(self, end: str) -> list[_Node]:
        items: list[_Node] = []
        while not self._take(end):
            if items:
                self.expect(",")
            items.append(self.ternary())
        return items

    def expect(self, token: str) -> None:
        """Take this token; anything else is not supported."""
        if not self._take(token):
            raise self._unsupported(f"{self._peek()!r} where {token or 'its end'!r} was expected")

    def _take(self, token: str) -> bool:
        if self._peek() != token:
            return False
        self._next += 1
        return True

    def _peek(self) -> str:
        return self._tokens[self._next] if self._next < len(self._tokens) else ""

    def _pop(self) -> str:
        token = self._peek()
        self._next += 1
        return token

    def _unsupported(self, what: str) -> UnsupportedRuleError:
        return UnsupportedRuleError(f"the rule {self._rule!r} has {what}")


_CONSTANTS: Mapping[str, bool | None] = {"true": True, "false": False, "null": None}


def _tokens(rule: str) -> list[str]:
    found: list[str] = []
    position, end = 0, len(rule.rstrip())
    while position < end:
        match = _TOKEN.match(rule, position)
        if match is None:
            raise UnsupportedRuleError(f"the rule {rule!r} has {rule[position:]!r}")
        found.append(match[0].strip())
        position = match.end()
    return found


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", lambda match: _ESCAPES.get(match[1], match[1]), text)


def _constant(value: Any) -> _Node:  # noqa: ANN401 - any CEL value
    return _Node(lambda _: value)


def _selection(target: Expression, name: str) -> _Node:
    return _Node(lambda known: select(target(known), name), selected=(target, name))


def _applied(function: Callable[..., Any], *operands: Expression) -> Expression:
    return lambda known: function(*(operand(known) for operand in operands))


def _logical(left: Expression, right: Expression, *, deciding: bool) -> Expression:
    """``||`` (decided by true) and ``&&`` (by false): an error counts only if nothing decides."""

    def run(known: Variables) -> bool:
        try:
            first: bool | None = truth(left(known))
        except RuleError:
            first = None
        if first is deciding:
            return deciding
        second = truth(right(known))
        if second is deciding:
            return deciding
        return truth(left(known)) if first is None else second

    return run
