"""Arguments of vLLM that follow from the checkpoint."""

from __future__ import annotations

from dataclasses import replace

import pytest

from unit.otter import COMMIT, CPU_SPEC, GPU_SPEC, HUB_URI, desired, facts, observed


def arguments(*, legacy: bool) -> list[str]:
    """Arguments for a checkpoint with its parameters in config.json, or in the legacy file."""
    known = replace(facts(), quantization_argument=legacy)
    _, objects = desired(observed(CPU_SPEC, known=known))
    assert objects.deployment is not None
    (server,) = objects.deployment["spec"]["template"]["spec"]["containers"]
    return list(server["args"])


def test_quantisation_is_named_only_for_the_legacy_file() -> None:
    """VLLM reads quantize_config.json only when the method is named, config.json by itself."""
    assert "--quantization" not in arguments(legacy=False)
    named = arguments(legacy=True)
    assert named[named.index("--quantization") + 1] == "gptq"
    assert [item for item in named if item not in ("--quantization", "gptq")] == arguments(
        legacy=False
    )


@pytest.mark.parametrize(
    ("group_size", "product", "kernel", "disabled"),
    [
        (128, "NVIDIA-H100-80GB-HBM3", "Machete", True),
        (32, "NVIDIA-H100-80GB-HBM3", "Humming", False),
        (128, "NVIDIA-L4", "Marlin", True),
    ],
)
def test_a_pod_can_run_on_the_kernel_of_its_plan_only(
    group_size: int, product: str, kernel: str, *, disabled: bool
) -> None:
    """Exllama, Conch and Triton are always disabled, Humming where the plan names another."""
    spec = {**GPU_SPEC, "hardware": {"products": [product]}}
    known = replace(facts(HUB_URI, COMMIT), group_size=group_size)
    plan, objects = desired(observed(spec, known=known))
    assert plan.serving is not None
    assert plan.serving.plan.kernel == kernel
    assert objects.deployment is not None
    (server,) = objects.deployment["spec"]["template"]["spec"]["containers"]
    variables = {item["name"]: item.get("value") for item in server["env"]}
    names = variables["VLLM_DISABLED_KERNELS"].split(",")
    assert names[:3] == ["ExllamaLinearKernel", "ConchLinearKernel", "TritonW4A16LinearKernel"]
    assert ("HummingLinearKernel" in names) == disabled
