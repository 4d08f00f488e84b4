"""Pure: what the checks of a checkpoint look at."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from quantized_model_operator.domain.checkpoint import CheckpointProblem
from quantized_model_operator.domain.checkpoint_config import ModelConfig
from quantized_model_operator.domain.quantization_settings import QuantizationSettings
from quantized_model_operator.domain.readable_text import first_and_count
from quantized_model_operator.domain.tensor_layout import Layer, Module, layers_of, main_stack
from quantized_model_operator.domain.unknown_architecture import completed


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What the checks look at."""

    config: ModelConfig
    settings: QuantizationSettings
    modules: Mapping[str, Module]
    layers: Mapping[int, Layer]
    """Of the language model."""
    stack: str
    """``model.layers``; empty when there is no quantised layer."""

    @property
    def outside(self) -> Iterator[tuple[str, Module]]:
        """Everything but the layers of the language model."""
        inside = f"{self.stack}."
        return (item for item in self.modules.items() if not item[0].startswith(inside))

    def beside(self, name: str) -> str:
        """The full name of something beside the layers."""
        parent = self.stack.rpartition(".")[0]
        return f"{parent}.{name}" if parent else name


def subject(
    config: ModelConfig, settings: QuantizationSettings, modules: Mapping[str, Module]
) -> Subject:
    """The checkpoint with its language model's layers picked out."""
    stacks = layers_of(modules)
    stack = main_stack(stacks)
    layers = stacks.get(stack, {})
    return Subject(
        config=completed(config, modules, layers),
        settings=settings,
        modules=modules,
        layers=layers,
        stack=stack,
    )


def missing_tensors(names: Sequence[str]) -> Iterator[CheckpointProblem]:
    """The problem that these are not there, if there are any."""
    if names:
        yield CheckpointProblem(
            reason="TensorMissing",
            message=f"no safetensors file holds {first_and_count(names)}; vLLM would serve wrong "
            "text without it: copy or export the checkpoint again",
        )
