"""Bytes of all tensors by class: nothing is lost, nothing counted twice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantized_model_operator.domain.safetensors_header import DTYPE_BITS
from quantized_model_operator.domain.tensor_classes import bytes_by_class, tensor_bytes
from quantized_model_operator.domain.tensor_layout import StoredTensor, modules_of

PARTS = ["qweight", "qzeros", "scales", "g_idx", "bias", "weight"]
PLACES = ["model", "layers", "0", "1", "experts", "mlp", "gate", "o_proj", "lm_head", "vision"]
WORDS = st.sampled_from([*PARTS, *PLACES, "embed_tokens"])
NAMES = st.lists(WORDS, min_size=1, max_size=7).map(".".join)
TENSORS = st.builds(
    StoredTensor,
    file=st.just("m.safetensors"),
    dtype=st.sampled_from([name for name, bits in DTYPE_BITS.items() if bits >= 8]),
    shape=st.lists(st.integers(0, 9), max_size=3).map(tuple),
)


@given(st.dictionaries(NAMES, TENSORS, max_size=30), st.sampled_from(["model.layers", "a", ""]))
def test_the_classes_add_up(tensors: dict[str, StoredTensor], stack: str) -> None:
    """Whatever the names are, the classes add up to the bytes of all tensors."""
    found = bytes_by_class(modules_of(tensors), stack)
    assert found.total_bytes == sum(tensor_bytes(tensor) for tensor in tensors.values())
    unread = found.zeros_bytes + found.index_bytes
    assert unread + found.expert_zeros_bytes + found.expert_index_bytes <= found.total_bytes


@pytest.mark.parametrize(
    ("name", "shape", "field"),
    [
        ("model.embed_tokens.weight", (64, 8), "embedding_bytes"),
        ("lm_head.weight", (64, 8), "head_bytes"),
        ("lm_head.qweight", (8, 8), "head_bytes"),
        ("model.norm.weight", (8,), "whole_bytes"),
        ("model.layers.0.input_layernorm.weight", (8,), "whole_bytes"),
        ("model.layers.0.self_attn.q_proj.qweight", (8, 8), "linear_bytes"),
        ("model.layers.0.self_attn.q_proj.weight", (8, 8), "dense_bytes"),
        ("model.layers.0.mlp.gate.weight", (4, 8), "whole_bytes"),
        ("model.layers.0.mlp.shared_expert_gate.weight", (1, 8), "whole_bytes"),
        ("model.layers.0.mlp.experts.3.up_proj.qweight", (8, 8), "expert_bytes"),
        ("model.layers.0.mlp.experts.3.up_proj.weight", (8, 8), "expert_bytes"),
        ("model.layers.0.mlp.shared_expert.up_proj.qweight", (8, 8), "linear_bytes"),
        ("model.vision_tower.blocks.0.attn.qkv.weight", (8, 8), "outside_bytes"),
        ("visual.patch_embed.weight", (8, 8), "outside_bytes"),
    ],
)
def test_each_class_has_its_names(name: str, shape: tuple[int, ...], field: str) -> None:
    """One tensor of each kind lands where a rank's share of it is known."""
    tensor = StoredTensor("m.safetensors", "F16", shape)
    found = bytes_by_class(modules_of({name: tensor}), "model.layers")
    assert getattr(found, field) == found.total_bytes == tensor_bytes(tensor)


@pytest.mark.parametrize(
    ("stack", "head"),
    [
        ("model.layers", "lm_head"),
        ("language_model.model.layers", "language_model.lm_head"),
        ("model.language_model.layers", "lm_head"),
        ("transformer.h", "lm_head"),
    ],
)
def test_the_head_stands_beside_or_above_the_layers(stack: str, head: str) -> None:
    """In a multimodal model the head may be further up than the embedding."""
    tensors = {
        f"{head}.weight": StoredTensor("m.safetensors", "F16", (64, 8)),
        f"{stack.rpartition('.')[0]}.embed_tokens.weight": StoredTensor("m", "F16", (32, 8)),
        f"vision.{head}.weight": StoredTensor("m.safetensors", "F16", (16, 8)),
    }
    found = bytes_by_class(modules_of(tensors), stack)
    assert (found.head_bytes, found.embedding_bytes, found.outside_bytes) == (1024, 512, 256)


@pytest.mark.parametrize(("last", "is_whole"), [("q_proj", False), ("o_proj", True)])
def test_a_bias_follows_the_split_of_its_linear(last: str, *, is_whole: bool) -> None:
    """Behind a column-parallel linear the bias is split, behind a row-parallel one it is whole."""
    layer = f"model.layers.0.self_attn.{last}"
    tensors = {
        f"{layer}.qweight": StoredTensor("m.safetensors", "I32", (8, 8)),
        f"{layer}.bias": StoredTensor("m.safetensors", "F16", (8,)),
    }
    found = bytes_by_class(modules_of(tensors), "model.layers")
    assert (found.linear_bytes, found.whole_bytes) == ((256, 16) if is_whole else (272, 0))
