"""The rules of vLLM: every row is sourced, checked by code that exists, and has its pair."""

from __future__ import annotations

import importlib
import re

import pytest

from quantized_model_operator.api.conditions import REASONS
from quantized_model_operator.domain.engine_rule_table import ENGINE_RULES, RULES, TABLED_VERSIONS
from quantized_model_operator.domain.engine_rules import EngineRule, rules_by_id
from quantized_model_operator.domain.engine_rules_checkpoint import ACT_ORDER_HAS_NO_GROUPS
from quantized_model_operator.domain.engine_version import NEWEST_KNOWN_VERSION, EngineVersion
from unit.domain.rule_pairs import PAIRS

REFUSING = [rule for rule in ENGINE_RULES if rule.means == "Refused"]
INSPECTED = {
    "quantization-is-declared",
    "method-is-gptq",
    "linears-are-complete",
    "fused-linears-agree",
}
"""Rules that the inspection checks, which tells reasons."""


def test_every_rule_that_refuses_has_a_pair() -> None:
    """A rule without a legal and an illegal case, and a case without a rule, are mistakes."""
    assert set(PAIRS) == {rule.id for rule in REFUSING}


@pytest.mark.parametrize("rule", REFUSING, ids=lambda rule: rule.id)
def test_a_rule_refuses_just_what_it_forbids(rule: EngineRule) -> None:
    """The illegal case is refused by this rule with field and remedy, the legal one passes."""
    pair = PAIRS[rule.id]
    assert not pair.legal()
    refusals = pair.illegal()
    if rule.id in INSPECTED:
        assert rule.reason in {problem.reason for problem in refusals}
        return
    (problem,) = [item for item in refusals if item.rule == rule.id]
    assert problem.reason == rule.reason
    assert problem.field.startswith("spec.")


@pytest.mark.parametrize("rule", ENGINE_RULES, ids=lambda rule: rule.id)
def test_rows_are_whole(rule: EngineRule) -> None:
    """Each row says what must hold, what to do, where it is from with a date, and by what code."""
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", rule.id)
    assert rule.holds.endswith(".")
    assert rule.remedy.endswith(".")
    assert "2026-11" in rule.source
    assert rule.until is None or rule.since <= rule.until
    module, _, function = rule.checked_by.partition(":")
    assert callable(getattr(importlib.import_module(module), function))


@pytest.mark.parametrize("rule", REFUSING, ids=lambda rule: rule.id)
def test_refusals_have_a_reason_and_a_field(rule: EngineRule) -> None:
    """Reasons of refusals are documented, and their fields are those of the spec."""
    assert rule.reason in REASONS
    assert rule.field.startswith("spec.")


def test_an_unknown_newer_version_is_judged_by_the_rows_without_an_end() -> None:
    """What holds for the newest known version holds for all versions after it."""
    newer = EngineVersion(NEWEST_KNOWN_VERSION.major, NEWEST_KNOWN_VERSION.minor + 5)
    for rule in ENGINE_RULES:
        assert rule.applies(newer) == (rule.until is None)
        assert not rule.applies(NEWEST_KNOWN_VERSION) or rule.applies(newer)


def test_rows_begin_and_end_with_their_versions() -> None:
    """A row holds from its first to its last minor version, patches included."""
    rule = ACT_ORDER_HAS_NO_GROUPS
    assert not rule.applies(EngineVersion(0, 29, 9))
    assert rule.applies(EngineVersion(0, 30))


def test_ids_are_unique() -> None:
    """Two rows of one name are refused when the table is made."""
    assert len(RULES) == len(ENGINE_RULES)
    with pytest.raises(ValueError, match="two rules are called"):
        rules_by_id([ACT_ORDER_HAS_NO_GROUPS, ACT_ORDER_HAS_NO_GROUPS])


def test_documented_versions_rise_to_the_newest() -> None:
    """The versions that the documentation lists are in order and end with the newest known."""
    assert list(TABLED_VERSIONS) == sorted(TABLED_VERSIONS)
    assert TABLED_VERSIONS[-1] == NEWEST_KNOWN_VERSION
