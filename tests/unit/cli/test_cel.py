"""The rules of the CRD are read without an API server, and mean the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from quantized_model_operator.api.crd import crd_document
from quantized_model_operator.cli.cel import UnsupportedRuleError, compile_rule
from quantized_model_operator.cli.cel_functions import RuleError

if TYPE_CHECKING:
    from collections.abc import Iterator

OTTER = {
    "name": "otter",
    "age": 7,
    "share": 0.5,
    "tags": ["river", "fur"],
    "friends": [{"name": "seal", "age": 3}, {"name": "heron"}],
    "labels": {"a": "1", "b": "2"},
    "wild": True,
}


def answer(rule: str) -> bool:
    """What a rule says of the otter."""
    return compile_rule(rule)({"self": OTTER})


def rules_of(schema: dict[str, Any]) -> Iterator[str]:
    """Every rule in a schema."""
    yield from (rule["rule"] for rule in schema.get("x-kubernetes-validations", ()))
    inner = [schema[name] for name in ("items", "additionalProperties") if name in schema]
    for child in (*schema.get("properties", {}).values(), *inner):
        yield from rules_of(child)


def test_every_rule_of_the_crd_is_understood() -> None:
    """No rule of the CRD uses a part of the language that is not read here."""
    root = crd_document()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    rules = list(rules_of(root))
    assert len(rules) > 10
    for rule in rules:
        compile_rule(rule)


@pytest.mark.parametrize(
    "rule",
    [
        "self.name == 'otter'",
        'self.name != "seal"',
        "self.age > 6 && self.age >= 7 && self.age < 8 && self.age <= 7",
        "self.share == 0.5",
        "self.age + 1 == 8 && self.age - 1 == 6 && -self.age == -7",
        "self.wild",
        "!has(self.tail) && has(self.name)",
        "'river' in self.tags && !('sea' in self.tags)",
        "self.tags[1] == 'fur'",
        "self['name'] == 'otter'",
        "self.labels.all(key, key.size() == 1)",
        "size(self.name) == 5 && self.tags.size() == 2",
        "self.name.startsWith('ot') && self.name.endsWith('er') && self.name.contains('tt')",
        "self.name.matches('^o.*r$') && !self.name.matches('^t')",
        "self.friends.all(friend, has(friend.name))",
        "self.friends.exists(friend, friend.name == 'heron')",
        "self.friends.filter(friend, has(friend.age)).size() == 1",
        "self.friends.map(friend, friend.name) == ['seal', 'heron']",
        "[has(self.tail), has(self.age)].filter(set, set).size() == 1",
        "self.wild ? self.age == 7 : self.tail == 1",
        "false || (true && !false)",
        "true || false && false",
        r"'a\'b\\' == 'a\'b\\'",
        "null == null",
        "!(true == 1)",
    ],
)
def test_a_true_rule_holds(rule: str) -> None:
    """Operators, functions and macros mean what CEL says they mean."""
    assert answer(rule)
    assert not answer(f"!({rule})")


@pytest.mark.parametrize("rule", ["self.tail", "self.name > 1", "self.age", "self.tags[9] == ''"])
def test_a_rule_without_a_value_is_an_error(rule: str) -> None:
    """An absent field, and a value of the wrong type, are errors and not false."""
    with pytest.raises(RuleError):
        answer(rule)


@pytest.mark.parametrize(
    ("rule", "holds"),
    [
        ("self.tail == 1 || true", True),
        ("true || self.tail == 1", True),
        ("self.tail == 1 && false", False),
        ("false && self.tail == 1", False),
    ],
)
def test_an_error_counts_only_where_nothing_decides(rule: str, *, holds: bool) -> None:
    """The other side of && or || may decide whatever an error says, in either order."""
    assert answer(rule) is holds


@pytest.mark.parametrize("rule", ["self.tail == 1 || false", "true && self.tail == 1"])
def test_an_error_counts_where_it_matters(rule: str) -> None:
    """Where the other side does not decide, the rule has no value."""
    with pytest.raises(RuleError, match="no such key: tail"):
        answer(rule)


@pytest.mark.parametrize(
    "rule",
    [
        "self.name ==",
        "self.name.reverse()",
        "quantity(self.name)",
        "has(self)",
        "self.tags.all(tag)",
        "(self.wild",
        "self.wild self.wild",
        "self.name ~ 'a'",
    ],
)
def test_what_is_not_read_is_refused(rule: str) -> None:
    """A rule that is not understood is no rule that holds."""
    with pytest.raises(UnsupportedRuleError):
        compile_rule(rule)
