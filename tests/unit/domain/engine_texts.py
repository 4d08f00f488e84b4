"""Texts of vLLM as they were seen or read, in all their forms, and the row that is meant."""

from unit.domain.engine_texts_running import RUNNING_TEXTS

TEXTS: tuple[tuple[str, str], ...] = (
    *RUNNING_TEXTS,
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
)
