"""Pure: missing tensors found without knowing the architecture, by comparing layers.

Layers of one model repeat each other, but not always: dense and expert layers, or two kinds of
attention, may alternate. So a layer counts as damaged only if what it has is a proper part of
what at least as many other layers have:

    layers 0, 1, 3   self_attn: q k v o    mlp: gate up down
    layer 2          self_attn: q k v o    mlp: gate up            -> down is missing
    a dense layer    self_attn: q k v o    mlp: gate up down       among layers of experts: fine,
    expert layers    self_attn: q k v o    mlp: router experts.*   neither is a part of the other
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping

from quantized_model_operator.domain.tensor_layout import (
    OPTIONAL_PART,
    REQUIRED_PARTS,
    Layer,
    is_quantized,
)

Names = frozenset[str]


def missing_layers(layers: Mapping[int, Layer], count: int) -> list[int]:
    """Numbers from 0 to ``count - 1`` of which there is no tensor at all."""
    return [number for number in range(count) if number not in layers]


def missing_names(
    layers: Mapping[int, Layer], is_dense_by_rule: Callable[[str], bool]
) -> Iterator[str]:
    """Full names of tensors, modules (``name.*``) and blocks that a layer lacks, sorted.

    ``is_dense_by_rule`` tells for the full name of a module whether the config leaves it
    unquantised.
    """
    yield from sorted(_missing_blocks(layers))
    yield from sorted(_missing_modules(layers))
    yield from sorted(_missing_parts(layers, is_dense_by_rule))


def _missing_blocks(layers: Mapping[int, Layer]) -> Iterator[str]:
    blocks = {
        number: frozenset(_block(name) for name in layer.modules)
        for number, layer in layers.items()
    }
    for number, name in _lacking(blocks):
        yield f"{layers[number].stack}.{number}.{name}.*"


def _missing_modules(layers: Mapping[int, Layer]) -> Iterator[str]:
    by_block: dict[str, dict[int, Names]] = {}
    for number, layer in layers.items():
        members: dict[str, set[str]] = {}
        for name in layer.modules:
            members.setdefault(_block(name), set()).add(name)
        for block, names in members.items():
            by_block.setdefault(block, {})[number] = frozenset(names)
    for sets in by_block.values():
        for number, name in _lacking(sets):
            yield f"{layers[number].stack}.{number}.{name}.*"


def _missing_parts(
    layers: Mapping[int, Layer], is_dense_by_rule: Callable[[str], bool]
) -> Iterator[str]:
    by_module: dict[str, dict[int, Names]] = {}
    for number, layer in layers.items():
        for name, module in layer.modules.items():
            by_module.setdefault(name, {})[number] = frozenset(module) - {OPTIONAL_PART}
    for name, sets in by_module.items():
        dense = {
            number
            for number, parts in sets.items()
            if not is_quantized(layers[number].modules[name])
            and is_dense_by_rule(f"{layers[number].stack}.{number}.{name}")
        }
        kept = {number: parts for number, parts in sets.items() if number not in dense}
        for number, part in (*_lacking(kept), *_unquantized(kept)):
            yield f"{layers[number].stack}.{number}.{name}.{part}"


def _lacking(sets: Mapping[int, Names]) -> Iterator[tuple[int, str]]:
    """What single layers lack of the set that at least as many layers have in full."""
    counts = Counter(sets.values())
    for number, names in sets.items():
        larger = [
            other for other, count in counts.items() if names < other and count >= counts[names]
        ]
        if larger:
            whole = max(larger, key=lambda other: (counts[other], sorted(other)))
            yield from ((number, name) for name in whole - names)


def _unquantized(sets: Mapping[int, Names]) -> Iterator[tuple[int, str]]:
    """Linears that are dense here, but quantised in at least as many layers."""
    quantized = {number for number, parts in sets.items() if _any(REQUIRED_PARTS, parts)}
    dense = set(sets) - quantized
    if quantized and len(quantized) >= len(dense):
        for number in dense:
            yield from ((number, part) for part in REQUIRED_PARTS)


def _any(wanted: Iterable[str], names: Names) -> bool:
    return any(name in names for name in wanted)


def _block(module: str) -> str:
    return module.partition(".")[0]
