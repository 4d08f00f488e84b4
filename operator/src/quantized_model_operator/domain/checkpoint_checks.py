"""Pure: an ordered list of checks, from config and tensors of a checkpoint to problems.

Every check answers for one way in which a checkpoint is silently wrong in vLLM, or ends it late.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from quantized_model_operator.domain.checkpoint import CheckpointProblem
from quantized_model_operator.domain.checkpoint_config import ModelConfig
from quantized_model_operator.domain.decoder_linears import FUSED
from quantized_model_operator.domain.expert_layers import missing_experts
from quantized_model_operator.domain.layer_completeness import missing_layers, missing_names
from quantized_model_operator.domain.quantization_settings import QuantizationSettings
from quantized_model_operator.domain.readable_text import first_and_count, readable_name
from quantized_model_operator.domain.tensor_classes import EMBEDDINGS, HEADS
from quantized_model_operator.domain.tensor_layout import (
    OPTIONAL_PART,
    REQUIRED_PARTS,
    Layer,
    Module,
    derive,
    is_complete,
    is_quantized,
    layers_of,
    main_stack,
    quantized_modules,
)

DTYPES: Mapping[str, tuple[str, ...]] = {
    "qweight": ("I32",),
    "qzeros": ("I32",),
    "scales": ("F16", "BF16"),
    OPTIONAL_PART: ("I32", "I64"),
}

_SIMPLE_FAMILIES = frozenset({"gemma", "gemma2", "llama", "mistral", "qwen2", "qwen3"})
"""Families whose linears have exactly the shapes that their config makes; only these are held
to it."""


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


def subject(
    config: ModelConfig, settings: QuantizationSettings, modules: Mapping[str, Module]
) -> Subject:
    """The checkpoint with its language model's layers picked out."""
    stacks = layers_of(modules)
    stack = main_stack(stacks)
    return Subject(
        config=config,
        settings=settings,
        modules=modules,
        layers=stacks.get(stack, {}),
        stack=stack,
    )


def tensor_problems(seen: Subject) -> list[CheckpointProblem]:
    """All that the checks find, in their order; empty for a sound checkpoint."""
    if not seen.stack:
        return [
            CheckpointProblem(
                reason="NotGptq",
                message="config.json says quant_method: gptq, but no layer has a qweight tensor; "
                "name a checkpoint whose weights are quantised",
            )
        ]
    return [problem for check in CHECKS for problem in check(seen)]


def complete_linears(seen: Subject) -> Iterator[CheckpointProblem]:
    """A quantised linear has qweight, qzeros and scales."""
    missing = [
        f"{name}.{part}"
        for name, module in quantized_modules(seen.modules)
        for part in REQUIRED_PARTS
        if part not in module
    ]
    yield from _missing(missing)


def complete_layers(seen: Subject) -> Iterator[CheckpointProblem]:
    """Layers 0 to L-1 exist and hold the same tensors as the others of their kind."""
    absent = missing_layers(seen.layers, seen.config.layers)
    if absent:
        yield CheckpointProblem(
            reason="TensorMissing",
            message=f"no tensor of layer {absent[0]} of {readable_name(seen.stack)} is there "
            f"({len(absent)} of {seen.config.layers} layers are missing); copy the checkpoint "
            "again",
        )
    known = {
        f"{name}.{part}" for name, _ in quantized_modules(seen.modules) for part in REQUIRED_PARTS
    }
    names = missing_names(seen.layers, lambda module: seen.settings.declared_for(module) is None)
    # A linear of which some tensor is there has been named by complete_linears already.
    found = [name for name in names if name not in known]
    yield from _missing(found or list(missing_experts(seen.layers, seen.config.experts)))


def complete_ends(seen: Subject) -> Iterator[CheckpointProblem]:
    """Embedding, final norm and output head exist, the head unless it is the embedding."""
    outside = {
        name: module for name, module in seen.modules.items() if not name.startswith(seen.stack)
    }
    last = {name.rpartition(".")[2]: module for name, module in outside.items()}
    if not any("weight" in last.get(name, {}) for name in EMBEDDINGS):
        yield from _missing([_beside(seen.stack, "embed_tokens.weight")])
    if not any("norm" in name or name.startswith("ln_") for name in last):
        yield from _missing([_beside(seen.stack, "norm.weight")])
    head = next((last[name] for name in HEADS if name in last), None)
    if seen.settings.quantized_lm_head and (head is None or not is_quantized(head)):
        yield from _missing(["lm_head.qweight"])
    elif head is None and not seen.config.tied_embeddings:
        yield from _missing(["lm_head.weight"])


def known_dtypes(seen: Subject) -> Iterator[CheckpointProblem]:
    """Tensors of quantised linears have the types of the GPTQ layout."""
    wrong = {
        f"{name}.{part}": module[part].dtype
        for name, module in quantized_modules(seen.modules)
        for part, legal in DTYPES.items()
        if part in module and module[part].dtype not in legal
    }
    if wrong:
        first = min(wrong)
        part = first.rpartition(".")[2]
        yield CheckpointProblem(
            reason="ShapesDisagree",
            message=f"{first_and_count(wrong)} has type {wrong[first]}, where GPTQ has "
            f"{' or '.join(DTYPES[part])}; export the checkpoint in the format gptq",
        )


def declared_shapes(seen: Subject) -> Iterator[CheckpointProblem]:
    """Bits and group size made by the shapes are those that config.json declares."""
    grouped: dict[str, list[str]] = {}
    for name, module in quantized_modules(seen.modules):
        if is_complete(module):
            text = _disagreement(name, module, seen.settings)
            if text:
                grouped.setdefault(text, []).append(name)
    for text, names in grouped.items():
        yield CheckpointProblem(
            reason="ShapesDisagree", message=text.replace("{name}", first_and_count(names))
        )


def config_shapes(seen: Subject) -> Iterator[CheckpointProblem]:
    """Linears and embedding have the sizes that the numbers in config.json make."""
    if seen.config.model_type not in _SIMPLE_FAMILIES:
        return
    grouped: dict[str, list[str]] = {}
    for name, actual, wanted in _sizes(seen):
        if actual != wanted:
            text = (
                f"is {actual[0]} x {actual[1]}, but config.json makes it {wanted[0]} x {wanted[1]}"
            )
            grouped.setdefault(text, []).append(name)
    for text, names in grouped.items():
        yield CheckpointProblem(
            reason="ShapesDisagree",
            message=f"{first_and_count(names)} {text}; config.json or the weights belong to "
            "another model: restore the right pair",
        )


def fused_linears(seen: Subject) -> Iterator[CheckpointProblem]:
    """Linears that vLLM fuses are quantised alike."""
    different = []
    for name in seen.modules:
        parent, _, last = name.rpartition(".")
        group = next((group for group in FUSED.values() if group[0] == last), ())
        members = {
            f"{parent}.{member}": seen.modules[f"{parent}.{member}"]
            for member in group
            if f"{parent}.{member}" in seen.modules
        }
        # What is incomplete has been named already.
        kinds = {
            _kind(module)
            for module in members.values()
            if is_complete(module) or not is_quantized(module)
        }
        if len(kinds) > 1:
            different.append(f"{parent}.{'/'.join(group)}")
    if different:
        yield CheckpointProblem(
            reason="ShapesDisagree",
            message=f"{first_and_count(different)} is not quantised alike, but vLLM loads it "
            "as one; requantise with the same bits and group size for its parts",
        )


CHECKS: tuple[Callable[[Subject], Iterator[CheckpointProblem]], ...] = (
    complete_linears,
    complete_layers,
    complete_ends,
    known_dtypes,
    declared_shapes,
    config_shapes,
    fused_linears,
)


def _missing(names: list[str]) -> Iterator[CheckpointProblem]:
    if names:
        yield CheckpointProblem(
            reason="TensorMissing",
            message=f"no safetensors file holds {first_and_count(names)}; vLLM would serve wrong "
            "text without it: copy or export the checkpoint again",
        )


def _disagreement(name: str, module: Module, settings: QuantizationSettings) -> str:
    """What is wrong with a complete linear, with ``{name}`` in place of its name."""
    derived = derive(module)
    if derived is None:
        return (
            "the shapes of the tensors of {name} contradict each other; export the checkpoint again"
        )
    declared = settings.declared_for(name)
    if declared is None:
        return "{name} is quantised, but a dynamic rule in config.json says it is not; correct it"
    bits, group_size = declared
    if derived.bits != bits:
        return (
            f"{{name}} holds {derived.bits}-bit weights, but config.json says bits: {bits}; "
            f"set bits to {derived.bits} or restore the right weights"
        )
    groups = 1 if group_size == -1 else -(-derived.inputs // max(group_size, 1))
    if derived.groups != groups:
        made = -1 if derived.groups == 1 else derived.group_size
        return (
            f"{{name}} is quantised with group_size {made}, but config.json says "
            f"{group_size}; set group_size to {made} or restore the right weights"
        )
    return ""


def _kind(module: Module) -> tuple[int, int] | None:
    if not is_quantized(module):
        return None
    derived = derive(module)
    return (derived.bits, derived.group_size) if derived else (0, 0)


def _sizes(seen: Subject) -> Iterator[tuple[str, tuple[int, ...], tuple[int, int]]]:
    """Name, actual and expected size of everything whose size follows from the config."""
    name = _beside(seen.stack, "embed_tokens")
    embedding = seen.modules.get(name, {}).get("weight")
    if embedding is not None:
        expected = (seen.config.vocabulary, seen.config.hidden_size)
        yield f"{name}.weight", (*embedding.shape, 0, 0)[:2], expected
    linears = _expected_sizes(seen.config)
    for name, module in quantized_modules(seen.modules):
        wanted = linears.get(".".join(name.split(".")[-2:]))
        derived = derive(module) if wanted and is_complete(module) else None
        if derived and wanted:
            yield name, (derived.inputs, derived.outputs), wanted


def _expected_sizes(config: ModelConfig) -> Mapping[str, tuple[int, int]]:
    hidden, attention = config.hidden_size, config.heads * config.head_size
    kv, inner = config.kv_heads * config.head_size, config.intermediate_size
    return {
        "self_attn.q_proj": (hidden, attention),
        "self_attn.k_proj": (hidden, kv),
        "self_attn.v_proj": (hidden, kv),
        "self_attn.o_proj": (attention, hidden),
        "mlp.gate_proj": (hidden, inner),
        "mlp.up_proj": (hidden, inner),
        "mlp.down_proj": (inner, hidden),
    }


def _beside(stack: str, name: str) -> str:
    parent = stack.rpartition(".")[0]
    return f"{parent}.{name}" if parent else name
