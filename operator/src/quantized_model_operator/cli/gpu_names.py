"""Pure: the names by which people call GPUs: short ones, and the labels of nodes."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from quantized_model_operator.domain.accelerators import KNOWN_ACCELERATORS, Accelerator

_VENDOR_WORDS = frozenset({"NVIDIA", "TESLA", "GEFORCE", "AMD", "INSTINCT"})
_FORM = re.compile(r"(SXM\d?|PCIE|HBM\d\w?)", re.IGNORECASE)
_SIZE = re.compile(r"\d+GB", re.IGNORECASE)
_SEPARATORS = re.compile(r"[-_\s]+")


class UnknownGpuError(ValueError):
    """No GPU, or more than one, is called so; the text lists what is known."""


@dataclass(frozen=True, slots=True)
class NamedGpu:
    """GPUs that are the same to a planner, under one short name."""

    name: str
    """For example ``L4`` or ``A100-80GB``."""
    accelerator: Accelerator


@cache
def known_gpus() -> tuple[NamedGpu, ...]:
    """Every GPU that we know, form factors of one kind taken together, in the table's order."""
    names: dict[str, Accelerator] = {}
    for accelerator in KNOWN_ACCELERATORS:
        names.setdefault(short_name(accelerator.product), accelerator)
    return tuple(NamedGpu(name, accelerator) for name, accelerator in names.items())


def find_gpu(text: str) -> NamedGpu:
    """The GPU that is called so, by a short name or a node label, in upper or lower case."""
    found = _by_key().get(_key(text), {})
    if len(found) == 1:
        return next(iter(found.values()))
    if found:
        raise UnknownGpuError(f"{text} may be {' or '.join(found)}: name one of them")
    names = ", ".join(gpu.name for gpu in known_gpus())
    raise UnknownGpuError(f"{text} is no GPU that is known here; known are {names}")


@cache
def short_name(product: str) -> str:
    """What people call the product; its size is a part of it only where sizes differ."""
    base, size = _parts(product)
    siblings = [item for item in KNOWN_ACCELERATORS if _parts(item.product)[0] == base]
    sizes = {item.memory_bytes for item in siblings}
    return f"{base}-{size}" if size and len(sizes) != 1 else base


@cache
def _parts(product: str) -> tuple[str, str]:
    """The name without maker and form factor, and the size of the memory if it is named."""
    words = [word for word in _words(product) if not _FORM.fullmatch(word)]
    size = next((word for word in words if _SIZE.fullmatch(word)), "")
    return "-".join(word for word in words if word != size), size


def _words(text: str) -> list[str]:
    """The words of a name without the maker's."""
    return [word for word in _SEPARATORS.split(text) if word.upper() not in _VENDOR_WORDS]


def _key(text: str) -> str:
    return "".join(_words(text)).lower().removesuffix("gb")


def _keys(product: str) -> Iterable[str]:
    """Everything that the product may be called."""
    base, size = _parts(product)
    for name in (product, base, f"{base}{size}"):
        yield _key(name)
        yield _key(name).removeprefix("rtx")


@cache
def _by_key() -> Mapping[str, Mapping[str, NamedGpu]]:
    """What each name may mean, by short names."""
    by_key: dict[str, dict[str, NamedGpu]] = defaultdict(dict)
    for accelerator in KNOWN_ACCELERATORS:
        name = short_name(accelerator.product)
        for key in _keys(accelerator.product):
            by_key[key].setdefault(name, NamedGpu(name, accelerator))
    # A label names one product, whatever else has a name like it.
    for accelerator in KNOWN_ACCELERATORS:
        name = short_name(accelerator.product)
        by_key[_key(accelerator.product)] = {name: NamedGpu(name, accelerator)}
    return by_key
