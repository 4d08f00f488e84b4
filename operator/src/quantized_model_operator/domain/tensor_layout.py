"""Pure: tensors gathered to modules and layers by their names alone, for any architecture.

Shapes of a quantised linear with ``K`` in-features, ``N`` out-features, group size ``g`` and
``b`` bits: ``qweight [K*b/32, N]``, ``scales [K/g, N]``, ``qzeros [K/g, N*b/32]``, ``g_idx [K]``.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

_MATRIX = 2
"""Dimensions."""

REQUIRED_PARTS = ("qweight", "qzeros", "scales")
OPTIONAL_PART = "g_idx"
_GPTQ_PARTS = frozenset((*REQUIRED_PARTS, OPTIONAL_PART))

Shape = tuple[int, ...]

_LONGEST_LAYER_NUMBER = 5
"""Digits."""


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """A tensor and the file that holds it."""

    file: str
    dtype: str
    shape: Shape


Module = Mapping[str, StoredTensor]
"""Last part of the name (``qweight``, ``bias``) to tensor."""


@dataclass(frozen=True, slots=True)
class DerivedQuantization:
    """What the shapes of one quantised linear say, whatever the config claims."""

    bits: int
    inputs: int
    outputs: int
    groups: int

    @property
    def group_size(self) -> int:
        """Inputs of one group; all of them when there is one group."""
        return -(-self.inputs // self.groups)


@dataclass(frozen=True, slots=True)
class Layer:
    """The modules of one layer, by their names inside it."""

    stack: str
    number: int
    modules: Mapping[str, Module]


def modules_of(tensors: Mapping[str, StoredTensor]) -> dict[str, dict[str, StoredTensor]]:
    """Tensors by module name; a name without a dot belongs to the module with the empty name."""
    modules: dict[str, dict[str, StoredTensor]] = {}
    for name, tensor in tensors.items():
        module, _, part = name.rpartition(".")
        modules.setdefault(module, {})[part] = tensor
    return modules


def is_quantized(module: Module) -> bool:
    """Whether any tensor of a GPTQ linear is there."""
    return "qweight" in module or not _GPTQ_PARTS.isdisjoint(module)


def is_complete(module: Module) -> bool:
    """Whether all tensors that a GPTQ linear needs are there."""
    return "qweight" in module and "qzeros" in module and "scales" in module


def derive(module: Module) -> DerivedQuantization | None:
    """Bits and sizes that the shapes of a complete linear make; ``None``: they contradict."""
    index = module.get(OPTIONAL_PART)
    return _derived(
        module["qweight"].shape,
        module["qzeros"].shape,
        module["scales"].shape,
        None if index is None else index.shape,
    )


@lru_cache(maxsize=256)
def _derived(
    weights: Shape, zeros: Shape, scales: Shape, index: Shape | None
) -> DerivedQuantization | None:
    if any(len(shape) != _MATRIX or 0 in shape for shape in (weights, zeros, scales)):
        return None
    (rows, outputs), (zero_rows, zero_columns), (groups, scale_columns) = weights, zeros, scales
    if (zero_rows, scale_columns) != (groups, outputs) or 32 * zero_columns % outputs:
        return None
    bits = 32 * zero_columns // outputs
    if 32 * rows % bits:
        return None
    inputs = 32 * rows // bits
    if index is not None and index != (inputs,):
        return None
    return DerivedQuantization(bits, inputs, outputs, groups)


def layers_of(modules: Mapping[str, Module]) -> dict[str, dict[int, Layer]]:
    """Layers by stack (``model.layers``) and number.

    The first number in a module's name is its layer; later ones are experts.
    """
    gathered: dict[tuple[str, int], dict[str, Module]] = {}
    for name, module in modules.items():
        place = _place(name)
        if place is not None:
            stack, number, rest = place
            gathered.setdefault((stack, number), {})[rest] = module
    stacks: dict[str, dict[int, Layer]] = {}
    for (stack, number), inner in gathered.items():
        stacks.setdefault(stack, {})[number] = Layer(stack, number, inner)
    return stacks


def main_stack(stacks: Mapping[str, Mapping[int, Layer]]) -> str:
    """The stack of the language model: the one with most quantised linears; empty when none."""
    counts = {
        stack: sum(
            is_quantized(module) for layer in layers.values() for module in layer.modules.values()
        )
        for stack, layers in stacks.items()
    }
    best = max(counts, key=lambda stack: (counts[stack], stack), default="")
    return best if counts.get(best) else ""


def parameters(modules: Mapping[str, Module]) -> int:
    """Unpacked parameters: weights of linears as if unpacked, other tensors as they are."""
    return sum(_module_parameters(module) for module in modules.values())


def _place(name: str) -> tuple[str, int, str] | None:
    parts = name.split(".")
    for position, part in enumerate(parts[1:-1], start=1):
        if part.isascii() and part.isdigit() and len(part) <= _LONGEST_LAYER_NUMBER:
            return ".".join(parts[:position]), int(part), ".".join(parts[position + 1 :])
    return None


def _module_parameters(module: Module) -> int:
    return sum(_part_parameters(module, part) for part in module)


def _part_parameters(module: Module, part: str) -> int:
    if is_quantized(module) and part in ("qzeros", "scales", OPTIONAL_PART):
        return 0
    derived = derive(module) if part == "qweight" and is_complete(module) else None
    if derived is not None:
        return derived.inputs * derived.outputs
    count = 1
    for size in module[part].shape:
        count *= size
    return count


def quantized_modules(modules: Mapping[str, Module]) -> Iterator[tuple[str, Module]]:
    """Name and tensors of the quantised linears, complete or not, sorted."""
    return ((name, modules[name]) for name in sorted(modules) if is_quantized(modules[name]))
