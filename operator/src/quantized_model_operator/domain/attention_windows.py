"""Pure: how far the attention of a model reaches: its longest context, and windows of layers."""

from collections.abc import Mapping
from typing import Any, NamedTuple

_LARGEST_NUMBER = 2**40

_PATTERNS: Mapping[str, int] = {"gemma2": 2, "gemma3_text": 6, "cohere2": 4}
"""Every so many layers one attends to everything, where config.json does not say otherwise.
Source: Transformers 5.23, configuration classes, checked 2026-11."""

_SCALED_ALREADY = frozenset({"default", "llama3", "longrope", "mrope", "su"})
"""Kinds of rotary scaling for which ``max_position_embeddings`` is the longest context as it is.
Source: vLLM 0.33.0 config/model.py (``_get_and_verify_max_len``), checked 2026-11."""

_LARGEST_FACTOR = 1024
"""Of rotary scaling; our limit."""

_WINDOWED, _FULL = "sliding_attention", "full_attention"


class AttentionWindows(NamedTuple):
    """Which layers forget."""

    tokens: int
    """Size of the window; 0 when no layer has one."""
    full_layers: int
    """Layers without a window beside those that have one; else 0."""
    has_other_layers: bool
    """Some layers keep no keys and values at all."""


def number_in(document: Mapping[str, Any], names: tuple[str, ...]) -> int:
    """The first of these numbers that can be used; 0 when there is none."""
    for name in names:
        value = document.get(name)
        if type(value) is int and 0 < value < _LARGEST_NUMBER:
            return value
    return 0


def attention_windows(document: Mapping[str, Any], layers: int) -> AttentionWindows:
    """The windows that the config of a language model declares.

    Partial rotary embeddings, soft caps and norms of queries change nothing that is planned.
    """
    kinds = document.get("layer_types")
    stated = list(kinds[:layers]) if isinstance(kinds, list) else []
    others = any(kind not in (_WINDOWED, _FULL) for kind in stated)
    tokens = number_in(document, ("sliding_window",))
    if document.get("use_sliding_window") is False or not tokens:
        return AttentionWindows(0, 0, others)
    full = _full_layers(document, stated, layers)
    return (
        AttentionWindows(0, 0, others) if full == layers else AttentionWindows(tokens, full, others)
    )


def longest_context(document: Mapping[str, Any], positions: int) -> int:
    """Tokens of the longest context: trained positions times the factor of rotary scaling."""
    scaling = document.get("rope_scaling") or document.get("rope_parameters")
    if not isinstance(scaling, dict) or "gemma3" in str(document.get("model_type")):
        return positions
    kind = scaling.get("rope_type", scaling.get("type", "default"))
    factor: object = scaling.get("factor")
    if kind in _SCALED_ALREADY or not isinstance(factor, int | float):
        return positions
    if not 1 <= factor <= _LARGEST_FACTOR:
        return positions
    if kind == "yarn":
        positions = number_in(scaling, ("original_max_position_embeddings",)) or positions
    return int(positions * factor)


def _full_layers(document: Mapping[str, Any], stated: list[Any], layers: int) -> int:
    if stated:
        return sum(kind != _WINDOWED for kind in stated)
    pattern = number_in(document, ("sliding_window_pattern", "_sliding_window_pattern"))
    pattern = pattern or _PATTERNS.get(str(document.get("model_type")), 0)
    if pattern:
        return layers // pattern
    if document.get("use_sliding_window") is True:
        return min(number_in(document, ("max_window_layers",)), layers)
    return 0
