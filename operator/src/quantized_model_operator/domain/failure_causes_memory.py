"""Pure: texts of vLLM about memory, lengths and batches, and what they mean."""

from quantized_model_operator.domain.failure_cause import FailureCause
from quantized_model_operator.domain.failure_remedies import (
    engine_number,
    half_the_sequences,
    more_gpu_memory,
    more_memory,
    share_of_free_memory,
)

_MORE = "use larger GPUs, more spec.hardware.gpusPerReplica, or a checkpoint with 4 bits"

MEMORY_CAUSES = (
    FailureCause(
        id="gpu-memory-taken",
        area="Memory and length",
        text="ValueError: Free memory on device cuda:0 (42.1/79.1 GiB) on startup is less than "
        "desired GPU memory utilization (0.92, 72.77 GiB). Decrease GPU memory utilization or "
        "reduce GPU memory used by other processes.",
        pattern=r"Free memory on device (?:\S+ )?\((?P<free>[\d.]+)/(?P<total>[\d.]+) GiB\) "
        r"(?:on startup )?is less than desired GPU memory utilization",
        reason="GpuMemoryTaken",
        sentence="spec.engine.gpuMemoryUtilization: only {free} of {total} GiB of the GPU are "
        "free; wait until the pod before has ended, it is tried again, or lower the share on a "
        "GPU that others use",
        source="vLLM 0.20.2 to 0.33.0 v1/worker/gpu_worker.py, 2026-11",
        remedy=share_of_free_memory,
    ),
    FailureCause(
        id="no-room-for-cache",
        area="Memory and length",
        text="ValueError: No available memory for the cache blocks. Try increasing "
        "`gpu_memory_utilization` when initializing the engine.",
        pattern=r"No available memory for the cache blocks",
        reason="InsufficientGpuMemory",
        sentence=f"spec.hardware: the weights leave no memory for the KV cache; {_MORE}",
        source="vLLM 0.20.2 to 0.33.0 v1/core/kv_cache_utils.py, 2026-11",
        remedy=more_gpu_memory,
    ),
    FailureCause(
        id="request-does-not-fit",
        area="Memory and length",
        text="ValueError: To serve at least one request with the model's max seq len (32768), "
        "(1.75 GiB KV cache is needed, which is larger than the available KV cache memory "
        "(0.88 GiB). Based on the available memory, the estimated maximum model length is 16464.",
        pattern=r"To serve at least one request with the models?'s max seq len "
        r"\((?P<length>\d+)\), \(?(?P<needed>[\d.]+) GiB KV cache is needed.* memory "
        r"\((?P<left>[\d.]+) GiB\).*estimated maximum model length is (?P<fits>[\d,]+)",
        reason="ModelLengthTooLong",
        sentence="spec.engine.maxModelLen: one request of {length} tokens needs {needed} GiB of KV "
        "cache, and there are {left} GiB; set it to {fits} or less, or use more GPU memory",
        source="vLLM 0.20.2 to 0.33.0 v1/core/kv_cache_utils.py; measured on H200 (0.25.1) and on "
        "CPU (0.32.0), 2026-11",
        remedy=engine_number("maxModelLen", "fits"),
    ),
    FailureCause(
        id="no-request-fits",
        area="Memory and length",
        text="ValueError: To serve at least one request with the model's max seq len (32768), "
        "(1.75 GiB KV cache is needed, which is larger than the available KV cache memory "
        "(0.00 GiB).",
        pattern=r"To serve at least one request with the models?'s max seq len "
        r"\((?P<length>\d+)\)(?!.*estimated maximum model length)",
        reason="ModelLengthTooLong",
        sentence="spec.engine.maxModelLen: the KV cache has no room for one request of {length} "
        f"tokens; lower it, {_MORE}",
        source="vLLM 0.20.2 to 0.33.0 v1/core/kv_cache_utils.py, 2026-11",
    ),
    FailureCause(
        id="no-length-fits",
        area="Memory and length",
        text="ValueError: Cannot auto-fit max_model_len: not enough GPU memory available to serve "
        "even a single token.",
        pattern=r"Cannot auto-fit max_model_len",
        reason="InsufficientGpuMemory",
        sentence=f"spec.hardware: there is not even memory for one token; {_MORE}",
        source="vLLM 0.33.0 v1/core/kv_cache_utils.py, 2026-11",
        remedy=more_gpu_memory,
    ),
    FailureCause(
        id="length-beyond-the-model",
        area="Memory and length",
        text="ValueError: User-specified max_model_len (999999) is greater than the derived "
        "max_model_len (max_position_embeddings=2048 or model_max_length=None in model's "
        "config.json). To allow overriding this maximum, set the env var "
        "VLLM_ALLOW_LONG_MAX_MODEL_LEN=1.",
        pattern=r"User-specified max_model_len \((?P<asked>\d+)\) is greater than the derived "
        r"max_model_len \((?:\w+=None or )?\w+=(?P<limit>\d+)",
        reason="ModelLengthTooLong",
        sentence="spec.engine.maxModelLen: the model was made for {limit} tokens, not {asked}; set "
        "it to {limit} or less",
        source="vLLM 0.20.2 to 0.33.0 config/model.py; seen with 0.32.0, 2026-11",
        remedy=engine_number("maxModelLen", "limit"),
    ),
    FailureCause(
        id="step-below-length",
        area="Memory and length",
        text="ValueError: max_num_batched_tokens (2048) is smaller than max_model_len (32768). "
        "This effectively limits the maximum sequence length.",
        pattern=r"max_num_batched_tokens \((?P<tokens>\d+)\) is smaller than max_model_len "
        r"\((?P<length>\d+)\)",
        reason="InvalidSpec",
        sentence="spec.engine.maxNumBatchedTokens: without chunked prefill one step holds a whole "
        "request; set it to {length} or more, or leave chunked prefill on",
        source="vLLM 0.20.2 to 0.33.0 config/scheduler.py, 2026-11",
        remedy=engine_number("maxNumBatchedTokens", "length"),
    ),
    FailureCause(
        id="step-below-sequences",
        area="Memory and length",
        text="ValueError: max_num_batched_tokens (128) must be greater than or equal to "
        "max_num_seqs (256).",
        pattern=r"max_num_batched_tokens \((?P<tokens>\d+)\) must be greater than or equal to "
        r"max_num_seqs \((?P<sequences>\d+)\)",
        reason="InvalidSpec",
        sentence="spec.engine.maxNumBatchedTokens: one step holds a token of each of {sequences} "
        "requests; set it to {sequences} or more, or lower spec.engine.maxNumSeqs",
        source="vLLM 0.20.2 to 0.33.0 config/scheduler.py, 2026-11",
        remedy=engine_number("maxNumBatchedTokens", "sequences"),
    ),
    FailureCause(
        id="weights-do-not-fit",
        area="Memory and length",
        text="Failed to load model - not enough GPU memory. Try lowering --gpu-memory-utilization "
        "to free memory for weights, increasing --tensor-parallel-size, or using --quantization.",
        pattern=r"Failed to load model - not enough GPU memory",
        reason="InsufficientGpuMemory",
        sentence=f"spec.hardware: the weights do not fit into the memory of the GPU; {_MORE}",
        source="vLLM 0.33.0 v1/worker/gpu_model_runner.py, 2026-11",
        remedy=more_gpu_memory,
    ),
    FailureCause(
        id="sampler-does-not-fit",
        area="Memory and length",
        text="RuntimeError: CUDA out of memory occurred when warming up sampler with 1024 dummy "
        "requests. Please try lowering `max_num_seqs` or `gpu_memory_utilization` when "
        "initializing the engine.",
        pattern=r"CUDA out of memory occurred when warming up sampler with (?P<number>\d+) dummy",
        reason="InsufficientGpuMemory",
        sentence="spec.engine.maxNumSeqs: there is no memory to sample for {number} requests at "
        "once; halve it",
        source="vLLM 0.20.2 to 0.33.0 v1/worker/gpu_model_runner.py, 2026-11",
        remedy=half_the_sequences,
    ),
    FailureCause(
        id="gpu-memory-exhausted",
        area="Memory and length",
        text="torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.",
        pattern=r"(?:OutOfMemoryError: |^)CUDA out of memory\. ",
        reason="InsufficientGpuMemory",
        sentence="spec.engine.gpuMemoryUtilization: the GPU ran out of memory beside the KV cache; "
        f"lower spec.engine.maxNumBatchedTokens or the share, {_MORE}",
        source="PyTorch 2.14.0 c10/cuda, in logs of vLLM 0.33.0, 2026-11",
        is_symptom=True,
    ),
    FailureCause(
        id="shared-memory-too-small",
        area="Memory and length",
        text="RuntimeError: Insufficient space in /dev/shm for psm_1a2b: 512.0 MiB required, "
        "64.0 MiB free. Increase /dev/shm.",
        pattern=r"Insufficient space in /dev/shm\b",
        reason="InsufficientMemory",
        sentence="spec.hardware.memory: shared memory is part of it, and {memory} is not enough; "
        "raise it",
        source="vLLM 0.33.0 distributed/device_communicators/shm_broadcast.py, 2026-11",
        remedy=more_memory,
    ),
    FailureCause(
        id="cpu-memory-below-share",
        area="Memory and length",
        text="ValueError: Available memory on node 0 (11.69/13.21 GiB) on startup is less than "
        "desired CPU memory utilization (0.92, 12.16 GiB).",
        pattern=r"on startup is less than desired CPU memory utilization",
        reason="InsufficientMemory",
        sentence="spec.hardware.memory: {memory} leave too little beside the processes; raise it, "
        "and pass no --gpu-memory-utilization on CPU",
        source="our measurement with vLLM 0.32.0 on CPU, 2026-11",
        remedy=more_memory,
    ),
    FailureCause(
        id="cpu-cache-does-not-fit",
        area="Memory and length",
        text="ValueError: Available memory on node 0 (4.31/6.0 GiB) on kv cache allocation is less "
        "than requested memory for kv (-0.23/0.6 GiB).",
        pattern=r"on kv cache allocation is less than requested memory for kv",
        reason="InsufficientMemory",
        sentence="spec.hardware.memory: {memory} have no room for the KV cache; raise it, or lower "
        "spec.engine.maxModelLen",
        source="our measurement with vLLM 0.32.0 on CPU, 2026-11",
        remedy=more_memory,
    ),
    FailureCause(
        id="share-out-of-range",
        area="Memory and length",
        text="ValueError: GPU memory utilization must be less than 1.0. Got 1.5.",
        pattern=r"GPU memory utilization must be (?:less|at most)",
        reason="InvalidSpec",
        sentence="spec.engine.gpuMemoryUtilization: it is a share, above 0 and at most 1; set it "
        "to 0.92",
        source="vLLM 0.20.2 to 0.33.0 config/cache.py, 2026-11",
        remedy=lambda _found, _situation: {"engine": {"gpuMemoryUtilization": 0.92}},
    ),
)
