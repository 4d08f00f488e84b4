"""Pure: the suggestion of a refusal as what a user types: options, or a patch of the resource."""

import json
import shlex
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from quantized_model_operator.cli.gpu_names import short_name
from quantized_model_operator.domain.cluster_state import ModelKey

OPTION_OF_FIELD: Mapping[tuple[str, ...], str] = MappingProxyType(
    {
        ("engine", "version"): "--engine",
        ("engine", "maxModelLen"): "--max-model-len",
        ("engine", "dtype"): "--dtype",
        ("engine", "kvCacheDtype"): "--kv-cache-dtype",
        ("engine", "gpuMemoryUtilization"): "--gpu-memory-utilization",
        ("engine", "maxNumSeqs"): "--max-num-seqs",
        ("engine", "maxNumBatchedTokens"): "--max-num-batched-tokens",
        ("hardware", "device"): "--device",
        ("hardware", "gpusPerReplica"): "--tensor-parallel-size",
        ("hardware", "products"): "--gpu",
        ("hardware", "memory"): "--memory",
    }
)
"""The option that stands for a field of the spec."""


def remedy(suggestion: Mapping[str, Any], model: ModelKey | None) -> Iterator[str]:
    """Options to add or leave out; for a manifest the fields, and the command that sets them."""
    if model is None:
        told = [_option(path, value) for path, value in _fields(suggestion)]
        options = [text for text in told if text.startswith("--")]
        yield from ([" ".join(options)] if options else [])
        yield from (text for text in told if text not in options)
        return
    for path, value in _fields(suggestion):
        field = ".".join(("spec", *path))
        yield f"remove {field}" if value is None else f"{field}: {json.dumps(value)}"
    namespace = f"--namespace {model.namespace} " if model.namespace != "default" else ""
    patch = shlex.quote(json.dumps({"spec": suggestion}))
    # Broken where a shell goes on: a terminal breaks long lines anywhere.
    yield f"kubectl {namespace}patch quantizedmodel {model.name} --type merge \\"
    yield f"  --patch {patch}"


def _fields(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:  # noqa: ANN401 - JSON
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _fields(item, (*path, key))
    else:
        yield path, value


def _option(path: tuple[str, ...], value: Any) -> str:  # noqa: ANN401 - JSON
    """The option for a field; what has none is named as the field of a manifest."""
    option = OPTION_OF_FIELD.get(path)
    if option is None:
        return f"in a manifest, {'.'.join(('spec', *path))}: {json.dumps(value)}"
    if value is None:  # null takes a field away
        return f"without {option}"
    values = value if isinstance(value, (list, tuple)) else (value,)
    names = map(short_name, values) if option == "--gpu" else values
    return " ".join(f"{option} {item}" for item in names)
