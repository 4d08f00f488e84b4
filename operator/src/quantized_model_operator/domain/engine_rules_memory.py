"""Pure: rules of vLLM about memory, lengths and batches, by version."""

from quantized_model_operator.domain.engine_rules import EngineRule

_GPU_PLAN = "quantized_model_operator.domain.gpu_refusals:gpu_refusal"

UTILIZATION_IS_A_SHARE = EngineRule(
    id="utilization-is-a-share",
    area="Memory and length",
    means="Refused",
    holds="The share of GPU memory is above 0 and at most 1.",
    vllm_says="Input should be greater than 0 | Input should be less than or equal to 1",
    remedy="Set spec.engine.gpuMemoryUtilization to 0.92.",
    source="vLLM 0.20.2 to 0.33.0 config/cache.py, 2026-11; the parser takes any number",
    checked_by="quantized_model_operator.domain.serving_plan:plan_serving",
    reason="InvalidSpec",
    field="spec.engine.gpuMemoryUtilization",
)
WEIGHTS_LEAVE_ROOM = EngineRule(
    id="weights-leave-room",
    area="Memory and length",
    means="Refused",
    holds="Weights, activations and CUDA graphs leave room for a KV cache.",
    vllm_says="No available memory for the cache blocks. | Failed to load model - not enough GPU "
    "memory. | Cannot auto-fit max_model_len: not enough GPU memory available",
    remedy="Use more or larger GPUs, or a checkpoint with 4 bits.",
    source="vLLM 0.33.0 v1/core/kv_cache_utils.py and v1/worker/gpu_worker.py, 2026-11; sizes "
    "measured on H200",
    checked_by=_GPU_PLAN,
    reason="InsufficientGpuMemory",
    field="spec.hardware.products",
)
CPU_MEMORY_LEAVES_ROOM = EngineRule(
    id="cpu-memory-leaves-room",
    area="Memory and length",
    means="Refused",
    holds="On CPU the memory of the pod holds the process, the weights and a KV cache.",
    vllm_says="Available memory on node {} ({}/{} GiB) on kv cache allocation is less than "
    "requested memory for kv",
    remedy="Set spec.hardware.memory to what the refusal names.",
    source="our measurement with vLLM 0.32.0 on CPU, 2026-11",
    checked_by="quantized_model_operator.domain.cpu_plan:plan_cpu",
    reason="InsufficientMemory",
    field="spec.hardware.memory",
)
A_REQUEST_FITS = EngineRule(
    id="a-request-fits",
    area="Memory and length",
    means="Refused",
    holds="One request of the full length fits into the KV cache.",
    vllm_says="To serve at least one request with the model's max seq len ({}), ({} GiB KV cache "
    "is needed, which is larger than the available KV cache memory ({} GiB). Based on the "
    "available memory, the estimated maximum model length is {}.",
    remedy="Set spec.engine.maxModelLen to what the refusal names, or use more GPUs.",
    source="vLLM 0.20.2 to 0.33.0 v1/core/kv_cache_utils.py; measured on H200 (0.25.1, 0.33.0) "
    "and on CPU (0.32.0), 2026-11",
    checked_by=_GPU_PLAN,
    reason="ModelLengthTooLong",
    field="spec.engine.maxModelLen",
)
LENGTH_IS_THE_MODELS = EngineRule(
    id="length-is-the-models",
    area="Memory and length",
    means="Refused",
    holds="maxModelLen is at least 1 and no more than the model was made for, unless "
    "VLLM_ALLOW_LONG_MAX_MODEL_LEN is set in spec.engine.env.",
    vllm_says="User-specified max_model_len ({}) is greater than the derived max_model_len "
    "(max_position_embeddings={} or model_max_length={} in model's config.json).",
    remedy="Set spec.engine.maxModelLen to the model's limit or less.",
    source="vLLM 0.20.2 to 0.33.0 config/model.py; seen with 0.32.0, 2026-11",
    checked_by="quantized_model_operator.domain.model_length:length_problem",
    reason="ModelLengthTooLong",
    field="spec.engine.maxModelLen",
)
A_STEP_HOLDS_A_REQUEST = EngineRule(
    id="a-step-holds-a-request",
    area="Memory and length",
    means="Refused",
    holds="Without chunked prefill one step holds a request of the full length.",
    vllm_says="max_num_batched_tokens ({}) is smaller than max_model_len ({}).",
    remedy="Leave chunked prefill on, or raise spec.engine.maxNumBatchedTokens.",
    source="vLLM 0.20.2 to 0.33.0 config/scheduler.py, 2026-11",
    checked_by="quantized_model_operator.domain.batch_limits:step_problem",
    reason="InvalidSpec",
    field="spec.engine.maxNumBatchedTokens",
)
A_STEP_HOLDS_ALL_REQUESTS = EngineRule(
    id="a-step-holds-all-requests",
    area="Memory and length",
    means="Refused",
    holds="One step holds at least a token of every request that runs at the same time.",
    vllm_says="max_num_batched_tokens ({}) must be greater than or equal to max_num_seqs ({}).",
    remedy="Lower spec.engine.maxNumSeqs, or raise spec.engine.maxNumBatchedTokens.",
    source="vLLM 0.20.2 to 0.33.0 config/scheduler.py, 2026-11",
    checked_by="quantized_model_operator.domain.batch_limits:batch_problem",
    reason="InvalidSpec",
    field="spec.engine.maxNumSeqs",
)
MEMORY_IS_FREE_AT_START = EngineRule(
    id="memory-is-free-at-start",
    area="Memory and length",
    means="Explained",
    holds="When vLLM starts, as much memory of the GPU is free as it may use.",
    vllm_says="Free memory on device {} ({}/{} GiB) on startup is less than desired GPU memory "
    "utilization ({}, {} GiB).",
    remedy="Wait until the pod before has ended, or lower spec.engine.gpuMemoryUtilization on a "
    "shared GPU.",
    source="vLLM 0.20.2 to 0.33.0 v1/worker/utils.py, 2026-11",
    checked_by="quantized_model_operator.domain.engine_log:cause_line",
)
SAMPLING_FITS = EngineRule(
    id="sampling-fits",
    area="Memory and length",
    means="Explained",
    holds="The first sampling of all requests at once fits beside weights and KV cache.",
    vllm_says="CUDA out of memory occurred when warming up sampler with {} dummy requests.",
    remedy="Lower spec.engine.maxNumSeqs.",
    source="vLLM 0.20.2 to 0.33.0 v1/worker/gpu_model_runner.py, 2026-11; part of the memory that "
    "a plan sets aside",
    checked_by="quantized_model_operator.domain.engine_log:cause_line",
)

MEMORY_RULES = (
    UTILIZATION_IS_A_SHARE,
    WEIGHTS_LEAVE_ROOM,
    CPU_MEMORY_LEAVES_ROOM,
    A_REQUEST_FITS,
    LENGTH_IS_THE_MODELS,
    A_STEP_HOLDS_A_REQUEST,
    A_STEP_HOLDS_ALL_REQUESTS,
    MEMORY_IS_FREE_AT_START,
    SAMPLING_FITS,
)
