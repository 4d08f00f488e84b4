"""Pure: how the KV cache is cut into blocks when some layers forget and others do not.

vLLM groups layers of one kind so that all groups have as many layers; a block holds the keys and
values of one group for a few tokens, and all groups take their blocks from one pool.
"""

from dataclasses import dataclass

from quantized_model_operator.domain.batch_limits import BatchLimits
from quantized_model_operator.domain.checkpoint import CheckpointFacts
from quantized_model_operator.domain.kv_cache import GPU_BLOCK_TOKENS, KV_CACHE_DTYPE_BYTES

ALMOST_AS_MANY = 1.5
"""Below this ratio the smaller kind of layers is padded to the larger one. Source: vLLM 0.33.0
v1/core/kv_cache_planning.py, checked 2026-11."""

BATCHES_IN_FLIGHT = 2
"""Steps whose tokens are not settled yet. Source: vLLM 0.33.0 config/vllm.py, checked 2026-11."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KvLayout:
    """Groups of layers and their blocks on one rank."""

    block_bytes: int
    """Of one group, padding layers included."""
    full_groups: int
    """Groups that keep all tokens of a request."""
    window_groups: int
    """Groups that keep the tokens of the window and of the steps in flight."""
    window_tokens: int
    """What a window group keeps of a long request; 0 without such groups."""

    def needed_blocks(self, length_tokens: int) -> int:
        """Blocks that one request of this length takes of the pool, over all groups."""
        full = -(-length_tokens // GPU_BLOCK_TOKENS)
        kept = min(self.window_tokens, length_tokens)
        window = -(-kept // GPU_BLOCK_TOKENS) + 1
        return self.full_groups * full + self.window_groups * window

    def usable_blocks(self, kv_bytes: int) -> int:
        """Blocks in so much memory, less the one that vLLM keeps for itself."""
        return max(0, kv_bytes // self.block_bytes - 1)

    def tokens(self, kv_bytes: int, length_tokens: int) -> int:
        """The size of the cache as vLLM states it: what requests of this length could fill."""
        return self.usable_blocks(kv_bytes) * length_tokens // self.needed_blocks(length_tokens)

    def longest_length(self, kv_bytes: int, limit_tokens: int) -> int:
        """The longest length up to the limit of which one request fits; 0 when none does."""
        blocks = self.usable_blocks(kv_bytes)
        if self.needed_blocks(limit_tokens) <= blocks:
            return limit_tokens
        low, high = 0, limit_tokens - 1
        while low < high:
            middle = (low + high + 1) // 2
            if self.needed_blocks(middle) <= blocks:
                low = middle
            else:
                high = middle - 1
        return low


def kv_layout(
    facts: CheckpointFacts, tensor_parallel_size: int, kv_cache_dtype: str, batch: BatchLimits
) -> KvLayout:
    """The groups of this model on one rank.

    Source: vLLM 0.33.0 v1/core/kv_cache_planning.py and v1/kv_cache_interface.py, checked
    2026-11; exact for models whose layers are alike in every run on H200 and H100.
    """
    windowed = facts.layers - facts.full_attention_layers if facts.sliding_window else 0
    full = facts.layers - windowed
    group_layers = _group_layers(full, windowed)
    rank_kv_heads = max(1, facts.kv_heads // tensor_parallel_size)
    element_bytes = KV_CACHE_DTYPE_BYTES[kv_cache_dtype]
    layer_bytes = 2 * rank_kv_heads * facts.head_size * element_bytes * GPU_BLOCK_TOKENS
    in_flight = BATCHES_IN_FLIGHT * batch.max_num_batched_tokens
    return KvLayout(
        block_bytes=layer_bytes * group_layers,
        full_groups=-(-full // group_layers),
        window_groups=-(-windowed // group_layers),
        window_tokens=facts.sliding_window - 1 + in_flight if windowed else 0,
    )


def _group_layers(full: int, windowed: int) -> int:
    """Layers of each group: all of them, the fewer of two kinds, or the more if close."""
    fewer, more = sorted((full, windowed))
    if not fewer:
        return more
    return more if more < fewer * ALMOST_AS_MANY else fewer
