"""Texts of vLLM about memory, lengths, arguments and its pod, and the row that is meant."""

RUNNING_TEXTS: tuple[tuple[str, str], ...] = (
    (
        ("RuntimeError: Insufficient space in /dev/shm: 16379 MiB required, 9000 MiB free."),
        "shared-memory-too-small",
    ),
    (
        (
            "ValueError: Free memory on device cuda:0 (44.59/121.63 GiB) is less than desired "
            "GPU memory utilization (0.9, 109.47 GiB)."
        ),
        "gpu-memory-taken",
    ),
    (
        (
            "ValueError: To serve at least one request with the models's max seq len "
            "(16384), (3.0 GiB KV cache is needed, which is larger than the available KV "
            "cache memory (0.18 GiB). Based on the available memory, the estimated maximum "
            "model length is 976."
        ),
        "request-does-not-fit",
    ),
    (
        (
            "ValueError: To serve at least one request with the model's max seq len "
            "(8192), 0.44 GiB KV cache is needed, which is larger than the available KV "
            "cache memory (0.2 GiB). Based on the available memory, the estimated maximum "
            "model length is 3696."
        ),
        "request-does-not-fit",
    ),
    (
        (
            "ValueError: Free memory on device (20.1/79.1 GiB) on startup is less than "
            "desired GPU memory utilization (0.9, 71.19 GiB)."
        ),
        "gpu-memory-taken",
    ),
    (
        (
            "ValueError: Free memory on device cuda:0 (12.1/79.1 GiB) on startup is less "
            "than desired GPU memory utilization (0.92, 72.77 GiB). Decrease GPU memory "
            "utilization or reduce GPU memory used by other processes."
        ),
        "gpu-memory-taken",
    ),
    (
        (
            "ValueError: No available memory for the cache blocks. Try increasing "
            "`gpu_memory_utilization` when initializing the engine."
        ),
        "no-room-for-cache",
    ),
    (
        (
            "ValueError: To serve at least one request with the model's max seq len "
            "(32768), (1.75 GiB KV cache is needed, which is larger than the available KV "
            "cache memory (0.88 GiB). Based on the available memory, the estimated maximum "
            "model length is 16464. Try increasing `gpu_memory_utilization` (which also "
            "controls the CPU memory fraction when running on the CPU backend) or "
            "decreasing `max_model_len` when initializing the engine."
        ),
        "request-does-not-fit",
    ),
    (
        (
            "ValueError: To serve at least one request with the model's max seq len "
            "(2048), (0.00 GiB KV cache is needed, which is larger than the available KV "
            "cache memory (0.0 GiB). Based on the available memory, the estimated maximum "
            "model length is 384."
        ),
        "request-does-not-fit",
    ),
    (
        (
            "ValueError: To serve at least one request with the model's max seq len "
            "(2048), (0.10 GiB KV cache is needed, which is larger than the available KV "
            "cache memory (0.0 GiB)."
        ),
        "no-request-fits",
    ),
    (
        (
            "ValueError: Cannot auto-fit max_model_len: not enough GPU memory available to "
            "serve even a single token."
        ),
        "no-length-fits",
    ),
    (
        (
            "ValueError: User-specified max_model_len (999999) is greater than the derived "
            "max_model_len (max_position_embeddings=2048 or model_max_length=None in "
            "model's config.json). To allow overriding this maximum, set the env var "
            "VLLM_ALLOW_LONG_MAX_MODEL_LEN=1."
        ),
        "length-beyond-the-model",
    ),
    (
        (
            "ValueError: max_num_batched_tokens (2048) is smaller than max_model_len "
            "(32768). This effectively limits the maximum sequence length to "
            "max_num_batched_tokens."
        ),
        "step-below-length",
    ),
    (
        (
            "ValueError: max_num_batched_tokens (128) must be greater than or equal to "
            "max_num_seqs (256)."
        ),
        "step-below-sequences",
    ),
    (
        (
            "Failed to load model - not enough GPU memory. Try lowering "
            "--gpu-memory-utilization to free memory for weights, increasing "
            "--tensor-parallel-size, or using --quantization. (original error: CUDA out of "
            "memory.)"
        ),
        "weights-do-not-fit",
    ),
    (
        (
            "RuntimeError: CUDA out of memory occurred when warming up sampler with 1024 "
            "dummy requests. Please try lowering `max_num_seqs` or "
            "`gpu_memory_utilization`."
        ),
        "sampler-does-not-fit",
    ),
    (
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.",
        "gpu-memory-exhausted",
    ),
    (
        (
            "RuntimeError: Insufficient space in /dev/shm for psm_1a2b: 512.0 MiB "
            "required, 64.0 MiB free. Increase /dev/shm size."
        ),
        "shared-memory-too-small",
    ),
    (
        (
            "ValueError: Available memory on node 0 (11.69/13.21 GiB) on startup is less "
            "than desired CPU memory utilization (0.92, 12.16 GiB)."
        ),
        "cpu-memory-below-share",
    ),
    (
        (
            "ValueError: Available memory on node 0 (12.18/19.09 GiB) on kv cache "
            "allocation is less than requested memory for kv (-0.23/0.6 GiB)."
        ),
        "cpu-cache-does-not-fit",
    ),
    ("ValueError: GPU memory utilization must be less than 1.0. Got 1.5.", "share-out-of-range"),
    ("vllm: error: unrecognized arguments: --no-such-flag 7", "arguments-unknown"),
    (
        ("vllm serve: error: argument --load-format: invalid choice: 'zzz' (choose from 'auto')"),
        "argument-value-refused",
    ),
    ("ValueError: Load format `zzz` is not supported", "load-format-unknown"),
    (
        (
            "ValueError: VLLM_PORT 'tcp://10.96.0.9:8000' appears to be a URI. This may be "
            "caused by a Kubernetes service discovery issue,check the warning in: the "
            "documentation"
        ),
        "port-variable-is-a-uri",
    ),
    ("OSError: [Errno 98] Address already in use", "port-taken"),
    (
        (
            "TimeoutError: Timed out waiting for engine core processes to start. This is "
            "often caused by slow weight loading. Waited 600s (configured by "
            "VLLM_ENGINE_READY_TIMEOUT_S)."
        ),
        "engine-start-timed-out",
    ),
    ("KeyboardInterrupt: terminated", "start-interrupted"),
    ("PermissionError: [Errno 13] Permission denied: '/.triton'", "home-not-writable"),
    ("PermissionError: [Errno 13] Permission denied: '/.config'", "home-not-writable"),
    (
        (
            "torch._inductor.exc.InvalidCxxCompiler: No working C++ compiler found in "
            "torch._inductor.config.cpp.cxx: (None, 'g++')"
        ),
        "compiler-missing",
    ),
    ("RuntimeError: operator torchvision::nms does not exist", "torchvision-unsuited"),
    (
        ("importlib.metadata.PackageNotFoundError: No package metadata was found for vllm"),
        "metadata-missing",
    ),
    (
        ("RuntimeError: Unable to find torch_shm_manager at /opt/torch/bin/torch_shm_manager"),
        "memory-manager-missing",
    ),
    ("OSError: [Errno 28] No space left on device", "disk-full"),
)
