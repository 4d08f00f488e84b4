"""Pure: the experts of a decoder, as config.json declares them and as the tensors show them."""

from collections.abc import Iterator, Mapping

from quantized_model_operator.domain.checkpoint_config import ModelConfig
from quantized_model_operator.domain.engine_names import is_expert
from quantized_model_operator.domain.tensor_facts import MixtureOfExperts
from quantized_model_operator.domain.tensor_layout import Layer

_LONGEST_NUMBER = 5
"""Digits."""


def experts_of(layer: Layer) -> dict[int, str]:
    """Number and name of each routed expert of which the layer has tensors of its own."""
    found = {}
    for name in layer.modules:
        if ".experts." in f".{name}":
            parent, _, inner = f".{name}".rpartition(".experts.")
            number = inner.partition(".")[0]
            if number.isascii() and number.isdigit() and len(number) <= _LONGEST_NUMBER:
                found[int(number)] = f"{parent}.experts.{number}".lstrip(".")
    return found


def missing_experts(layers: Mapping[int, Layer], declared: int) -> Iterator[str]:
    """Experts below the declared number that a sparse layer lacks, as ``name.*``."""
    for number, layer in sorted(layers.items()):
        experts = experts_of(layer)
        if experts:
            parent = next(iter(experts.values())).rpartition(".")[0]
            for expert in range(min(declared, 10**_LONGEST_NUMBER)):
                if expert not in experts:
                    yield f"{layer.stack}.{number}.{parent}.{expert}.*"


def surplus_experts(layers: Mapping[int, Layer], declared: int) -> Iterator[str]:
    """Experts beyond the declared number, for which vLLM has no place."""
    for number, layer in sorted(layers.items()):
        for expert, name in sorted(experts_of(layer).items()):
            if declared and expert >= declared:
                yield f"{layer.stack}.{number}.{name}"


def mixture_of(config: ModelConfig, layers: Mapping[int, Layer]) -> MixtureOfExperts | None:
    """The experts of the model; which layers have some is taken from the tensors."""
    sparse = [layer for layer in layers.values() if any(map(is_expert, layer.modules))]
    experts = config.experts or max((len(experts_of(layer)) for layer in sparse), default=0)
    if not sparse or not experts:
        return None
    return MixtureOfExperts(
        experts=experts,
        experts_per_token=min(config.experts_per_token or 1, experts),
        expert_intermediate_size=config.expert_intermediate_size,
        shared_intermediate_size=config.shared_intermediate_size,
        sparse_layers=len(sparse),
    )
