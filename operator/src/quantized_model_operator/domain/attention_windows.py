"""Pure: how far the attention of a model reaches: its longest context, and windows of layers."""

from collections.abc import Mapping
from typing import Any, NamedTuple

_LARGEST_NUMBER = 2**40

_PATTERNS: Mapping[str, int] = {"gemma2": 2, "gemma3_text": 6, "cohere2": 4}
"""Every so many layers one attends to everything, where config.json does not say otherwise.
Source: Transformers 5.23, configuration classes, checked 2026-11."""

_SCALED_ALREADY = frozenset(
    {"llama3", "longrope", "su", "yarn", "deepseek_yarn", "deepseek_llama_scaling"}
)
"""Kinds of rotary scaling for which the stated positions are the longest context as they are.
Until 0.29 vLLM multiplied for YaRN itself, from ``original_max_position_embeddings``: the same
for configs that state the scaled number, and never planned for others, since later versions do
not serve it. Source: vLLM 0.20.2 to 0.33.0 config/model.py (``_get_and_verify_max_len``), 2026-11.
"""

_POSITIONS = (
    "max_position_embeddings",
    "n_positions",
    "max_seq_len",
    "seq_length",
    "max_target_positions",
    "max_sequence_length",
    "max_seq_length",
    "seq_len",
)
"""Names of the number of positions; the smallest counts. Source: as above."""

_LARGEST_FACTOR = 1024
"""Of rotary scaling; our limit."""

_WINDOWED = "sliding_attention"


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
    others = any(_keeps_a_state(kind) for kind in stated)
    tokens = number_in(document, ("sliding_window",))
    if document.get("use_sliding_window") is False or not tokens:
        return AttentionWindows(0, 0, others)
    full = _full_layers(document, stated, layers)
    return (
        AttentionWindows(0, 0, others) if full == layers else AttentionWindows(tokens, full, others)
    )


def _keeps_a_state(kind: object) -> bool:
    """Kinds of layers but attention (``conv``, ``mamba``), and attention that is linear."""
    name = str(kind)
    return name == "linear_attention" or not name.endswith("attention")


def longest_context(document: Mapping[str, Any]) -> int:
    """Tokens of the longest context, 0 when unstated: positions times the rotary scaling.

    Source: vLLM 0.33.0 transformers_utils/model_arch_config_convertor.py and config/model.py,
    checked 2026-11.
    """
    stated = [number for name in _POSITIONS if (number := number_in(document, (name,)))]
    positions = number_in(document, ("model_max_length",)) or min(stated, default=0)
    if "gemma3" in str(document.get("model_type")):
        return positions  # scaled already, whatever the kind
    factor = 1.0
    for scaling in _scalings(document.get("rope_parameters") or document.get("rope_scaling")):
        kind = scaling.get("rope_type", scaling.get("type"))
        if kind not in _SCALED_ALREADY:
            factor = _factor(scaling.get("factor"), factor)
    return int(positions * factor)


def _scalings(value: object) -> list[Mapping[str, Any]]:
    """One for all layers, or one for each kind of layer under its name."""
    if not isinstance(value, dict):
        return []
    inner: list[Mapping[str, Any]] = [item for item in value.values() if isinstance(item, dict)]
    return inner if inner and len(inner) == len(value) else [value]


def _factor(value: object, otherwise: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return otherwise
    return float(value) if 1 <= value <= _LARGEST_FACTOR else otherwise


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
