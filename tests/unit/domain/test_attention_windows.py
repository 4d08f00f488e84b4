"""How far attention reaches, in the spellings of configs old and new."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantized_model_operator.domain.attention_windows import attention_windows, longest_context

MIXED = ["sliding_attention", "full_attention", "sliding_attention", "full_attention"]


@pytest.mark.parametrize(
    ("config", "tokens", "full"),
    [
        ({}, 0, 0),
        ({"sliding_window": None}, 0, 0),
        ({"sliding_window": 4096}, 4096, 0),
        ({"sliding_window": 4096, "use_sliding_window": False}, 0, 0),
        ({"sliding_window": 4096, "use_sliding_window": True}, 4096, 0),
        ({"sliding_window": 4096, "use_sliding_window": True, "max_window_layers": 3}, 4096, 3),
        ({"sliding_window": 4096, "use_sliding_window": True, "max_window_layers": 9}, 0, 0),
        ({"sliding_window": 512, "layer_types": MIXED}, 512, 2),
        ({"sliding_window": 512, "layer_types": ["full_attention"] * 4}, 0, 0),
        ({"sliding_window": 512, "layer_types": ["sliding_attention"] * 4}, 512, 0),
        ({"sliding_window": 512, "sliding_window_pattern": 2}, 512, 2),
        ({"sliding_window": 512, "_sliding_window_pattern": 4}, 512, 1),
        ({"sliding_window": 512, "sliding_window_pattern": 6}, 512, 0),
        ({"sliding_window": 512, "sliding_window_pattern": 1}, 0, 0),
        ({"sliding_window": 4096, "model_type": "gemma2"}, 4096, 2),
        ({"sliding_window": 4096, "model_type": "cohere2"}, 4096, 1),
        ({"sliding_window": 512, "model_type": "gemma2", "layer_types": MIXED[:2]}, 512, 1),
    ],
)
def test_layers_with_and_without_a_window_are_counted(
    config: dict[str, Any], tokens: int, full: int
) -> None:
    """Of four layers so many keep everything; a window that no layer has is none."""
    found = attention_windows(config, 4)
    assert (found.tokens, found.full_layers, found.has_other_layers) == (tokens, full, False)


@pytest.mark.parametrize(
    ("kind", "noticed"),
    [
        ("linear_attention", True),
        ("mamba", True),
        ("conv", True),
        ("full_attention", False),
        ("chunked_attention", False),
        ("attention", False),
    ],
)
def test_layers_that_keep_a_state_are_noticed(kind: str, noticed: bool) -> None:  # noqa: FBT001
    """Layers that keep a state instead of keys and values are told."""
    assert attention_windows({"layer_types": [kind, "full_attention"] * 2}, 4) == (0, 0, noticed)


@pytest.mark.parametrize(
    ("scaling", "length"),
    [
        (None, 32_768),
        ({"rope_type": "default"}, 32_768),
        ({"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 8192}, 32_768),
        ({"rope_type": "yarn", "factor": 4, "original_max_position_embeddings": 32_768}, 32_768),
        ({"rope_type": "deepseek_yarn", "factor": 40}, 32_768),
        ({"type": "linear", "factor": 2.0}, 65_536),
        ({"type": "linear", "factor": 2.0, "more": {"type": "linear", "factor": 4}}, 65_536),
        ({"rope_type": "dynamic", "factor": 1.5}, 49_152),
        ({"rope_type": "llama3", "factor": 8.0}, 32_768),
        ({"rope_type": "longrope", "factor": 32.0}, 32_768),
        ({"type": "mrope", "mrope_section": [16, 24, 24]}, 32_768),
        ({"full_attention": {"rope_type": "linear", "factor": 8.0}}, 262_144),
        ({"full_attention": {"rope_type": "default"}, "sliding_attention": {}}, 32_768),
        ({"type": "linear", "factor": "2"}, 32_768),
        ({"type": "linear", "factor": 0.5}, 32_768),
        ("linear", 32_768),
    ],
)
def test_the_longest_context_follows_the_scaling(scaling: object, length: int) -> None:
    """Positions are multiplied only by kinds of scaling that vLLM multiplies by."""
    positions = {"max_position_embeddings": 32_768}
    assert longest_context({**positions, "rope_scaling": scaling}) == length
    assert longest_context({**positions, "rope_parameters": scaling}) == length


@pytest.mark.parametrize(
    ("config", "length"),
    [
        ({}, 0),
        ({"n_positions": 1024}, 1024),
        ({"max_position_embeddings": 8192, "seq_length": 4096}, 4096),
        ({"max_position_embeddings": 8192, "model_max_length": 131_072}, 131_072),
        ({"max_position_embeddings": "8192", "max_seq_len": 2048}, 2048),
    ],
)
def test_positions_have_several_names(config: dict[str, Any], length: int) -> None:
    """The smallest counts, but for model_max_length, which overrules the others."""
    assert longest_context(config) == length


def test_gemma_3_states_the_scaled_length() -> None:
    """Its linear scaling is in max_position_embeddings already."""
    scaling = {"rope_type": "linear", "factor": 8.0}
    stated = {"model_type": "gemma3_text", "max_position_embeddings": 131_072}
    assert longest_context({**stated, "rope_scaling": scaling}) == 131_072


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)
KEYS = ["sliding_window", "use_sliding_window", "max_window_layers", "layer_types", "model_type"]
MORE = ["sliding_window_pattern", "rope_scaling", "rope_parameters"]


@given(st.dictionaries(st.sampled_from(KEYS + MORE), JSON), st.integers(1, 100))
def test_any_config_has_sound_windows(config: dict[str, Any], layers: int) -> None:
    """Whatever the values are, there are never more full layers than layers, and no error."""
    found = attention_windows(config, layers)
    assert 0 <= found.full_layers < layers or (found.full_layers, found.tokens) == (0, 0)
    assert found.tokens >= 0
    assert longest_context({**config, "max_position_embeddings": 4096}) >= 1
