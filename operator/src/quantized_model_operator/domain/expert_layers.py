"""Pure: the experts of a decoder, as config.json declares them and as the tensors show them."""

from collections.abc import Iterator, Mapping

from quantized_model_operator.domain.checkpoint_config import ModelConfig
from quantized_model_operator.domain.tensor_facts import MixtureOfExperts
from quantized_model_operator.domain.tensor_layout import Layer

_LONGEST_NUMBER = 5
"""Digits."""


def experts_of(layer: Layer) -> frozenset[int]:
    """Numbers of the routed experts of which the layer has tensors."""
    found = set()
    for name in layer.modules:
        parts = name.split(".")
        if "experts" in parts[:-1]:
            number = parts[parts.index("experts") + 1]
            if number.isascii() and number.isdigit() and len(number) <= _LONGEST_NUMBER:
                found.add(int(number))
    return frozenset(found)


def sparse_layers(layers: Mapping[int, Layer]) -> dict[int, frozenset[int]]:
    """The experts of every layer that has some."""
    return {number: experts for number, layer in layers.items() if (experts := experts_of(layer))}


def missing_experts(layers: Mapping[int, Layer], declared: int) -> Iterator[str]:
    """Experts below the declared number that a sparse layer lacks, as ``name.*``."""
    for number, experts in sorted(sparse_layers(layers).items()):
        layer = layers[number]
        parent = next(name.partition("experts.")[0] for name in layer.modules if "experts." in name)
        for expert in range(min(declared, 10**_LONGEST_NUMBER)):
            if expert not in experts:
                yield f"{layer.stack}.{number}.{parent}experts.{expert}.*"


def mixture_of(config: ModelConfig, layers: Mapping[int, Layer]) -> MixtureOfExperts | None:
    """The experts of the model; which layers have some is taken from the tensors."""
    sparse = sparse_layers(layers)
    if not sparse:
        return None
    experts = config.experts or max(len(numbers) for numbers in sparse.values())
    return MixtureOfExperts(
        experts=experts,
        experts_per_token=min(config.experts_per_token or 1, experts),
        expert_intermediate_size=config.expert_intermediate_size,
        shared_intermediate_size=config.shared_intermediate_size,
        sparse_layers=len(sparse),
    )
