"""Pure: variables of vLLM that change what a plan relies on, and what to tell who sets them.

The user's variables win over the operator's, so they are warned of and not refused.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

WARNINGS: Mapping[str, str] = MappingProxyType(
    {
        "VLLM_DISABLED_KERNELS": "kernels that the operator disables may be used: Exllama answers "
        "garbage for some checkpoints",
        "VLLM_MARLIN_INPUT_DTYPE": "activations are quantised too, which changes the answers",
        "VLLM_ALLOW_LONG_MAX_MODEL_LEN": "answers beyond the model's own length may be bad",
        "VLLM_ENGINE_READY_TIMEOUT_S": "vLLM may give up before the startup probe does",
        "VLLM_SERVER_DEV_MODE": "clients can pause, sleep and reset the server",
        "VLLM_KEEP_ALIVE_ON_ENGINE_DEATH": "a replica whose engine died stays and answers errors",
        "VLLM_USE_V1": "no version since 0.20 knows it: it does nothing",
        "HF_HUB_ENABLE_HF_TRANSFER": "huggingface_hub 1.0 and later ignore it",
        "PROMETHEUS_MULTIPROC_DIR": "metrics of dead processes stay and mislead",
    }
)
"""Variable -> what it does. Source: vLLM 0.20.2 to 0.33.0 envs.py, 2026-11."""


def variable_warnings(names: Iterable[str]) -> tuple[str, ...]:
    """A sentence for each variable that is known to change more than it seems."""
    return tuple(f"spec.engine.env: {name}: {WARNINGS[name]}" for name in names if name in WARNINGS)
