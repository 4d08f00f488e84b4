"""Pure: the command line and the environment of vLLM, from the plan.

Source of flags and variables: vLLM 0.33.0, ``vllm serve --help=all`` and ``vllm/envs.py``;
0.32.0 for CPU; checked 2026-11-24.
"""

from typing import Any

from quantized_model_operator.domain.kernels import disabled_kernels
from quantized_model_operator.domain.model import EngineVariable, ResolvedModel, SecretKey
from quantized_model_operator.domain.serving_plan import ServingPlan
from quantized_model_operator.render.metadata import SERVER_PORT

HOME = "/home/vllm"
DRAIN_SECONDS = 60
"""How long requests in flight may take to finish after the stop signal."""


def arguments(
    model: ResolvedModel, plan: ServingPlan, folder: str, *, name_quantization: bool
) -> list[str]:
    """Arguments of ``vllm serve``: what the operator owns, then the user's, in a fixed order.

    ``name_quantization`` only where config.json is silent: then vLLM reads quantize_config.json.
    """
    owned: list[tuple[str, str]] = [
        ("--host", "0.0.0.0"),  # noqa: S104 - the Service and the probes come from outside
        ("--port", str(SERVER_PORT)),
        ("--dtype", plan.dtype),
        ("--max-model-len", str(plan.max_model_length)),
        ("--shutdown-timeout", str(DRAIN_SECONDS)),
    ]
    if name_quantization:
        owned.append(("--quantization", "gptq"))
    if plan.kv_cache_dtype not in {"", "auto"}:
        owned.append(("--kv-cache-dtype", plan.kv_cache_dtype))
    if plan.device == "GPU":
        owned.append(("--tensor-parallel-size", str(plan.tensor_parallel_size)))
        owned.append(("--gpu-memory-utilization", f"{plan.gpu_memory_utilization:g}"))
    if plan.kv_cache_memory_bytes is not None:
        owned.append(("--kv-cache-memory-bytes", str(plan.kv_cache_memory_bytes)))
    if model.request.max_num_seqs is not None:
        owned.append(("--max-num-seqs", str(model.request.max_num_seqs)))
    if model.request.max_num_batched_tokens is not None:
        owned.append(("--max-num-batched-tokens", str(model.request.max_num_batched_tokens)))
    flat = [part for pair in owned for part in pair]
    eager = plan.device == "CPU" and "--enforce-eager" not in model.arguments
    return [
        folder,
        "--served-model-name",
        *model.served_names,
        *flat,
        *(["--enforce-eager"] if eager else []),
        *model.arguments,
    ]


def variables(model: ResolvedModel, plan: ServingPlan, budget_seconds: int) -> list[dict[str, Any]]:
    """Environment of the vLLM container; the user's variables come last and win."""
    plain = {
        "HOME": HOME,
        "TRITON_CACHE_DIR": f"{HOME}/.cache/triton",
        "HF_HUB_OFFLINE": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
        "VLLM_ENGINE_READY_TIMEOUT_S": str(budget_seconds),
    }
    if plan.device == "CPU":
        plain["ONEDNN_MAX_CPU_ISA"] = "AVX512_CORE"
        plain["TORCH_COMPILE_DISABLE"] = "1"  # log-probabilities would need a C++ compiler
    else:
        plain["VLLM_DISABLED_KERNELS"] = ",".join(disabled_kernels(plan.kernel))
    rendered: dict[str, dict[str, Any]] = {
        name: {"name": name, "value": value} for name, value in plain.items()
    }
    if model.api_key:
        rendered["VLLM_API_KEY"] = _from_secret("VLLM_API_KEY", model.api_key)
    for variable in model.variables:
        rendered[variable.name] = _variable(variable)
    return list(rendered.values())


def _variable(variable: EngineVariable) -> dict[str, Any]:
    if variable.secret:
        return _from_secret(variable.name, variable.secret)
    return {"name": variable.name, "value": variable.value or ""}


def _from_secret(name: str, secret: SecretKey) -> dict[str, Any]:
    return {
        "name": name,
        "valueFrom": {"secretKeyRef": {"name": secret.name, "key": secret.key}},
    }
