"""Pure: patches of the spec that mend failures; each is ``None`` where it would not help.

A remedy takes what the pattern of its row found in the text, and the situation.
"""

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from quantized_model_operator.domain.failure_cause import Patch, Remedy, Situation
from quantized_model_operator.domain.gpu_memory import DEFAULT_UTILIZATION
from quantized_model_operator.domain.quantity import GIB, InvalidQuantityError, parse_quantity

_MEMORY_FACTOR = Decimal("1.5")
_LEAST_UTILIZATION = 0.3
_ACT_ORDER_VERSION = "0.29.0"
"""The last one that serves act-order with groups. Source: vLLM 0.29.0 auto_gptq.py, 2026-11."""
_PORTABLE_ISA = {"name": "ONEDNN_MAX_CPU_ISA", "value": "AVX512_CORE"}


def engine_values(**values: Any) -> Remedy:  # noqa: ANN401 - any JSON value
    """Sets these fields of ``spec.engine``."""

    def remedy(_found: Mapping[str, str], situation: Situation) -> Patch | None:
        if all(situation.engine.get(name) == value for name, value in values.items()):
            return None
        return {"engine": values}

    return remedy


def engine_number(field: str, group: str) -> Remedy:
    """Sets a field of ``spec.engine`` to a number of the text; never to 0."""

    def remedy(found: Mapping[str, str], _situation: Situation) -> Patch | None:
        number = int(found[group].replace(",", ""))
        return {"engine": {field: number}} if number > 0 else None

    return remedy


def half_the_sequences(found: Mapping[str, str], _situation: Situation) -> Patch | None:
    """Half of the requests at once that vLLM tried."""
    number = int(found["number"]) // 2
    return {"engine": {"maxNumSeqs": number}} if number else None


def without_flags(*flags: str) -> Remedy:
    """``spec.engine.args`` without these flags and their values."""

    def remedy(_found: Mapping[str, str], situation: Situation) -> Patch | None:
        return _arguments(situation, flags)

    return remedy


def without_refused(found: Mapping[str, str], situation: Situation) -> Patch | None:
    """``spec.engine.args`` without what the parser of vLLM named."""
    named = [
        part
        for flag in re.split(r"[\s,/]+", found["flags"])
        if flag.startswith("-")
        for part in (flag.partition("=")[0],)
    ]
    return _arguments(situation, named)


def without_variables(*names: str) -> Remedy:
    """``spec.engine.env`` without these variables."""

    def remedy(_found: Mapping[str, str], situation: Situation) -> Patch | None:
        variables = list(situation.engine.get("env") or ())
        kept = [item for item in variables if item.get("name") not in names]
        if len(kept) == len(variables):
            return None
        return {"engine": {"env": kept or None}}

    return remedy


def eager(_found: Mapping[str, str], situation: Situation) -> Patch | None:
    """``--enforce-eager``: no compilation and no CUDA graphs."""
    if "--enforce-eager" in situation.arguments:
        return None
    return {"engine": {"args": [*situation.arguments, "--enforce-eager"]}}


def act_order_version(_found: Mapping[str, str], situation: Situation) -> Patch | None:
    """A version that serves act-order; an image of one's own would not contain it."""
    patch: dict[str, Any] = {"version": _ACT_ORDER_VERSION}
    if situation.engine.get("image"):
        patch["image"] = None
    return {"engine": patch}


def portable_instructions(_found: Mapping[str, str], situation: Situation) -> Patch | None:
    """float16 and no instruction that a hypervisor may forbid."""
    variables = [
        item
        for item in situation.engine.get("env") or ()
        if item.get("name") != _PORTABLE_ISA["name"]
    ]
    patch: dict[str, Any] = {"dtype": "float16", "env": [*variables, _PORTABLE_ISA]}
    unchanged = all(situation.engine.get(name) == value for name, value in patch.items())
    return None if unchanged else {"engine": patch}


def more_memory(_found: Mapping[str, str], situation: Situation) -> Patch | None:
    """Half as much memory again, in whole GiB."""
    return memory_patch(situation.memory)


def memory_patch(limit: str) -> Patch | None:
    """``spec.hardware.memory`` half as large again as a limit; ``None`` when it is unknown."""
    try:
        size = parse_quantity(limit)
    except InvalidQuantityError:
        return None
    gib = -int(-size * _MEMORY_FACTOR // GIB)
    return {"hardware": {"memory": f"{max(1, gib)}Gi"}}


def smaller_split(_found: Mapping[str, str], situation: Situation) -> Patch | None:
    """The largest legal number of GPUs below the present one."""
    return _split(size for size in situation.legal_sizes if size < situation.tensor_parallel_size)


def split_of_at_most(group: str) -> Remedy:
    """The largest legal number of GPUs that is no more than a number of the text."""

    def remedy(found: Mapping[str, str], situation: Situation) -> Patch | None:
        most = int(found[group])
        return _split(size for size in situation.legal_sizes if size <= most)

    return remedy


def larger_split(_found: Mapping[str, str], situation: Situation) -> Patch | None:
    """Weights and KV cache shared by the next larger legal number of GPUs."""
    larger = [size for size in situation.legal_sizes if size > situation.tensor_parallel_size]
    return {"hardware": {"gpusPerReplica": min(larger)}} if larger else None


def more_gpu_memory(found: Mapping[str, str], situation: Situation) -> Patch | None:
    """The usual share of GPU memory where it was lowered, else more GPUs."""
    share = situation.engine.get("gpuMemoryUtilization")
    if share is not None and float(share) < DEFAULT_UTILIZATION:
        return {"engine": {"gpuMemoryUtilization": DEFAULT_UTILIZATION}}
    return larger_split(found, situation)


def share_of_free_memory(found: Mapping[str, str], _situation: Situation) -> Patch | None:
    """The share of GPU memory that was free at the start, less one hundredth."""
    share = int(float(found["free"]) / float(found["total"]) * 100) / 100 - 0.01
    if share < _LEAST_UTILIZATION:
        return None
    return {"engine": {"gpuMemoryUtilization": round(share, 2)}}


def _split(sizes: Iterable[int]) -> Patch | None:
    largest = max(sizes, default=0)
    return {"hardware": {"gpusPerReplica": largest}} if largest else None


def _arguments(situation: Situation, flags: Iterable[str]) -> Patch | None:
    """The arguments without these flags; ``None`` when none of them is there."""
    kept = _without(situation.arguments, {_plain(flag) for flag in flags})
    if len(kept) == len(situation.arguments):
        return None
    return {"engine": {"args": kept or None}}


def _without(arguments: Iterable[str], flags: set[str]) -> list[str]:
    kept: list[str] = []
    drops_values = False
    for argument in arguments:
        if argument.startswith("-"):
            drops_values = _plain(argument) in flags
        if not drops_values:
            kept.append(argument)
    return kept


def _plain(flag: str) -> str:
    """The flag as vLLM compares it: without its value, ``-`` and ``_`` alike."""
    return flag.partition("=")[0].replace("_", "-")
