"""A tiny valid GPTQ checkpoint, written without torch, for tests that read or damage one.

The shape is that of a Qwen2 with four layers: hidden 256, intermediate 512, 4 heads, 2 KV heads.
"""

import json
import random
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HIDDEN, INTERMEDIATE, HEADS, KV_HEADS, HEAD_SIZE, VOCABULARY = 256, 512, 4, 2, 64, 512
LINEARS: Mapping[str, tuple[int, int]] = {
    "self_attn.q_proj": (HIDDEN, HEADS * HEAD_SIZE),
    "self_attn.k_proj": (HIDDEN, KV_HEADS * HEAD_SIZE),
    "self_attn.v_proj": (HIDDEN, KV_HEADS * HEAD_SIZE),
    "self_attn.o_proj": (HEADS * HEAD_SIZE, HIDDEN),
    "mlp.gate_proj": (HIDDEN, INTERMEDIATE),
    "mlp.up_proj": (HIDDEN, INTERMEDIATE),
    "mlp.down_proj": (INTERMEDIATE, HIDDEN),
}
INDEX = "model.safetensors.index.json"
SINGLE = "model.safetensors"
_BYTES = {"I32": 4, "F16": 2}


@dataclass(frozen=True)
class Tensor:
    """A tensor before it is written."""

    dtype: str
    shape: tuple[int, ...]
    data: bytes


Tensors = dict[str, Tensor]


@dataclass(frozen=True)
class Recipe:
    """What the checkpoint is like; the default is sound."""

    bits: int = 4
    group_size: int = 128
    layers: int = 4
    tied: bool = False
    config: Mapping[str, Any] = field(default_factory=dict)
    """Replaces keys of config.json; ``None`` removes one."""
    quantization: Mapping[str, Any] = field(default_factory=dict)
    """Replaces keys of its quantization_config; ``None`` removes one."""


def linear(inputs: int, outputs: int, bits: int = 4, group_size: int = 128) -> Tensors:
    """The tensors of one quantised linear by the last part of their names."""
    group = inputs if group_size == -1 else group_size
    groups = -(-inputs // group)
    noise = random.Random(inputs * outputs + bits)  # noqa: S311 - test data
    zero = b"\x77" if bits == 4 else b"\x7f"
    return {
        "qweight": Tensor(
            "I32",
            (inputs * bits // 32, outputs),
            noise.randbytes(inputs * bits // 32 * outputs * 4),
        ),
        "qzeros": Tensor(
            "I32", (groups, outputs * bits // 32), zero * (groups * outputs * bits // 8)
        ),
        "scales": Tensor("F16", (groups, outputs), struct.pack("<e", 0.01) * (groups * outputs)),
        "g_idx": Tensor(
            "I32", (inputs,), struct.pack(f"<{inputs}i", *(k // group for k in range(inputs)))
        ),
    }


def plain(*shape: int) -> Tensor:
    """An unquantised tensor."""
    count = 1
    for size in shape:
        count *= size
    return Tensor("F16", shape, struct.pack("<e", 0.5) * count)


def tensors(recipe: Recipe | None = None) -> Tensors:
    """All tensors of the checkpoint by their full names."""
    recipe = recipe or Recipe()
    made: Tensors = {"model.embed_tokens.weight": plain(VOCABULARY, HIDDEN)}
    for layer in range(recipe.layers):
        prefix = f"model.layers.{layer}"
        for name, (inputs, outputs) in LINEARS.items():
            for part, tensor in linear(inputs, outputs, recipe.bits, recipe.group_size).items():
                made[f"{prefix}.{name}.{part}"] = tensor
            if name.endswith(("q_proj", "k_proj", "v_proj")):
                made[f"{prefix}.{name}.bias"] = plain(outputs)
        made[f"{prefix}.input_layernorm.weight"] = plain(HIDDEN)
        made[f"{prefix}.post_attention_layernorm.weight"] = plain(HIDDEN)
    made["model.norm.weight"] = plain(HIDDEN)
    if not recipe.tied:
        made["lm_head.weight"] = plain(VOCABULARY, HIDDEN)
    return made


def safetensors(contents: Mapping[str, Tensor]) -> bytes:
    """The tensors as the bytes of a safetensors file."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    position = 0
    for name, tensor in contents.items():
        end = position + len(tensor.data)
        header[name] = {
            "dtype": tensor.dtype,
            "shape": list(tensor.shape),
            "data_offsets": [position, end],
        }
        position = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    data = b"".join(tensor.data for tensor in contents.values())
    return struct.pack("<Q", len(text)) + text + data


def config(recipe: Recipe | None = None) -> dict[str, Any]:
    """The content of config.json."""
    recipe = recipe or Recipe()
    quantization = {
        "quant_method": "gptq",
        "bits": recipe.bits,
        "group_size": recipe.group_size,
        "desc_act": False,
        "sym": True,
        "lm_head": False,
        "checkpoint_format": "gptq",
    }
    document = {
        "architectures": ["Qwen2ForCausalLM"],
        "model_type": "qwen2",
        "torch_dtype": "float16",
        "hidden_size": HIDDEN,
        "intermediate_size": INTERMEDIATE,
        "num_hidden_layers": recipe.layers,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KV_HEADS,
        "vocab_size": VOCABULARY,
        "max_position_embeddings": 2048,
        "tie_word_embeddings": recipe.tied,
        "sliding_window": 1024,
        "use_sliding_window": False,
        "quantization_config": _changed(quantization, recipe.quantization),
    }
    return _changed(document, recipe.config)


def write_tokenizer(folder: Path) -> None:
    """Write the files that make text from tokens."""
    (folder / "tokenizer.json").write_text('{"version": "1.0"}')
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"chat_template": "{{ messages }}", "model_max_length": 2048})
    )
    (folder / "generation_config.json").write_text('{"do_sample": false}')


def write_checkpoint(
    folder: Path,
    recipe: Recipe | None = None,
    *,
    shards: int = 1,
    contents: Tensors | None = None,
) -> Path:
    """Write the whole checkpoint; with several shards there is an index."""
    folder.mkdir(parents=True, exist_ok=True)
    contents = tensors(recipe) if contents is None else contents
    (folder / "config.json").write_text(json.dumps(config(recipe), indent=2))
    write_tokenizer(folder)
    if shards == 1:
        (folder / SINGLE).write_bytes(safetensors(contents))
        return folder
    names = shard_names(shards)
    parts: Sequence[Tensors] = [
        dict(list(contents.items())[number::shards]) for number in range(shards)
    ]
    for name, part in zip(names, parts, strict=True):
        (folder / name).write_bytes(safetensors(part))
    index = {
        "metadata": {"total_size": sum(len(tensor.data) for tensor in contents.values())},
        "weight_map": {
            tensor: name for name, part in zip(names, parts, strict=True) for tensor in part
        },
    }
    (folder / INDEX).write_text(json.dumps(index))
    return folder


def shard_names(shards: int) -> list[str]:
    """Names of the weight files of a checkpoint in several files."""
    return [f"model-{number + 1:05d}-of-{shards:05d}.safetensors" for number in range(shards)]


def _changed(document: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = {**document, **changes}
    return {key: value for key, value in merged.items() if value is not None}
