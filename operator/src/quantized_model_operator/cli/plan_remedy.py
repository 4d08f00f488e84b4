"""Pure: the suggestion of a refusal as what a user types: options, or a patch of the manifest."""

import json
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from quantized_model_operator.domain.outcome import Problem

OPTION_OF_FIELD: Mapping[tuple[str, ...], str] = MappingProxyType(
    {
        ("engine", "version"): "--engine",
        ("engine", "maxModelLen"): "--max-model-len",
        ("engine", "dtype"): "--dtype",
        ("engine", "kvCacheDtype"): "--kv-cache-dtype",
        ("engine", "gpuMemoryUtilization"): "--gpu-memory-utilization",
        ("engine", "maxNumSeqs"): "--max-num-seqs",
        ("engine", "maxNumBatchedTokens"): "--max-num-batched-tokens",
        ("hardware", "gpusPerReplica"): "--tensor-parallel-size",
        ("hardware", "products"): "--gpu",
        ("hardware", "memory"): "--memory",
    }
)
"""The option that stands for a field of the spec."""


def remedy(problem: Problem, *, by_manifest: bool) -> str:
    """The options to add, or the merge patch; empty where nothing is suggested."""
    if not problem.suggestion:
        return ""
    patch = json.dumps({"spec": dict(problem.suggestion)})
    if by_manifest:
        return f"kubectl patch qm NAME --type merge --patch '{patch}'"
    options = list(_options(problem.suggestion, ()))
    return patch if "" in options else " ".join(options)


def _options(value: Any, path: tuple[str, ...]) -> Iterator[str]:  # noqa: ANN401 - JSON
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _options(item, (*path, key))
        return
    option = OPTION_OF_FIELD.get(path, "")
    for item in value if isinstance(value, (list, tuple)) else (value,):
        if value is not None:  # null takes a field away, as leaving its option out does
            yield f"{option} {item}" if option else ""
