"""Texts of vLLM as they were seen or read, in all their forms, and the row that is meant."""

TEXTS: tuple[tuple[str, str], ...] = (
    (
        "ValueError: Cannot find any of ['bits'] in the model's quantization config.",
        "quantization-key-missing",
    ),
    ("ValueError: Cannot find the config file for gptq", "quantization-config-missing"),
    ("ValueError: Unsupported quantization config: bits=3, sym=True", "bits-unsupported"),
    ("ValueError: Unsupported quantization config: bits=2, sym=False", "bits-unsupported"),
    ("ValueError: Unsupported quantization config: bits=8, sym=False", "symmetry-unsupported"),
    (
        (
            "ValueError: Quantization method specified in the model config (gptq) does not "
            "match the quantization method specified in the `quantization` argument (awq)."
        ),
        "method-contradicted",
    ),
    (
        ("ValueError: Unknown quantization method: foo. Must be one of ['awq', 'fp8', 'gptq']."),
        "method-unknown",
    ),
    (
        (
            "ValueError: GPTQ group activation ordering (desc_act=True) is no longer "
            "supported. Use a checkpoint with static activation ordering or desc_act=False."
        ),
        "act-order-unsupported",
    ),
    (
        (
            "ValueError: GPTQ group activation ordering (desc_act=True) is no longer "
            "supported but is enabled by dynamic rule '+:.*down_proj'. Use a checkpoint "
            "with desc_act=False."
        ),
        "act-order-unsupported",
    ),
    (
        (
            "ValueError: Marlin does not support group_size = 16. Only group_sizes = [-1, "
            "32, 64, 128] are supported."
        ),
        "group-size-unsupported",
    ),
    (
        (
            "ValueError: Detected some but not all shards of "
            "model.layers.3.mlp.gate_up_proj are quantized. All shards of fused layers to "
            "have the same precision."
        ),
        "fused-layer-mixed",
    ),
    (
        (
            "safetensors_rust.SafetensorError: Error while deserializing header: "
            "incomplete metadata, file not fully covered"
        ),
        "weight-file-cut",
    ),
    ("OverflowError: cannot fit 'int' into an index-sized integer", "weight-file-header-damaged"),
    ("struct.error: unpack requires a buffer of 8 bytes", "weight-file-empty"),
    ("RuntimeError: Cannot find any model weights with `/models/otter`", "weights-missing"),
    (
        ("ValueError: Invalid repository ID or local directory specified: '/models/otter'."),
        "config-missing",
    ),
    (
        (
            "huggingface_hub.errors.HFValidationError: Repo id must be in the form "
            "'repo_name' or 'namespace/repo_name': '/models/otter'. Use `repo_type` "
            "argument if needed."
        ),
        "folder-missing",
    ),
    (
        (
            "huggingface_hub.errors.LocalEntryNotFoundError: Cannot find an appropriate "
            "cached snapshot folder for the specified revision on the local disk and "
            "outgoing traffic has been disabled."
        ),
        "snapshot-missing",
    ),
    ("assert self.data.shape == loaded_weight.shape", "tensor-shape-differs"),
    ("RuntimeError: start (0) + length (8) exceeds dimension size (4).", "group-count-differs"),
    (
        (
            "ValueError: The checkpoint you are trying to load has model type `foo` but "
            "Transformers does not recognize this architecture."
        ),
        "architecture-unknown",
    ),
    ("ValueError: The decoder prompt cannot be empty", "tokenizer-missing"),
    (
        (
            "ValueError: Marlin does not support weight_bits = uint4b8. Only types = [] "
            "are supported (for group_size = 128, device_capability = 70, zp = False)."
        ),
        "gpu-too-old",
    ),
    (
        (
            "ValueError: Marlin does not support weight_bits = uint8b128. Only types = [] "
            "are supported (for group_size = 128, device_capability = 70, zp = False)."
        ),
        "gpu-too-old",
    ),
    (
        (
            "ValueError: Marlin does not support weight_bits = uint8b128. Only types = "
            "[ScalarType.uint4b8] are supported (for group_size = 128, device_capability = "
            "-1, zp = False)."
        ),
        "eight-bits-on-cpu",
    ),
    ("ValueError: Marlin does not support weight_bits = uint8b128", "eight-bits-on-cpu"),
    (
        (
            "ValueError: The quantization method gptq_marlin is not supported for the "
            "current GPU. Minimum capability: 75. Current capability: 70."
        ),
        "method-needs-newer-gpu",
    ),
    (
        (
            "ValueError: torch.float32 is not supported for quantization method gptq. "
            "Supported dtypes: [torch.float16, torch.bfloat16]"
        ),
        "dtype-unsupported",
    ),
    (
        (
            "ValueError: Bfloat16 is only supported on GPUs with compute capability of at "
            "least 8.0. Your Tesla T4 GPU has compute capability 7.5. You can use float16 "
            "instead by explicitly setting the `dtype` flag in CLI, for example: "
            "--dtype=half."
        ),
        "bfloat16-needs-newer-gpu",
    ),
    (
        (
            "ValueError: The model type 'gemma2' does not support float16. Reason: "
            "Numerical instability. Please use bfloat16 or float32 instead."
        ),
        "float16-unstable",
    ),
    (
        (
            "RuntimeError: For FP16/BF16 input, output must have the same dtype as inputs. "
            "For FP8 input, output must have dtype BF16"
        ),
        "fp8-cache-needs-bfloat16",
    ),
    (
        (
            'ValueError: kv_cache_dtype="bfloat16" is incompatible with dtype="float16". '
            "Please set `--kv-cache-dtype` to `auto` or `float16`."
        ),
        "cache-dtype-differs",
    ),
    ("Illegal instruction", "forbidden-instruction"),
    (
        ("RuntimeError: Not enough allowed NUMA nodes to bind threads of 2 local CPUWorkers."),
        "too-few-numa-nodes",
    ),
    (
        (
            "ValueError: Total number of attention heads (28) must be divisible by tensor "
            "parallel size (8)."
        ),
        "heads-not-divisible",
    ),
    ("assert self.total_num_heads % tp_size == 0", "kv-heads-not-divisible"),
    ("assert self.total_num_kv_heads % tp_size == 0", "kv-heads-not-divisible"),
    ("assert tp_size % self.total_num_kv_heads == 0", "kv-heads-not-divisible"),
    ("AssertionError: 4864 is not divisible by 3", "dimension-not-divisible"),
    (
        (
            "RuntimeError: create_arguments, "
            "/workspace/csrc/quantization/machete/generated/../machete_mm_kernel.cuh:226, "
        ),
        "groups-split-machete",
    ),
    (
        (
            "RuntimeError: Worker failed with error 'create_arguments, "
            "/workspace/csrc/quantization/machete/generated/../machete_mm_kernel.cuh:226, "
            "', please check the stack trace above"
        ),
        "groups-split-machete",
    ),
    (
        (
            "RuntimeError: gptq_gemm, /workspace/csrc/quantization/gptq/q_gemm.cu:1468, "
            "Input size K = 448 is not divisible by the number of groups = 3"
        ),
        "groups-split-exllama",
    ),
    (
        (
            "ValueError: Weight input_size_per_partition=448 is not divisible by "
            "group_size=128. Consider reducing tensor_parallel_size."
        ),
        "groups-split-compressed",
    ),
    (
        (
            "ValueError: Failed to find a kernel that can implement the WNA16 linear "
            "layer. Reasons: \n MarlinLinearKernel: in_features per partition 448 is not "
            "divisible by group_size = 128."
        ),
        "no-kernel",
    ),
    (
        (
            "ValueError: World size (4) is larger than the number of available GPUs (2) in "
            "this node. If this is intentional and you are using:\n- ray, set "
            "'--distributed-executor-backend ray'.\n- multiprocessing, set '--nnodes' "
            "appropriately."
        ),
        "too-few-gpus-in-pod",
    ),
    ("ValueError: No WNA16 MoE backend supports the deployment configuration.", "no-expert-kernel"),
    (
        "ValueError: Tensor parallel size 16 is greater than the number of experts 8.",
        "more-ranks-than-experts",
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
