"""Arguments of vLLM that follow from the checkpoint."""

from __future__ import annotations

from dataclasses import replace

from unit.otter import CPU_SPEC, desired, facts, observed


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
