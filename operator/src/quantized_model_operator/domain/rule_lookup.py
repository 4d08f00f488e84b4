"""Pure: what vLLM takes a linear for by config.json, against what its tensors are."""

from collections.abc import Iterator
from typing import NamedTuple

from quantized_model_operator.domain.checkpoint import CheckpointProblem
from quantized_model_operator.domain.checkpoint_subject import Subject
from quantized_model_operator.domain.engine_names import FUSED, engine_name, is_expert
from quantized_model_operator.domain.quantization_settings import QuantizationSettings
from quantized_model_operator.domain.readable_text import first_and_count, readable_name
from quantized_model_operator.domain.tensor_layout import (
    DerivedQuantization,
    Module,
    derive,
    is_complete,
    is_quantized,
)

_LIST = "modules_in_block_to_quantize"


class _Kind(NamedTuple):
    """How a linear is quantised; 0 bits where it is not."""

    bits: int
    groups: int


def disagreement(name: str, looked_up: str, module: Module, settings: QuantizationSettings) -> str:
    """What is wrong with a complete linear, with ``{name}`` in place of its name.

    ``looked_up`` is the name by which the rules are searched.
    """
    derived = derive(module)
    if derived is None:
        return (
            "the shapes of the tensors of {name} contradict each other; export the checkpoint again"
        )
    if not is_expert(name) and not settings.lists(name):
        return f"{{name}} is quantised, but {_LIST} in config.json does not list it; add it"
    declared = settings.declared_for(looked_up)
    if declared is None:
        return "{name} is quantised, but a dynamic rule in config.json says it is not; correct it"
    if declared != settings.declared_for(name) and not _fits(derived, declared):
        last = readable_name(looked_up.rpartition(".")[2], 40)
        return (
            f"{{name}} is given other parameters by a dynamic rule in config.json that vLLM does "
            f"not find, since it looks for the module {last}; write the rule so that it matches "
            f"{last} too"
        )
    return _wrong_numbers(derived, *declared)


def _fits(derived: DerivedQuantization, declared: tuple[int, int]) -> bool:
    return not _wrong_numbers(derived, *declared)


def _wrong_numbers(derived: DerivedQuantization, bits: int, group_size: int) -> str:
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


def fused_linears(seen: Subject) -> Iterator[CheckpointProblem]:
    """Linears that vLLM fuses are quantised alike, and so are the experts of a layer."""
    groups = (f"{members[0]}/{'/'.join(_last(members[1:]))}" for members in _unlike_groups(seen))
    different = [*groups, *_different_experts(seen)]
    if different:
        yield CheckpointProblem(
            reason="ShapesDisagree",
            message=f"{first_and_count(different)} is not quantised alike, but vLLM loads it "
            "as one; requantise with the same bits and group size for its parts",
        )


def listed_linears(seen: Subject) -> Iterator[CheckpointProblem]:
    """Linears that modules_in_block_to_quantize names are quantised."""
    if not seen.settings.listed:
        return
    quantized = {
        name
        for layer in seen.layers.values()
        for name, module in layer.modules.items()
        if is_quantized(module)
    }
    dense = [
        f"{layer.stack}.{number}.{name}"
        for number, layer in seen.layers.items()
        for name in layer.modules
        if name not in quantized  # else its tensors have been named as missing
        and any(f".{name}".endswith(f".{item}") for item in seen.settings.listed)
        and seen.settings.declared_for(engine_name(f"{layer.stack}.{number}.{name}"))
    ]
    if dense:
        yield CheckpointProblem(
            reason="ShapesDisagree",
            message=f"{first_and_count(dense)} is not quantised, but {_LIST} in config.json lists "
            "it, and vLLM would not find its weights; take it out of the list",
        )


def unlike_parts(seen: Subject) -> frozenset[str]:
    """Full names of linears that vLLM fuses although they are not quantised alike."""
    return frozenset(name for members in _unlike_groups(seen) for name in members)


def _unlike_groups(seen: Subject) -> Iterator[tuple[str, ...]]:
    for name in seen.modules:
        parent, _, last = name.rpartition(".")
        group = next((parts for _, parts in FUSED if parts[0] == last), ())
        members = tuple(f"{parent}.{member}" for member in group)
        kinds = {kind for member in members for kind in _kinds(seen.modules.get(member, {}))}
        if len(kinds) > 1:
            yield members


def _last(names: tuple[str, ...]) -> list[str]:
    return [name.rpartition(".")[2] for name in names]


def _different_experts(seen: Subject) -> Iterator[str]:
    for number, layer in seen.layers.items():
        bits: dict[str, set[int]] = {}
        for name, module in layer.modules.items():
            if is_expert(name):
                found = {kind.bits for kind in _kinds(module)}
                bits.setdefault(engine_name(name), set()).update(found)
        for name, found in bits.items():
            if len(found) > 1:
                yield f"{layer.stack}.{number}.{name}"


def _kinds(module: Module) -> Iterator[_Kind]:
    """The one kind of a linear; none of what is absent or incomplete, which is named elsewhere."""
    derived = derive(module) if is_complete(module) else None
    if derived:
        yield _Kind(derived.bits, derived.groups)
    elif not is_quantized(module) and "weight" in module:
        yield _Kind(0, 0)
