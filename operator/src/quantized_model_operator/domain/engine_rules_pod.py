"""Pure: rules of vLLM about its arguments and about the pod it runs in, by version."""

from quantized_model_operator.domain.engine_rules import SILENT, EngineRule

_ARGUMENTS = "quantized_model_operator.domain.argument_rules:argument_problems"

ARGUMENTS_ARE_KNOWN = EngineRule(
    id="arguments-are-known",
    area="Arguments",
    means="Refused",
    holds="Every flag in spec.engine.args is one of this version's, abbreviations included.",
    vllm_says="vllm: error: unrecognized arguments: {}",
    remedy="Use the flag that the refusal names, or remove the entry.",
    source="parsers of vLLM 0.20.2 to 0.33.0, 2026-11; exit code 2 seen with "
    "0.32.0; other versions are not checked",
    checked_by=_ARGUMENTS,
    reason="InvalidArgument",
    field="spec.engine.args",
)
ARGUMENT_VALUES_ARE_TAKEN = EngineRule(
    id="argument-values-are-taken",
    area="Arguments",
    means="Refused",
    holds="Every value in spec.engine.args has the type, and is among the choices, of its flag.",
    vllm_says="vllm serve: error: argument {}: invalid choice: {} | invalid int value: {} | "
    "expected one argument",
    remedy="Use a value that the refusal names.",
    source="parsers of vLLM 0.20.2 to 0.33.0, 2026-11",
    checked_by=_ARGUMENTS,
    reason="InvalidArgument",
    field="spec.engine.args",
)
LOAD_FORMAT_IS_KNOWN = EngineRule(
    id="load-format-is-known",
    area="Arguments",
    means="Refused",
    holds="--load-format names a format that this version can load, unless an image of one's own "
    "brings a plugin.",
    vllm_says="Load format `{}` is not supported",
    remedy="Remove --load-format, or use one of the named formats.",
    source="vLLM 0.20.2 to 0.33.0 model_executor/model_loader/__init__.py, 2026-11: the parser "
    "takes any text",
    checked_by=_ARGUMENTS,
    reason="InvalidArgument",
    field="spec.engine.args",
)
BACKEND_IS_NOT_DISABLED = EngineRule(
    id="backend-is-not-disabled",
    area="Arguments",
    means="Refused",
    holds="--linear-backend names none of the kernels that are disabled: exllama, conch, triton.",
    vllm_says="Failed to find a kernel that can implement the WNA16 linear layer. Reasons: {}",
    remedy="Remove --linear-backend: the kernel is planned.",
    source="vLLM issues 9618, 10656 and 14126 for Exllama; our limit, 2026-11",
    checked_by=_ARGUMENTS,
    reason="InvalidArgument",
    field="spec.engine.args",
)
ARGUMENTS_ARE_NOT_OWNED = EngineRule(
    id="arguments-are-not-owned",
    area="Arguments",
    means="Refused",
    holds="spec.engine.args sets nothing that the operator sets itself, and runs no code of a "
    "model.",
    vllm_says=SILENT,
    remedy="Use the field that the refusal names.",
    source="our rule: probes, Service, metrics and plan rely on these flags, 2026-11",
    checked_by=_ARGUMENTS,
    reason="OwnedArgument",
    field="spec.engine.args",
)
METHOD_IS_LEFT_TO_VLLM = EngineRule(
    id="method-is-left-to-vllm",
    area="Arguments",
    means="Rendered",
    holds="--quantization is passed only where config.json is silent and quantize_config.json "
    "has the parameters, and then it is gptq.",
    vllm_says="Quantization method specified in the model config (gptq) does not match the "
    "quantization method specified in the `quantization` argument ({}). | Cannot find the config "
    "file for {}",
    remedy="Nothing to do: --quantization in spec.engine.args is refused.",
    source="vLLM 0.20.2 to 0.33.0 config/model.py and model_loader/weight_utils.py; seen with "
    "0.32.0, 2026-11",
    checked_by="quantized_model_operator.render.vllm_arguments:arguments",
)
SHARED_MEMORY_IS_LARGE = EngineRule(
    id="shared-memory-is-large",
    area="Pod",
    means="Rendered",
    holds="Shared memory is as large as the memory of the pod allows.",
    vllm_says="Insufficient space in /dev/shm for {}: {} MiB required, {} MiB free.",
    remedy="Nothing to do: an emptyDir in memory is mounted there.",
    source="vLLM 0.33.0 distributed/device_communicators/shm_broadcast.py, 2026-11",
    checked_by="quantized_model_operator.render.deployment:deployment",
)
ENGINE_WAITS_FOR_THE_START = EngineRule(
    id="engine-waits-for-the-start",
    area="Pod",
    means="Rendered",
    holds="vLLM waits for its engine as long as the startup probe waits for vLLM.",
    vllm_says="Timed out waiting for engine core processes to start | KeyboardInterrupt: "
    "terminated",
    remedy="Nothing to do: VLLM_ENGINE_READY_TIMEOUT_S is the budget of the probe.",
    source="vLLM 0.33.0 v1/engine/utils.py and envs.py, 2026-11",
    checked_by="quantized_model_operator.render.vllm_arguments:variables",
)
NO_SERVICE_VARIABLES = EngineRule(
    id="no-service-variables",
    area="Pod",
    means="Rendered",
    holds="Variables of Services, VLLM_PORT above all, do not reach the container.",
    vllm_says="VLLM_PORT '{}' appears to be a URI. This may be caused by a Kubernetes service "
    "discovery issue",
    remedy="Nothing to do: enableServiceLinks is false.",
    source="vLLM 0.20.2 to 0.33.0 envs.py, 2026-11",
    checked_by="quantized_model_operator.render.pod:pod_spec",
)

ARGUMENT_RULES = (
    ARGUMENTS_ARE_KNOWN,
    ARGUMENT_VALUES_ARE_TAKEN,
    LOAD_FORMAT_IS_KNOWN,
    BACKEND_IS_NOT_DISABLED,
    ARGUMENTS_ARE_NOT_OWNED,
    METHOD_IS_LEFT_TO_VLLM,
)
POD_RULES = (SHARED_MEMORY_IS_LARGE, ENGINE_WAITS_FOR_THE_START, NO_SERVICE_VARIABLES)
