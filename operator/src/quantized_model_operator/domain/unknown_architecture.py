"""Pure: numbers of an architecture that no table knows, taken from the shapes of its tensors.

Such a checkpoint is planned with a warning and not refused: whether vLLM serves the architecture
is for vLLM to say. What its config.json states under usual names wins.
"""

from collections.abc import Mapping
from dataclasses import replace

from quantized_model_operator.domain.checkpoint_config import ModelConfig
from quantized_model_operator.domain.tensor_layout import (
    Layer,
    Module,
    derive,
    is_complete,
    is_quantized,
)

HEADS = ("lm_head", "embed_out", "output", "output_layer")
_KEYS_AND_VALUES = ("k_proj", "v_proj", "wk", "wv", "key", "value")
_MATRIX = 2
"""Dimensions."""


def completed(
    config: ModelConfig, modules: Mapping[str, Module], layers: Mapping[int, Layer]
) -> ModelConfig:
    """The config with what it lacks; that of a known architecture as it is.

    Without a number of heads the model counts as one head as wide as its keys, which no tensor
    parallel size but 1 can split.
    """
    if config.known_architecture:
        return config
    matrices = _matrices(modules, layers)
    rows, columns = max(matrices.values(), default=(0, 0))
    hidden_size = config.hidden_size or columns
    heads = config.heads or 1
    return replace(
        config,
        layers=config.layers or len(layers),
        hidden_size=hidden_size,
        vocabulary=config.vocabulary or rows,
        heads=heads,
        kv_heads=config.kv_heads or heads,
        head_size=config.head_size
        or (hidden_size // heads if config.heads else _key_features(layers) or hidden_size),
        tied_embeddings=config.tied_embeddings
        or not (config.tied_is_stated or _has_head(modules, layers, matrices)),
    )


def _matrices(
    modules: Mapping[str, Module], layers: Mapping[int, Layer]
) -> dict[str, tuple[int, int]]:
    """Unquantised matrices outside the layers: embedding and head."""
    inside = tuple({f"{layer.stack}." for layer in layers.values()})
    found = {}
    for name, module in modules.items():
        weight = module.get("weight")
        if weight is not None and len(weight.shape) == _MATRIX and not name.startswith(inside):
            found[name] = (weight.shape[0], weight.shape[1])
    return found


def _has_head(
    modules: Mapping[str, Module],
    layers: Mapping[int, Layer],
    matrices: Mapping[str, tuple[int, int]],
) -> bool:
    inside = tuple({f"{layer.stack}." for layer in layers.values()})
    named = any(name.rpartition(".")[2] in HEADS for name in modules if not name.startswith(inside))
    largest = max(matrices.values(), default=(0, 0))
    return named or list(matrices.values()).count(largest) > 1


def _key_features(layers: Mapping[int, Layer]) -> int:
    for layer in layers.values():
        for name, module in layer.modules.items():
            if name.rpartition(".")[2] in _KEYS_AND_VALUES:
                derived = derive(module) if is_quantized(module) and is_complete(module) else None
                if derived:
                    return derived.outputs
    return 0
