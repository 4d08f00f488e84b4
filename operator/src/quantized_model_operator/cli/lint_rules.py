"""Judges a value by the CEL rules of a structural schema, with the sentences of the API server."""

import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from quantized_model_operator.cli.cel import compile_rule
from quantized_model_operator.cli.cel_functions import RuleError, Variables
from quantized_model_operator.cli.lint_schema import Complaint, Schema
from quantized_model_operator.cli.manifests import FieldPath

_FIELD_OF_SENTENCE = re.compile(r"(?:spec|metadata)(?:\.[A-Za-z]+)+")


def rule_complaints(value: Any, schema: Schema, path: FieldPath = ()) -> Iterator[Complaint]:  # noqa: ANN401
    """Every rule that a value breaks which has its defaults and the right types."""
    for rule in schema.get("x-kubernetes-validations", ()):
        sentence = _objection(rule, value)
        if sentence:
            yield Complaint(
                path=path,
                message=f"Invalid value: {sentence}",
                hides_rules=False,
                about=_field_of(sentence) or path,
            )
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from rule_complaints(item, schema["items"], (*path, index))
    elif isinstance(value, dict):
        fields, others = schema.get("properties", {}), schema.get("additionalProperties") or {}
        for name, child in value.items():
            yield from rule_complaints(child, fields.get(name, others), (*path, name))


def _objection(rule: Schema, value: Any) -> str:  # noqa: ANN401 - any JSON
    """What the rule says against the value; empty when it holds."""
    try:
        return "" if _compiled(rule["rule"])({"self": value}) else rule["message"]
    except RuleError as error:
        return f"{error} evaluating rule: {rule['message']}"


@cache
def _compiled(rule: str) -> Callable[[Variables], bool]:
    return compile_rule(rule)


def _field_of(sentence: str) -> FieldPath:
    """The field that a sentence begins with; empty when it begins otherwise."""
    match = _FIELD_OF_SENTENCE.match(sentence)
    return tuple(match[0].split(".")) if match else ()
