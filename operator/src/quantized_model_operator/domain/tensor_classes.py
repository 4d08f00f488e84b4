"""Pure: bytes of all tensors of a checkpoint by class, which decides what a rank holds of them."""

from collections import Counter
from collections.abc import Mapping
from typing import Literal

from quantized_model_operator.domain.decoder_linears import is_linear_name, split_of
from quantized_model_operator.domain.engine_names import is_expert
from quantized_model_operator.domain.safetensors_header import DTYPE_BITS
from quantized_model_operator.domain.tensor_facts import TensorBytes
from quantized_model_operator.domain.tensor_layout import (
    OPTIONAL_PART,
    Module,
    StoredTensor,
    is_quantized,
)
from quantized_model_operator.domain.unknown_architecture import HEADS

TensorClass = Literal["embedding", "head", "linear", "expert", "dense", "whole", "outside"]

EMBEDDINGS = ("embed_tokens", "wte", "word_embeddings", "embed_in", "tok_embeddings", "embedding")
_MATRIX = 2
"""Dimensions."""


def tensor_bytes(tensor: StoredTensor) -> int:
    """Bytes of the data of a tensor."""
    count = DTYPE_BITS[tensor.dtype]
    for size in tensor.shape:
        count *= size
    return count // 8


def bytes_by_class(modules: Mapping[str, Module], stack: str) -> TensorBytes:
    """The sums over all tensors; ``stack`` is that of the language model's layers."""
    sums: Counter[str] = Counter()
    for name, module in modules.items():
        kind = _class_of(name, module, stack)
        for part, tensor in module.items():
            size = tensor_bytes(tensor)
            whole = part == "bias" and kind in ("linear", "dense") and split_of(name) == "row"
            sums["whole" if whole else kind] += size
            if part in ("qzeros", OPTIONAL_PART):
                sums[f"{part}{' of experts' if kind == 'expert' else ''}"] += size
    return TensorBytes(
        embedding_bytes=sums["embedding"],
        head_bytes=sums["head"],
        linear_bytes=sums["linear"],
        expert_bytes=sums["expert"],
        dense_bytes=sums["dense"],
        whole_bytes=sums["whole"],
        outside_bytes=sums["outside"],
        zeros_bytes=sums["qzeros"],
        index_bytes=sums[OPTIONAL_PART],
        expert_zeros_bytes=sums["qzeros of experts"],
        expert_index_bytes=sums[f"{OPTIONAL_PART} of experts"],
    )


def _class_of(name: str, module: Module, stack: str) -> TensorClass:
    if not name.startswith(f"{stack}."):
        return _class_outside(name, stack)
    if is_expert(name):
        return "expert"
    if split_of(name) == "whole":
        return "whole"
    if is_quantized(module):
        return "linear"
    return "dense" if is_linear_name(name) and _is_matrix(module) else "whole"


def _class_outside(name: str, stack: str) -> TensorClass:
    """The ends of the language model are beside its layers or, as the head, further up."""
    parent, _, last = name.rpartition(".")
    beside = stack.rpartition(".")[0]
    if parent not in ("", beside, beside.rpartition(".")[0]):
        return "outside"
    if last in EMBEDDINGS:
        return "embedding"
    if last in HEADS:
        return "head"
    return "whole" if parent == beside else "outside"


def _is_matrix(module: Module) -> bool:
    weight = module.get("weight")
    return weight is not None and len(weight.shape) == _MATRIX
