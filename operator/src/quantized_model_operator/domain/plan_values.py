"""Pure: what a plan is asked and what it answers, and the versioned text that records it.

The text is an annotation of the Deployment: JSON of less than 4 KiB.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, get_args, get_type_hints

from quantized_model_operator.domain.measured_memory import MeasuredMemory
from quantized_model_operator.domain.quantization import Device

PLAN_VERSION = 1
PLAN_LIMIT_BYTES = 4096
"""What a plan may take of a Deployment's annotations. Source: our limit."""

_TEXT_LIMIT = 240
_LISTS = ("warnings", "alternatives")


class InvalidPlanError(ValueError):
    """The text is no plan that this version understands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingRequest:
    """What the user settled; ``None`` leaves the choice to the plan."""

    device: Device
    engine_version: str
    gpus_per_replica: int | None = None
    products: tuple[str, ...] = ()
    """Values of the product label that are accepted; empty means any that fits."""
    resource_name: str = "nvidia.com/gpu"
    max_model_length: int | None = None
    dtype: str | None = None
    kv_cache_dtype: str | None = None
    gpu_memory_utilization: float | None = None
    max_num_seqs: int | None = None
    max_num_batched_tokens: int | None = None
    enforce_eager: bool = False
    chunked_prefill: bool = True
    """Whether long prompts are cut into several steps; the user's arguments may switch it off."""
    expert_parallel: bool = False
    """Whether the user's arguments give experts out whole instead of splitting each."""
    linear_backend: str = ""
    """Kernel that the user's arguments name for dense linears; empty or ``auto``: vLLM's choice."""
    attention_backend: str = ""
    """Likewise for attention, in capitals."""
    double_batches: bool = False
    """Whether the user's arguments ask for throughput, which doubles vLLM's own batch limits."""
    warnings: tuple[str, ...] = ()
    """What was noticed when the settings were read; part of the plan's warnings."""
    length_may_exceed: bool = False
    """Whether the user's environment lets a length exceed the model's own limit."""
    memory_limit_bytes: int | None = None
    """Of the pod's main memory."""
    flags: str = ""
    """Hash of what the user gives to vLLM beside all of this: arguments, environment, image."""
    measured: MeasuredMemory | None = None
    """What an earlier start measured; used by plans of the same setup."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingPlan:
    """How one replica is served; a decision that sticks once it is recorded."""

    engine_version: str
    device: Device
    products: tuple[str, ...]
    """Product labels to place the pods on; empty on CPU."""
    tensor_parallel_size: int
    kernel: str
    """The kernel that does most of the work, for example ``Marlin``."""
    dtype: str
    kv_cache_dtype: str
    weights_bytes_per_gpu: int
    """On CPU, of the process."""
    kv_cache_bytes_per_gpu: int
    """The conservative figure: what the verdict relies on."""
    kv_cache_tokens: int
    expected_kv_cache_tokens: int
    """What vLLM will probably log; never below ``kv_cache_tokens``."""
    max_model_length: int
    max_concurrency: str
    """Requests of the full length at once, one decimal, for example ``8.5``."""
    gpu_memory_bytes: int
    """Total of one GPU; 0 on CPU."""
    gpu_memory_utilization: float
    kv_cache_memory_bytes: int | None
    """CPU: the exact value for ``--kv-cache-memory-bytes``."""
    memory_request_bytes: int
    """Main memory of the pod."""
    cpu_request: str
    nodes_that_fit: int
    """Schedulable nodes now in sight that could take a replica."""
    warnings: tuple[str, ...] = ()
    alternatives: tuple[str, ...] = ()


def plan_to_json(plan: ServingPlan) -> str:
    """The plan as compact, sorted JSON of less than 4 KiB.

    Alternatives, then warnings are dropped from the end, and at last every text is shortened,
    until it fits. A plan of ordinary size comes back whole.
    """
    kept = plan
    while len(text := _encode(kept)) >= PLAN_LIMIT_BYTES:
        if kept.alternatives:
            kept = replace(kept, alternatives=kept.alternatives[:-1])
        elif kept.warnings:
            kept = replace(kept, warnings=kept.warnings[:-1])
        elif len(kept.products) > 1:
            kept = replace(kept, products=kept.products[:-1])
        else:
            raise InvalidPlanError("a plan does not fit into 4 KiB even without its texts")
    return text


def plan_from_json(text: str) -> ServingPlan:
    """The plan in the text; ``InvalidPlanError`` when it is none of this version."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidPlanError(f"the recorded plan is not JSON: {error}") from error
    if not isinstance(document, dict) or "version" not in document:
        raise InvalidPlanError("the recorded plan is not an object with a version")
    if document["version"] != PLAN_VERSION:
        raise InvalidPlanError(f"the recorded plan has the unknown version {document['version']!r}")
    return _decode(document)


def _encode(plan: ServingPlan) -> str:
    document = {**asdict(plan), "version": PLAN_VERSION}
    for name in _LISTS:
        document[name] = [_shorten(item) for item in document[name]]
    # ASCII only, so that characters and bytes are the same number.
    return json.dumps(document, separators=(",", ":"), sort_keys=True)


def _shorten(text: str) -> str:
    return text if len(text) <= _TEXT_LIMIT else text[: _TEXT_LIMIT - 1] + "…"


def _decode(document: Mapping[str, Any]) -> ServingPlan:
    """Every field present and of its type; keys of newer versions are ignored."""
    for name, expected in _FIELD_TYPES.items():
        if name not in document:
            raise InvalidPlanError(f"the recorded plan lacks {name}")
        if not _CHECKS[expected](document[name]):
            raise InvalidPlanError(f"the recorded plan has {document[name]!r} as {name}")
    if document["tensor_parallel_size"] < 1 or document["max_model_length"] < 1:
        raise InvalidPlanError("the recorded plan has a size below 1")
    return ServingPlan(
        **{name: _restored(document[name], _FIELD_TYPES[name]) for name in _FIELD_TYPES}
    )


def _is_text_list(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _restored(value: Any, expected: object) -> Any:  # noqa: ANN401 - JSON values of any type
    """JSON knows neither tuples nor the difference between 1 and 1.0."""
    if expected is float:
        return float(value)
    return tuple(value) if isinstance(value, list) else value


_FIELD_TYPES: Mapping[str, Any] = get_type_hints(ServingPlan)

_CHECKS: Mapping[Any, Callable[[Any], bool]] = {
    str: lambda value: isinstance(value, str),
    int: lambda value: type(value) is int,
    float: lambda value: type(value) in {int, float},
    int | None: lambda value: value is None or type(value) is int,
    Device: lambda value: value in get_args(Device),
    tuple[str, ...]: _is_text_list,
}
"""How a JSON value of each field's type looks; ``bool`` is no number here."""
