"""Pure: the peak of activations in the profile run of vLLM, which it keeps free of KV cache.

The peak is the largest of three moments: a layer of the forward pass over all batched tokens,
sampling for all sequences, and, on a first start, the compilation of the model.
"""

from quantized_model_operator.domain.checkpoint import CheckpointFacts
from quantized_model_operator.domain.memory_rows import MemoryRow
from quantized_model_operator.domain.memory_setup import (
    HALF_BYTES,
    MemorySetup,
    padded_vocabulary,
)

COMPILED_HIDDEN_BUFFERS = 2
"""Residuals before and after attention. Source: vLLM 0.33.0 compilation/codegen.py (arguments of
a piece live until it returns); 0.25.1 with warm caches on H200: 0.00 GiB off, 2026-11."""

EAGER_HIDDEN_BUFFERS = 3
"""One more in eager mode, held by the frames of the model. Source: our measurement, 0.25.1 on
H200, 2026-11."""


def activation_peak_bytes(facts: CheckpointFacts, setup: MemorySetup, row: MemoryRow) -> int:
    """The largest of the three moments of a first start."""
    forward_bytes = forward_peak_bytes(facts, setup, setup.batch.max_num_batched_tokens)
    return max(
        forward_bytes, sampling_peak_bytes(facts, setup, row), compile_peak_bytes(facts, setup)
    )


def forward_peak_bytes(facts: CheckpointFacts, setup: MemorySetup, tokens: int) -> int:
    """The widest moment of one layer over so many tokens.

    Feed-forward: gate and up, their product, and what attention left; attention: q, k and v
    before and after rotation. Attention itself is skipped in the profile run.
    """
    buffers = EAGER_HIDDEN_BUFFERS if setup.enforce_eager else COMPILED_HIDDEN_BUFFERS
    attention = setup.rank_share(facts.heads * facts.head_size)
    keys_values = 2 * max(1, setup.rank_share(facts.kv_heads)) * facts.head_size
    widest = max(_feed_forward_width(facts, setup), attention + 2 * keys_values)
    return tokens * HALF_BYTES * (widest + attention + buffers * facts.hidden_size)


def sampling_peak_bytes(facts: CheckpointFacts, setup: MemorySetup, row: MemoryRow) -> int:
    """All sequences sampled at once, beside the hidden states of all tokens.

    Ranks gather the logits, so tensor parallelism saves nothing here.
    """
    sequences = setup.sampled_sequences
    logits_bytes = row.sampler_bytes_per_logit * sequences * padded_vocabulary(facts.vocabulary)
    rows = setup.batch.max_num_batched_tokens + sequences
    return logits_bytes + rows * facts.hidden_size * HALF_BYTES


def compile_peak_bytes(facts: CheckpointFacts, setup: MemorySetup) -> int:
    """Tuning the embedding kernel on a copy of the whole table; 0 in eager mode.

    Only while nothing is in the compile cache, so a later start may have more KV cache. Source:
    vLLM issue 54122; our measurement, six cold starts of 0.25.1 and 0.33.0 within 0.01 GiB; a
    public measurement of Qwen3-32B-AWQ on two RTX 4090 (vLLM pull request 54479): 0.47 GiB
    between cold and warm, 0.43 by this formula, 2026-11.
    """
    if setup.enforce_eager:
        return 0
    table = setup.rank_share(padded_vocabulary(facts.vocabulary)) * facts.hidden_size
    outputs = 2 * setup.batch.max_num_batched_tokens * facts.hidden_size
    return HALF_BYTES * (table + outputs)


def _feed_forward_width(facts: CheckpointFacts, setup: MemorySetup) -> int:
    """Elements per token: gate, up and their product, or the same of all chosen experts."""
    mixture = facts.mixture
    if mixture is None:
        return 3 * setup.rank_share(facts.intermediate_size)
    intermediate = setup.rank_share(mixture.expert_intermediate_size)
    routed = mixture.experts_per_token * (max(2 * intermediate, facts.hidden_size) + intermediate)
    dense = facts.intermediate_size if mixture.sparse_layers < facts.layers else 0
    whole = 3 * setup.rank_share(max(dense, mixture.shared_intermediate_size))
    return max(routed + facts.hidden_size, whole)
