"""Pure: how much vLLM puts into one step, by its own defaults and by the user's settings."""

from dataclasses import dataclass

from quantized_model_operator.domain.engine_rules_memory import (
    A_STEP_HOLDS_A_REQUEST,
    A_STEP_HOLDS_ALL_REQUESTS,
)
from quantized_model_operator.domain.outcome import Problem
from quantized_model_operator.domain.quantity import GIB


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchLimits:
    """How much one step may hold."""

    max_num_batched_tokens: int
    max_num_seqs: int

    def doubled(self) -> "BatchLimits":
        """VLLM's own limits under ``--performance-mode throughput``.

        Source: vLLM 0.33.0 engine/arg_utils.py, checked 2026-11.
        """
        return BatchLimits(
            max_num_batched_tokens=2 * self.max_num_batched_tokens,
            max_num_seqs=2 * self.max_num_seqs,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRow:
    """Default batch limits from a card size on."""

    minimum_memory_bytes: int
    excluded_products: tuple[str, ...]
    limits: BatchLimits


BATCH_ROWS = (
    BatchRow(
        minimum_memory_bytes=160 * GIB,
        excluded_products=(),
        limits=BatchLimits(max_num_batched_tokens=16384, max_num_seqs=1024),
    ),
    BatchRow(
        minimum_memory_bytes=70 * GIB,
        excluded_products=("A100", "GB10"),
        limits=BatchLimits(max_num_batched_tokens=8192, max_num_seqs=1024),
    ),
    BatchRow(
        minimum_memory_bytes=0,
        excluded_products=(),
        limits=BatchLimits(max_num_batched_tokens=2048, max_num_seqs=256),
    ),
)
"""The first row that holds. Source: vLLM 0.33.0 engine/arg_utils.py; H200 measured, 2026-11."""

CPU_BATCH_LIMITS = BatchLimits(max_num_batched_tokens=2048, max_num_seqs=128)
"""Source: vLLM 0.33.0 engine/arg_utils.py, for one worker, 2026-11."""


def default_batch_limits(product: str, memory_bytes: int) -> BatchLimits:
    """VLLM's own batch limits for an OpenAI server on this GPU."""
    for row in BATCH_ROWS:
        excluded = any(name in product for name in row.excluded_products)
        if memory_bytes >= row.minimum_memory_bytes and not excluded:
            return row.limits
    return BATCH_ROWS[-1].limits


def chosen_batch_limits(
    own: BatchLimits,
    max_num_batched_tokens: int | None,
    max_num_seqs: int | None,
    length_tokens: int | None = None,
    *,
    chunked_prefill: bool = True,
) -> BatchLimits:
    """The user's limits; vLLM's own where the user set none, with no more sequences than tokens.

    VLLM's own tokens are never more than all sequences have at this length, and without chunked
    prefill never fewer than one. Source: vLLM 0.33.0 engine/arg_utils.py, checked 2026-11.
    """
    tokens = max_num_batched_tokens or own.max_num_batched_tokens
    if max_num_batched_tokens is None and length_tokens is not None:
        whole = tokens if chunked_prefill else max(tokens, length_tokens)
        tokens = min(whole, (max_num_seqs or own.max_num_seqs) * length_tokens)
    return BatchLimits(
        max_num_batched_tokens=tokens,
        max_num_seqs=max_num_seqs or min(own.max_num_seqs, tokens),
    )


def batch_problem(limits: BatchLimits) -> Problem | None:
    """The refusal of more sequences than tokens in one step.

    Source: vLLM 0.33.0 config/scheduler.py, checked 2026-11.
    """
    tokens, sequences = limits.max_num_batched_tokens, limits.max_num_seqs
    if tokens >= sequences:
        return None
    return A_STEP_HOLDS_ALL_REQUESTS.problem(
        f"maxNumSeqs {sequences} is more than the {tokens} tokens of one step; set it to "
        f"{tokens} or less, or maxNumBatchedTokens to {sequences} or more",
        {"engine": {"maxNumSeqs": tokens}},
    )


def step_problem(
    max_num_batched_tokens: int | None, length_tokens: int, *, chunked_prefill: bool
) -> Problem | None:
    """The refusal of steps too small for a request, where one may not be cut into several.

    Without a limit of the user's vLLM takes one that is large enough.
    """
    tokens = max_num_batched_tokens
    if chunked_prefill or tokens is None or tokens >= length_tokens:
        return None
    return A_STEP_HOLDS_A_REQUEST.problem(
        f"Without chunked prefill a request of {length_tokens} tokens does not fit into one step "
        f"of maxNumBatchedTokens {tokens}; set it to {length_tokens} or more, or leave chunked "
        "prefill on",
        {"engine": {"maxNumBatchedTokens": length_tokens}},
    )
