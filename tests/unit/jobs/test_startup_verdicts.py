"""What the startup probe takes for damage, and what it must never take for it."""

import ast
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantized_model_jobs import startup_probe
from quantized_model_jobs.startup_probe import (
    TOKENS,
    WIDE,
    DamagedError,
    distance,
    ignores_the_question,
    judge,
    pairs,
    repeats,
)
from unit.jobs.vllm_answers import COUNTING, completion

Answer = list[tuple[str, float]]
MOST_BYTES = 16 * 1024
"""Of the program, which stands in every pod; arguments of a process may have 128 KiB."""


def test_tokens_and_numbers_of_an_answer() -> None:
    """They are told as vLLM gives them."""
    assert pairs(completion(COUNTING))[:2] == [("token_id:19", -0.02), ("token_id:15", -0.4)]


@pytest.mark.parametrize("number", [None, math.nan, math.inf, -math.inf, -9999.0])
@pytest.mark.parametrize("place", [0, 3])
def test_a_number_that_is_none_is_damage(number: float | None, place: int) -> None:
    """NaN as JSON or as null, infinities, and what vLLM sends instead of minus infinity."""
    answer: list[tuple[int, float | None]] = [*COUNTING]
    answer[place] = (0, number)
    with pytest.raises(DamagedError, match="not finite"):
        pairs(completion(answer))


@pytest.mark.parametrize("document", [{}, {"choices": []}, {"choices": [{"logprobs": None}]}])
def test_an_empty_answer_is_damage(document: dict[str, Any]) -> None:
    """No choice, no log-probabilities, no token."""
    with pytest.raises(DamagedError, match="no token"):
        pairs(document)


def test_one_token_with_one_number_everywhere_is_damage() -> None:
    """Logits that are all alike give the first token with the same probability at every place."""
    recorded = -8.317766189575195  # vLLM 0.32.0, a norm of zeros, a vocabulary of 4096
    assert recorded == pytest.approx(-math.log(4096))
    answer = [("token_id:0", recorded)] * TOKENS
    assert ignores_the_question(answer)
    with pytest.raises(DamagedError, match="token_id:0 again and again"):
        judge(answer, answer)


@pytest.mark.parametrize(
    "numbers",
    [
        [-0.4 - 0.01 * place for place in range(TOKENS)],
        [-2.5 - 1e-4 * place for place in range(TOKENS)],
        [0.0] * TOKENS,
    ],
)
def test_mere_repetition_is_no_damage(numbers: list[float]) -> None:
    """A small model may repeat itself in good health, be it unsure or quite certain."""
    answer = [("token_id:0", number) for number in numbers]
    assert repeats(answer)
    judge(answer, answer)


def test_a_short_answer_is_no_repetition() -> None:
    """One that ends after a token says nothing about repetition."""
    answer = [("token_id:2", -3.0)]
    assert not repeats(answer)
    judge(answer, answer)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ([("a", -0.1), ("b", -0.1)], [("a", -0.1), ("b", -2.2)]),
        ([("a", -0.1), ("b", -0.1)], [("a", -0.1), ("c", -0.1)]),
        ([("a", -0.01)], [("b", -1.5)]),
        ([("a", 0.0)], [("b", 0.0)]),
        ([("a", -1.5)], [("b", -0.01)]),
    ],
)
def test_two_answers_that_disagree_widely_are_damage(first: Answer, second: Answer) -> None:
    """Another probability in the same context, or two certainties that exclude each other."""
    with pytest.raises(DamagedError, match="two answers"):
        judge(first, second)


def test_what_follows_where_the_tokens_part_is_not_compared() -> None:
    """From there on the contexts differ, and so may everything else."""
    first = [("a", -0.1), ("b", -0.7), ("c", -9.0)]
    second = [("a", -0.1), ("d", -0.71), ("e", -0.1)]
    assert distance(first, second) < WIDE
    judge(first, second)


def test_logits_instead_of_probabilities_are_not_taken_for_certainties() -> None:
    """With ``--logprobs-mode=raw_logits`` the numbers may be positive."""
    judge([("a", 21.5), ("b", 17.0)], [("a", 21.5), ("c", 17.01)])


LOGITS = st.lists(st.floats(-30, 30), min_size=2, max_size=6)
NOISE = 0.45
"""Nats at every logit; log-probabilities move by twice of it at most, which is inside ``WIDE``."""


@st.composite
def sound_answers(draw: st.DrawFn) -> tuple[Answer, Answer]:
    """Two greedy answers of one model whose logits are never twice quite the same."""
    return _greedy(draw)


def _greedy(draw: st.DrawFn) -> tuple[Answer, Answer]:
    first: Answer = []
    second: Answer = []
    parted = False
    for _ in range(draw(st.integers(1, TOKENS))):
        logits = draw(LOGITS)
        if parted:
            others = draw(LOGITS)
        else:
            noise = st.lists(st.floats(-NOISE, NOISE), min_size=len(logits), max_size=len(logits))
            others = [a + b for a, b in zip(logits, draw(noise), strict=True)]
        first.append(_best(logits))
        second.append(_best(others))
        parted = parted or first[-1][0] != second[-1][0]
    return first, second


def _best(logits: list[float]) -> tuple[str, float]:
    best = max(logits)
    total = math.log(sum(math.exp(logit - best) for logit in logits))
    return f"token_id:{logits.index(best)}", -total


@given(sound_answers())
def test_noise_in_the_arithmetic_is_never_damage(answers: tuple[Answer, Answer]) -> None:
    """Whatever the model and wherever ties turn, two sound answers stay within the bound."""
    first, second = answers
    assert distance(first, second) <= WIDE
    assert distance(second, first) == pytest.approx(distance(first, second))


@given(st.lists(st.floats(-20, 0), min_size=1, max_size=TOKENS, unique_by=lambda x: round(x, 4)))
def test_a_greedy_answer_that_comes_again_is_never_damage(numbers: list[float]) -> None:
    """Different tokens, or one token with numbers that differ: both pass."""
    different = [(f"token_id:{place}", number) for place, number in enumerate(numbers)]
    judge(different, different)
    if len(numbers) > 1:
        judge(*[[("token_id:0", number) for number in numbers]] * 2)


def test_the_program_runs_in_old_images() -> None:
    """It is small, is written in Python 3.9, and imports the standard library alone."""
    text = Path(startup_probe.__file__).read_text(encoding="utf-8")
    tree = ast.parse(text, feature_version=(3, 9))
    modules = {
        (node.module or "") if isinstance(node, ast.ImportFrom) else node.names[0].name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    assert not any(name.startswith("quantized") for name in modules)
    assert len(text.encode()) < MOST_BYTES
    assert "$" not in text, "the kubelet would look for variables"
