"""Pure: what a user writes instead of an argument that is refused, as an edit of the list."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from quantized_model_operator.domain.engine_arguments import ArgumentTable, UsedArgument
from quantized_model_operator.domain.kv_cache import KV_CACHE_DTYPE_BYTES

_CLOSE = 0.75
"""How alike a known flag must be to be named. Source: our choice."""

_FIELDS: Mapping[str, tuple[str, str]] = {
    "dtype": ("engine", "dtype"),
    "max_model_len": ("engine", "maxModelLen"),
    "max_num_seqs": ("engine", "maxNumSeqs"),
    "max_num_batched_tokens": ("engine", "maxNumBatchedTokens"),
    "gpu_memory_utilization": ("engine", "gpuMemoryUtilization"),
    "kv_cache_dtype": ("engine", "kvCacheDtype"),
    "tensor_parallel_size": ("hardware", "gpusPerReplica"),
    "served_model_name": ("model", "servedNames"),
    "revision": ("model", "revision"),
}
"""Destination of an owned argument -> section and field of the spec that take its value."""

_OF_GPUS = frozenset({"gpu_memory_utilization", "kv_cache_dtype", "tensor_parallel_size"})
"""Destinations whose fields mean nothing on CPU."""

_DTYPES = {"auto": "auto", "half": "float16", "float16": "float16", "bfloat16": "bfloat16"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """Entries of ``engine.args`` to replace, and what goes into other fields instead."""

    index: int
    count: int
    instead: tuple[str, ...] = ()
    fields: Mapping[str, Any] = field(default_factory=dict)
    """A merge patch for ``spec``."""


def mended(arguments: Sequence[str], edits: Sequence[Edit]) -> list[str]:
    """The list after all edits; where two overlap the first one wins."""
    found: list[str] = []
    index = 0
    for edit in sorted(edits, key=lambda item: item.index):
        if edit.index < index:
            continue
        found += [*arguments[index : edit.index], *edit.instead]
        index = edit.index + edit.count
    return [*found, *arguments[index:]]


def patch(arguments: Sequence[str], edits: Sequence[Edit], own: Edit) -> Mapping[str, Any]:
    """A merge patch for ``spec``: the list with every edit, and the fields of this one."""
    engine = {"args": mended(arguments, edits) or None, **own.fields.get("engine", {})}
    return {**own.fields, "engine": engine}


def moved(argument: UsedArgument, *, on_cpu: bool = False) -> Edit:
    """The owned argument taken out of the list, its value put into the field that is for it."""
    place, value = _FIELDS.get(argument.row.dest), _field_value(argument)
    if on_cpu and argument.row.dest in _OF_GPUS:
        place = None
    fields = {place[0]: {place[1]: value}} if place and value is not None else {}
    return Edit(index=argument.index, count=argument.count, fields=fields)


def _field_value(argument: UsedArgument) -> object:
    """The value as the field takes it; ``None`` where it takes no such value."""
    value = argument.value
    if argument.row.dest == "dtype":
        return _DTYPES.get(str(value))
    if argument.row.dest == "kv_cache_dtype":
        return value if value in KV_CACHE_DTYPE_BYTES else None
    if isinstance(value, int | float):
        return value if value > 0 else None
    return value


def nearest_flag(flag: str, table: ArgumentTable) -> str | None:
    """The other spelling of a switch, else the known flag that looks most like it."""
    names = [name for row in table.rows for name in row.names]
    for twin in _twins(flag):
        if twin in names:
            return twin
    return next(iter(get_close_matches(flag, names, n=1, cutoff=_CLOSE)), None)


def nearest_choice(value: str, choices: Sequence[str]) -> str:
    """The closest number, or the choice that looks most like it."""
    if value.isdecimal() and all(choice.isdecimal() for choice in choices):
        return min(choices, key=lambda choice: abs(int(choice) - int(value)))
    return get_close_matches(value, choices, n=1, cutoff=0)[0]


def _twins(flag: str) -> Iterator[str]:
    """``--disable-x`` and ``--no-enable-x`` mean the same; not every version has both."""
    name = flag.removeprefix("--")
    for verb, opposite in (("enable-", "disable-"), ("disable-", "enable-")):
        if name.startswith(f"no-{verb}"):
            yield f"--{opposite}{name.removeprefix(f'no-{verb}')}"
        elif name.startswith(verb):
            yield f"--no-{opposite}{name.removeprefix(verb)}"
