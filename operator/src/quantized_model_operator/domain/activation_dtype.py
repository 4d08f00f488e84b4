"""Pure: in which type a checkpoint computes and keeps its KV cache, or why not as asked."""

from collections.abc import Mapping
from typing import Any

from quantized_model_operator.domain.checkpoint import CheckpointFacts
from quantized_model_operator.domain.engine_rules_checkpoint import (
    BFLOAT16_NEEDS_AMPERE,
    CACHE_DTYPE_IS_THE_MODELS,
    DTYPE_IS_SERVED,
    FLOAT16_IS_STABLE,
)
from quantized_model_operator.domain.outcome import Problem
from quantized_model_operator.domain.quantization import (
    BFLOAT16_COMPUTE_CAPABILITY,
    ComputeCapability,
    dotted,
)

SERVED_DTYPES = ("float16", "bfloat16")
"""Source: vLLM 0.33.0 auto_gptq.py (``get_supported_act_dtypes``), 2026-11."""

_USE_FLOAT16: Mapping[str, Any] = {"engine": {"dtype": "float16"}}
_USE_BFLOAT16: Mapping[str, Any] = {"engine": {"dtype": "bfloat16"}}

_DTYPE_NAMES = {"half": "float16", "fp16": "float16", "bf16": "bfloat16"}

FLOAT16_OVERFLOWS_IN = frozenset({"gemma2", "gemma3", "gemma3_text", "glm4", "plamo2"})
"""Model types that vLLM refuses in float16. Source: as ``FLOAT16_IS_STABLE``."""


def served_dtype(
    facts: CheckpointFacts, requested: str | None, compute_capability: ComputeCapability | None
) -> str | Problem:
    """``resolve_dtype``, but float16 only for families that are stable in it.

    The others default to bfloat16 even if quantised in float16, on CPU too.
    """
    if facts.model_type not in FLOAT16_OVERFLOWS_IN:
        return resolve_dtype(requested, facts.dtype, compute_capability)
    if compute_capability is not None and compute_capability < BFLOAT16_COMPUTE_CAPABILITY:
        return FLOAT16_IS_STABLE.problem(
            f"models of type {facts.model_type} overflow in float16, and bfloat16 needs compute "
            f"capability {dotted(BFLOAT16_COMPUTE_CAPABILITY)}, the GPU has "
            f"{dotted(compute_capability)}; choose an Ampere or newer GPU",
            field="spec.hardware.products",
        )
    asked = "bfloat16" if requested in (None, "auto") else requested
    dtype = resolve_dtype(asked, facts.dtype, compute_capability)
    if dtype != "float16":
        return dtype
    return FLOAT16_IS_STABLE.problem(
        f"models of type {facts.model_type} overflow in float16, and vLLM refuses it; leave dtype "
        "out, or use bfloat16",
        _USE_BFLOAT16,
    )


def cache_dtype_problem(kv_cache_dtype: str, dtype: str) -> Problem | None:
    """The refusal of a 16-bit KV cache of another type than the activations, or ``None``."""
    if kv_cache_dtype not in SERVED_DTYPES or kv_cache_dtype == dtype:
        return None
    return CACHE_DTYPE_IS_THE_MODELS.problem(
        f"A KV cache of {kv_cache_dtype} does not go with activations of {dtype}; leave "
        f"kvCacheDtype out, or set spec.engine.dtype to {kv_cache_dtype}",
        {"engine": {"kvCacheDtype": None}},
    )


def resolve_dtype(
    requested: str | None,
    checkpoint_dtype: str,
    compute_capability: ComputeCapability | None,
) -> str | Problem:
    """The dtype to serve with; ``None`` or ``auto`` takes the checkpoint's own where it runs.

    ``compute_capability`` is ``None`` on CPU, where float16 is the portable default: hosts that
    list AMX without allowing it die in bfloat16. Source: our measurement with vLLM 0.32.0 on CPU.
    """
    has_bfloat16 = compute_capability is None or compute_capability >= BFLOAT16_COMPUTE_CAPABILITY
    if requested is None or requested == "auto":
        own = checkpoint_dtype == "bfloat16" and has_bfloat16 and compute_capability is not None
        return "bfloat16" if own else "float16"
    dtype = _DTYPE_NAMES.get(requested, requested)
    if dtype not in SERVED_DTYPES:
        return DTYPE_IS_SERVED.problem(
            f"{requested} is not served with GPTQ: use float16 or bfloat16, or leave it out",
            _USE_FLOAT16,
        )
    if dtype == "bfloat16" and not has_bfloat16 and compute_capability is not None:
        return BFLOAT16_NEEDS_AMPERE.problem(
            f"bfloat16 needs compute capability {dotted(BFLOAT16_COMPUTE_CAPABILITY)}, the GPU has "
            f"{dotted(compute_capability)}; use float16",
            _USE_FLOAT16,
        )
    return dtype
