"""Pure: the context length of a plan: what the user asked for, or the longest that fits."""

from quantized_model_operator.domain.checkpoint import CheckpointFacts
from quantized_model_operator.domain.engine_rules_memory import LENGTH_IS_THE_MODELS
from quantized_model_operator.domain.outcome import Problem

TIMES = "\N{MULTIPLICATION SIGN}"
"""Between a number of GPUs and their product."""

UNSTATED_LENGTH = 2048
"""What vLLM takes when config.json states no length. Source: vLLM 0.33.0 config/model.py."""


def unlimited_length(facts: CheckpointFacts) -> int:
    """The model's own limit in tokens, the length of a plan when memory is plenty."""
    return facts.max_model_length or UNSTATED_LENGTH


def length_problem(
    facts: CheckpointFacts, requested: int | None, *, may_exceed: bool = False
) -> Problem | None:
    """The refusal of a length beyond what the model was made for, or below one token.

    ``may_exceed``: the user tells vLLM to allow more, at the risk of bad answers.
    """
    own = 0 if may_exceed else facts.max_model_length
    if requested is None or (requested >= 1 and (not own or requested <= own)):
        return None
    legal = f"between 1 and {own}" if own else "at least 1"
    most = own or UNSTATED_LENGTH
    return LENGTH_IS_THE_MODELS.problem(
        f"maxModelLen {requested} is not {legal}, the limit of this model; set it to {most} or "
        "less",
        {"engine": {"maxModelLen": most}},
    )


def longest_length(facts: CheckpointFacts, requested: int | None, tokens: int) -> int | None:
    """The requested length if it fits into so many KV tokens, else ``None``.

    Without a request the longest that fits, up to the model's own limit.
    """
    if requested is not None:
        return requested if requested <= tokens else None
    return min(unlimited_length(facts), tokens) or None


def one_decimal(numerator: int, denominator: int) -> str:
    """The ratio with one decimal, rounded down, for example ``8.5``."""
    tenths = numerator * 10 // denominator
    return f"{tenths // 10}.{tenths % 10}"


def short_count(number: int) -> str:
    """A count for people: ``900``, ``521k`` or ``2.2M``, rounded down."""
    if number >= 10**6:
        return f"{one_decimal(number, 10**6)}M"
    return f"{number // 10**3}k" if number >= 10**3 else str(number)
