"""What config.json says of the architecture, in the spellings of model families."""

from __future__ import annotations

from typing import Any

import pytest

from quantized_model_operator.domain.checkpoint_config import (
    InvalidConfigError,
    parse_config,
    read_object,
)
from unit.tiny_checkpoint import Recipe, config


def parsed(**changes: Any) -> Any:  # noqa: ANN401 - the test names the fields
    """The tiny model's config with changed keys; ``None`` removes one."""
    return parse_config(config(Recipe(config=changes)))


def test_the_numbers_are_taken_over() -> None:
    """Every number is that of config.json."""
    model = parsed()
    assert (model.layers, model.hidden_size, model.intermediate_size) == (4, 256, 512)
    assert (model.heads, model.kv_heads, model.head_size) == (4, 2, 64)
    assert (model.vocabulary, model.max_model_length) == (512, 2048)
    assert (model.architecture, model.model_type, model.dtype) == (
        "Qwen2ForCausalLM",
        "qwen2",
        "float16",
    )


def test_absent_numbers_follow_from_others() -> None:
    """KV heads default to heads, the head size to hidden size by heads."""
    model = parsed(num_key_value_heads=None, num_attention_heads=8)
    assert (model.kv_heads, model.head_size) == (8, 32)


def test_a_stated_head_size_wins() -> None:
    """Head size is not derived where it is stated, as for Gemma."""
    assert parsed(head_dim=128).head_size == 128


def test_both_spellings_of_the_dtype_are_read() -> None:
    """Transformers 5 says dtype, 4 says torch_dtype, and some files say torch.float16."""
    assert parsed(torch_dtype=None, dtype="bfloat16").dtype == "bfloat16"
    assert parsed(torch_dtype="torch.float16").dtype == "float16"
    assert parsed(torch_dtype=None).dtype == ""


def test_dense_layers_and_experts_have_sizes_of_their_own() -> None:
    """In a mixture of experts the size of one expert is told apart from that of a dense layer."""
    model = parsed(
        architectures=["Qwen3MoeForCausalLM"],
        model_type="qwen3_moe",
        moe_intermediate_size=96,
        num_experts=8,
    )
    assert (model.intermediate_size, model.expert_intermediate_size, model.experts) == (512, 96, 8)


def test_numbers_of_a_multimodal_model_are_in_text_config() -> None:
    """The language model's numbers are read from text_config."""
    document = config()
    text = {key: document.pop(key) for key in ("hidden_size", "num_hidden_layers", "vocab_size")}
    document |= {"text_config": text, "architectures": ["OtterForConditionalGeneration"]}
    assert parse_config(document).hidden_size == 256


def test_a_window_counts_only_while_it_is_used() -> None:
    """Qwen2 states a window and switches it off."""
    assert parsed().sliding_window == 0
    assert parsed(use_sliding_window=True).sliding_window == 1024
    assert parsed(use_sliding_window=None).sliding_window == 1024
    assert parsed(use_sliding_window=None, sliding_window=None).sliding_window == 0


def test_silence_about_tied_embeddings_follows_the_family() -> None:
    """Gemma ties its embeddings when config.json is silent, Qwen2 does not."""
    assert not parsed(tie_word_embeddings=None).tied_embeddings
    gemma = parsed(architectures=["GemmaForCausalLM"], model_type="gemma", tie_word_embeddings=None)
    assert gemma.tied_embeddings


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"architectures": None}, "names no architectures"),
        ({"architectures": []}, "names no architectures"),
        ({"architectures": [7]}, "names no architectures"),
        ({"model_type": None}, "no model_type"),
        ({"model_type": "foo"}, "model_type: foo"),
        ({"hidden_size": None}, "no usable hidden_size"),
        ({"hidden_size": "256"}, "no usable hidden_size"),
        ({"hidden_size": True}, "no usable hidden_size"),
        ({"hidden_size": -1}, "no usable hidden_size"),
        ({"num_attention_heads": 0}, "no usable num_attention_heads"),
        ({"vocab_size": 10**30}, "no usable vocab_size"),
        ({"num_hidden_layers": 10**6}, "which no model has"),
    ],
)
def test_an_unusable_config_is_refused_by_key(changes: dict[str, Any], text: str) -> None:
    """The message names the key that cannot be used."""
    with pytest.raises(InvalidConfigError, match=text):
        parsed(**changes)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 100_000])
def test_a_config_that_is_no_object_is_refused(content: bytes) -> None:
    """The message names the file."""
    with pytest.raises(InvalidConfigError, match=r"config\.json"):
        read_object(content, "config.json")
