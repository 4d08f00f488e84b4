"""Golden plans: published models on known GPUs by version of vLLM, and every kind of refusal."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from golden.plan_questions import Question, answer_of, document_of, question_of, questions
from golden.yaml_files import yaml_text
from quantized_model_operator.domain.accelerators import KNOWN_ACCELERATORS
from quantized_model_operator.domain.engine_rule_table import ENGINE_RULES

FILES = questions()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_plan(file: Path, request: pytest.FixtureRequest) -> None:
    """Each question gets exactly the plan, or the refusals, that its file shows."""
    text = file.read_text(encoding="utf-8")
    assert text.startswith("# guarantee: ")
    asked, _, _ = text.partition("\n---\n")
    now = f"{asked}\n{yaml_text([document_of(answer_of(question_of(file)))])}"
    if request.config.getoption("--rewrite-golden"):
        file.write_text(now, encoding="utf-8")
        text = now
    assert text == now, f"{file} differs; `make golden` rewrites it"


def asked() -> dict[str, Question]:
    """Every question by the name of its file."""
    return {file.stem: question_of(file) for file in FILES}


def written() -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Every question and its answer as the files show them."""
    for file in FILES:
        question, answer = yaml.safe_load_all(file.read_text(encoding="utf-8"))
        yield question, answer or {}


def test_there_are_plans_for_many_combinations() -> None:
    """At least 25 combinations of model, GPU and version of vLLM have a plan."""
    plans = {
        (question["model"], *answer["plan"].get("products", ()), answer["plan"]["engineVersion"])
        for question, answer in written()
        if "plan" in answer
    }
    assert len(plans) >= 25


def test_every_known_gpu_is_asked_about() -> None:
    """No GPU of the table is without a question."""
    nodes = {product for question, _ in written() for product in question["nodes"]}
    kinds = {(item.memory_bytes, item.compute_capability): item for item in KNOWN_ACCELERATORS}
    missing = {
        item.product
        for kind, item in kinds.items()
        if not any(
            (other.memory_bytes, other.compute_capability) == kind and other.product in nodes
            for other in KNOWN_ACCELERATORS
        )
    }
    assert missing == set()


def test_versions_and_sizes_are_covered() -> None:
    """Old, current and unknown versions of vLLM have plans, and so has each usual size."""
    plans = [answer["plan"] for _, answer in written() if "plan" in answer]
    minors = {plan["engineVersion"].rpartition(".")[0] for plan in plans}
    assert minors >= {"0.20", "0.25", "0.30", "0.33", "0.40"}
    assert {plan["tensorParallelSize"] for plan in plans} == {1, 2, 4, 8}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_suggestion_mends_its_refusal(file: Path) -> None:
    """The spec with the suggested patch does not get the same refusal again."""
    question = asked()[file.stem]
    answer = answer_of(question)
    for refused in answer if isinstance(answer, tuple) else ():
        if refused.suggestion:
            again = answer_of(question.with_patch(refused.suggestion))
            rules = {item.rule or item.reason for item in again} if isinstance(again, tuple) else ()
            assert (refused.rule or refused.reason) not in rules


SEEN_ELSEWHERE = {
    "linears-are-complete": "of files that lack tensors, which a published model does not",
    "fused-linears-agree": "of files that were edited",
    "dtype-is-served": "the API server takes no other dtype",
    "utilization-is-a-share": "the API server takes no other number",
    "one-process-on-cpu": "the API server takes no number of GPUs for a CPU",
    "bits-are-served": "refused by the inspection already",
    "symmetry-is-served": "refused by the inspection already",
    "group-size-is-served": "refused by the inspection already",
    "quantization-is-declared": "refused by the inspection already",
    "method-is-gptq": "refused by the inspection already",
}
"""Rules that no question meets as such, and why."""


def test_every_rule_that_refuses_has_a_question() -> None:
    """Each rule by which a plan is refused refuses one here; those of an inspection by reason."""
    problems = [
        problem
        for question in asked().values()
        if isinstance(answer := answer_of(question), tuple)
        for problem in answer
    ]
    refusing = {rule.id: rule for rule in ENGINE_RULES if rule.means == "Refused"}
    met = {problem.rule for problem in problems}
    assert set(refusing) - met == set(SEEN_ELSEWHERE)
    reasons = {problem.reason for problem in problems}
    inspected = {name for name, why in SEEN_ELSEWHERE.items() if "inspection" in why}
    assert {refusing[name].reason for name in inspected} <= reasons


def test_many_refusals_suggest_something() -> None:
    """The test of suggestions has something to judge."""
    suggesting = [
        name
        for name, question in asked().items()
        if "suggestion" in str(document_of(answer_of(question)))
    ]
    assert len(suggesting) >= 15
