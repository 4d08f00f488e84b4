"""GPTQ checkpoints of any size without their weights: config, index and headers.

Weight files are as long as their headers say, but hold nothing: sparse files on a disk, or
numbers in an ``Evidence``. The tensors of a family are written out here from its published
layout, apart from the code under test.
"""

import json
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from quantized_model_operator.domain.checkpoint_inspection import Evidence

INDEX = "model.safetensors.index.json"
_ITEM_BYTES = {"I32": 4, "F16": 2, "BF16": 2}


class TensorShape(NamedTuple):
    """A tensor without its data."""

    dtype: str
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Bytes."""
        count = _ITEM_BYTES[self.dtype]
        for length in self.shape:
            count *= length
        return count


Shapes = dict[str, TensorShape]


@dataclass(frozen=True)
class HeaderSet:
    """Everything an inspection reads of a checkpoint in several files."""

    config: Mapping[str, Any]
    shards: Mapping[str, Shapes]
    documents: Mapping[str, bytes] = field(default_factory=dict)
    """Further small files by name."""

    def contents(self) -> dict[str, bytes]:
        """Name and whole content of all small files."""
        made = {
            "config.json": json.dumps(self.config, indent=2).encode(),
            "tokenizer.json": b"{}",
            "tokenizer_config.json": b'{"chat_template": "{{ messages }}"}',
            "generation_config.json": b'{"do_sample": true, "temperature": 0.7, "top_p": 0.8}',
        }
        if len(self.shards) > 1:
            weight_map = {name: file for file, part in self.shards.items() for name in part}
            total = sum(tensor.size for part in self.shards.values() for tensor in part.values())
            index = {"metadata": {"total_size": total}, "weight_map": weight_map}
            made[INDEX] = json.dumps(index, indent=2).encode()
        return {**made, **self.documents}

    def headers(self) -> dict[str, tuple[bytes, int]]:
        """First bytes and size of each weight file."""
        return {file: _header(part) for file, part in self.shards.items()}


def gptq_config(config: Mapping[str, Any], bits: int = 4, group_size: int = 128) -> dict[str, Any]:
    """The config of a model with GPTQ parameters as AutoGPTQ writes them; ``None`` is left out."""
    quantization = {
        "quant_method": "gptq",
        "bits": bits,
        "group_size": group_size,
        "desc_act": False,
        "sym": True,
        "damp_percent": 0.01,
        "true_sequential": True,
        "static_groups": False,
        "model_name_or_path": None,
        "model_file_base_name": "model",
    }
    made = {**config, "torch_dtype": "float16", "quantization_config": quantization}
    return {key: value for key, value in made.items() if value is not None}


def in_shards(tensors: Shapes, count: int) -> dict[str, Shapes]:
    """The tensors over so many weight files, in their order and of about equal size."""
    if count == 1:
        return {"model.safetensors": tensors}
    parts: list[Shapes] = [{}]
    left, filled = sum(tensor.size for tensor in tensors.values()), 0
    for position, (name, tensor) in enumerate(tensors.items()):
        is_full = filled * (count - len(parts) + 1) >= left
        if len(parts) < count and (is_full or len(tensors) - position == count - len(parts)):
            left -= filled
            parts, filled = [*parts, {}], 0
        parts[-1][name] = tensor
        filled += tensor.size
    names = (f"model-{number:05d}-of-{count:05d}.safetensors" for number in range(1, count + 1))
    return dict(zip(names, parts, strict=True))


def header_set(
    config: Mapping[str, Any],
    tensors: Shapes,
    *,
    bits: int = 4,
    group_size: int = 128,
    shards: int = 1,
) -> HeaderSet:
    """The checkpoint of a model with these tensors."""
    return HeaderSet(gptq_config(config, bits, group_size), in_shards(tensors, shards))


def as_evidence(made: HeaderSet, uri: str = "hf://zoo/otter-gptq") -> Evidence:
    """The checkpoint as if read from a hub."""
    contents, headers = made.contents(), made.headers()
    sizes = {name: len(content) for name, content in contents.items()}
    sizes |= {name: size for name, (_, size) in headers.items()}
    return Evidence(
        uri=uri,
        commit="0" * 40,
        sizes=sizes,
        documents=contents,
        first_bytes={name: content for name, (content, _) in headers.items()},
        digests=dict.fromkeys(sizes, "sha256:0"),
        integrity="Hub",
    )


def write_header_set(folder: Path, made: HeaderSet) -> Path:
    """Write the checkpoint; its weight files are sparse and take no room."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in made.contents().items():
        (folder / name).write_bytes(content)
    for name, (content, size) in made.headers().items():
        with (folder / name).open("wb") as file:
            file.write(content)
            file.truncate(size)
    return folder


def linear(name: str, inputs: int, outputs: int, bits: int = 4, group_size: int = 128) -> Shapes:
    """The tensors of one quantised linear."""
    groups = 1 if group_size == -1 else -(-inputs // group_size)
    return {
        f"{name}.qweight": TensorShape("I32", (inputs * bits // 32, outputs)),
        f"{name}.qzeros": TensorShape("I32", (groups, outputs * bits // 32)),
        f"{name}.scales": TensorShape("F16", (groups, outputs)),
        f"{name}.g_idx": TensorShape("I32", (inputs,)),
    }


def plain(name: str, *shape: int) -> Shapes:
    """An unquantised tensor."""
    return {name: TensorShape("F16", shape)}


def model_tensors(config: Mapping[str, Any], bits: int = 4, group_size: int = 128) -> Shapes:
    """All tensors of a published model once quantised, in the order of its files."""
    return dict(_Layout(config, bits, group_size).tensors())


class _Layout:
    """The tensors that a family has, from the numbers of its config."""

    def __init__(self, config: Mapping[str, Any], bits: int, group_size: int) -> None:
        self.nested = "text_config" in config
        gemma3 = {"num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 256}
        own = {**gemma3, "vocab_size": 262_208, **config["text_config"]} if self.nested else config
        self.family = str(own["model_type"])
        self.own: Mapping[str, Any] = own
        self.hidden = int(own["hidden_size"])
        self.heads, self.kv_heads = own["num_attention_heads"], own["num_key_value_heads"]
        self.head_size = own.get("head_dim") or self.hidden // self.heads
        self.tied = own.get("tie_word_embeddings", "gemma" in self.family)
        self.tied = "gemma" in self.family if self.tied is None else self.tied
        self.bits, self.group_size = bits, group_size

    def tensors(self) -> Iterator[tuple[str, TensorShape]]:
        top = "language_model." if self.nested else ""
        vocabulary = self.own["vocab_size"]
        yield from plain(f"{top}model.embed_tokens.weight", vocabulary, self.hidden).items()
        for number in range(self.own["num_hidden_layers"]):
            layer = f"{top}model.layers.{number}"
            yield from self._attention(f"{layer}.self_attn")
            yield from self._feed_forward(layer, number)
            for norm in self._norms():
                yield from plain(f"{layer}.{norm}.weight", self.hidden).items()
        yield from plain(f"{top}model.norm.weight", self.hidden).items()
        if not self.tied:
            yield from plain(f"{top}lm_head.weight", vocabulary, self.hidden).items()

    def _norms(self) -> tuple[str, ...]:
        four = ("pre_feedforward_layernorm", "post_feedforward_layernorm")
        both = ("input_layernorm", "post_attention_layernorm")
        return (*both, *four) if self.family in ("gemma2", "gemma3_text") else both

    def _linear(self, name: str, inputs: int, outputs: int) -> Iterator[tuple[str, TensorShape]]:
        yield from linear(name, inputs, outputs, self.bits, self.group_size).items()

    def _attention(self, name: str) -> Iterator[tuple[str, TensorShape]]:
        q, kv = self.heads * self.head_size, self.kv_heads * self.head_size
        if self.family == "phi3":
            yield from self._linear(f"{name}.qkv_proj", self.hidden, q + 2 * kv)
        else:
            for part, outputs in (("q", q), ("k", kv), ("v", kv)):
                yield from self._linear(f"{name}.{part}_proj", self.hidden, outputs)
                if self.family.startswith("qwen2"):
                    yield from plain(f"{name}.{part}_proj.bias", outputs).items()
        yield from self._linear(f"{name}.o_proj", q, self.hidden)
        if self.family in ("qwen3", "qwen3_moe", "gemma3_text"):
            yield from plain(f"{name}.q_norm.weight", self.head_size).items()
            yield from plain(f"{name}.k_norm.weight", self.head_size).items()

    def _feed_forward(self, layer: str, number: int) -> Iterator[tuple[str, TensorShape]]:
        inner = self.own["intermediate_size"]
        if self.family == "mixtral":
            moe = f"{layer}.block_sparse_moe"
            yield from plain(
                f"{moe}.gate.weight", self.own["num_local_experts"], self.hidden
            ).items()
            for expert in range(self.own["num_local_experts"]):
                for part, shape in _gated(("w1", "w3", "w2"), self.hidden, inner):
                    yield from self._linear(f"{moe}.experts.{expert}.{part}", *shape)
        elif self.family == "phi3":
            yield from self._linear(f"{layer}.mlp.gate_up_proj", self.hidden, 2 * inner)
            yield from self._linear(f"{layer}.mlp.down_proj", inner, self.hidden)
        elif self._is_sparse(number):
            yield from self._experts(f"{layer}.mlp")
        else:
            for part, shape in _gated(_PROJECTIONS, self.hidden, inner):
                yield from self._linear(f"{layer}.mlp.{part}", *shape)

    def _is_sparse(self, number: int) -> bool:
        """Source: Transformers, ``Qwen3MoeDecoderLayer``."""
        step = self.own.get("decoder_sparse_step", 1)
        dense = number in self.own.get("mlp_only_layers", ())
        return bool(self.own.get("num_experts")) and not dense and (number + 1) % step == 0

    def _experts(self, name: str) -> Iterator[tuple[str, TensorShape]]:
        experts, inner = self.own["num_experts"], self.own["moe_intermediate_size"]
        yield from plain(f"{name}.gate.weight", experts, self.hidden).items()
        for expert in range(experts):
            for part, shape in _gated(_PROJECTIONS, self.hidden, inner):
                yield from self._linear(f"{name}.experts.{expert}.{part}", *shape)
        shared = self.own.get("shared_expert_intermediate_size")
        if shared:
            for part, shape in _gated(_PROJECTIONS, self.hidden, shared):
                yield from self._linear(f"{name}.shared_expert.{part}", *shape)
            yield from plain(f"{name}.shared_expert_gate.weight", 1, self.hidden).items()


_PROJECTIONS = ("gate_proj", "up_proj", "down_proj")


def _gated(
    names: tuple[str, str, str], hidden: int, inner: int
) -> Iterator[tuple[str, tuple[int, int]]]:
    gate, up, down = names
    yield gate, (hidden, inner)
    yield up, (hidden, inner)
    yield down, (inner, hidden)


def _header(tensors: Shapes) -> tuple[bytes, int]:
    entries: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    position = 0
    for name, tensor in sorted(tensors.items()):
        end = position + tensor.size
        entries[name] = {
            "dtype": tensor.dtype,
            "shape": list(tensor.shape),
            "data_offsets": [position, end],
        }
        position = end
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text, 8 + len(text) + position
