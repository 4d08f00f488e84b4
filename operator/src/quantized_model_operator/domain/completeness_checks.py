"""Pure: checks that nothing of a checkpoint is missing, which vLLM would not notice."""

from collections.abc import Iterator

from quantized_model_operator.domain.checkpoint import CheckpointProblem
from quantized_model_operator.domain.checkpoint_subject import Subject, missing_tensors
from quantized_model_operator.domain.engine_names import engine_name
from quantized_model_operator.domain.expert_layers import missing_experts, surplus_experts
from quantized_model_operator.domain.family_layers import missing_of_family
from quantized_model_operator.domain.layer_completeness import missing_layers, missing_names
from quantized_model_operator.domain.readable_text import first_and_count, readable_name
from quantized_model_operator.domain.tensor_classes import EMBEDDINGS
from quantized_model_operator.domain.tensor_layout import (
    REQUIRED_PARTS,
    Module,
    is_quantized,
    quantized_modules,
)
from quantized_model_operator.domain.unknown_architecture import HEADS

_MATRIX = 2
"""Dimensions."""


def complete_linears(seen: Subject) -> Iterator[CheckpointProblem]:
    """A quantised linear has qweight, qzeros and scales."""
    yield from missing_tensors(
        [
            f"{name}.{part}"
            for name, module in quantized_modules(seen.modules)
            for part in REQUIRED_PARTS
            if part not in module
        ]
    )


def complete_layers(seen: Subject) -> Iterator[CheckpointProblem]:
    """Layers 0 to L-1 exist and hold the same tensors as the others of their kind."""
    # An unknown architecture may count its layers differently, but leaves no gap.
    count = seen.config.layers if seen.config.known_architecture else max(seen.layers) + 1
    absent = missing_layers(seen.layers, count)
    if absent:
        yield CheckpointProblem(
            reason="TensorMissing",
            message=f"no tensor of layer {absent[0]} of {readable_name(seen.stack)} is there "
            f"({len(absent)} of {count} layers are missing); copy the checkpoint again",
        )
    known = {
        f"{name}.{part}" for name, _ in quantized_modules(seen.modules) for part in REQUIRED_PARTS
    }
    names = missing_names(seen.layers, lambda module: _is_left_out(seen, module))
    # A linear of which some tensor is there has been named by complete_linears already.
    found = [name for name in names if name not in known]
    yield from missing_tensors(found or _missing_everywhere(seen))
    surplus = list(surplus_experts(seen.layers, seen.config.experts))
    if surplus:
        yield CheckpointProblem(
            reason="ShapesDisagree",
            message=f"{first_and_count(surplus)} is more than the {seen.config.experts} experts "
            "that config.json declares; config.json or the weights belong to another model: "
            "restore the right pair",
        )


def complete_ends(seen: Subject) -> Iterator[CheckpointProblem]:
    """Embedding, final norm and output head exist, the head unless it is the embedding."""
    last = {name.rpartition(".")[2]: module for name, module in seen.outside}
    has_usual_names = any(name in last for name in (*EMBEDDINGS, *HEADS))
    if not has_usual_names and not seen.config.known_architecture:
        # Under other names only an embedding can be told, by its shape.
        named = any(map(_is_matrix, last.values()))
        yield from missing_tensors([] if named else [seen.beside("embed_tokens.weight")])
        return
    if not any("weight" in last.get(name, {}) for name in EMBEDDINGS):
        yield from missing_tensors([seen.beside("embed_tokens.weight")])
    if not any("norm" in name or name.startswith("ln_") for name in last):
        yield from missing_tensors([seen.beside("norm.weight")])
    head = next((last[name] for name in HEADS if name in last), None)
    if not seen.config.tied_embeddings:
        yield from _head_problems(head, is_declared=seen.settings.quantized_lm_head)


def _missing_everywhere(seen: Subject) -> list[str]:
    """What comparing layers cannot find: it is in none of them."""
    config = seen.config
    return [
        *missing_experts(seen.layers, config.experts),
        *missing_of_family(
            config.model_type,
            seen.layers,
            has_attention_bias=config.has_attention_bias,
            has_shared=config.shared_intermediate_size > 0,
        ),
    ]


def _head_problems(head: Module | None, *, is_declared: bool) -> Iterator[CheckpointProblem]:
    if is_declared and (head is None or not is_quantized(head)):
        yield from missing_tensors(["lm_head.qweight"])
    elif head is None:
        yield from missing_tensors(["lm_head.weight"])
    elif is_quantized(head) and not is_declared:
        yield CheckpointProblem(
            reason="ShapesDisagree",
            message="lm_head is quantised, but quantization_config in config.json does not say "
            "lm_head: true, and vLLM would not find its weights; set lm_head to true",
        )


def _is_left_out(seen: Subject, name: str) -> bool:
    """Whether the config says that this linear is not quantised."""
    settings = seen.settings
    by_rule = None in (settings.declared_for(name), settings.declared_for(engine_name(name)))
    return by_rule or not settings.lists(name)


def _is_matrix(module: Module) -> bool:
    weight = module.get("weight")
    return weight is not None and len(weight.shape) == _MATRIX
