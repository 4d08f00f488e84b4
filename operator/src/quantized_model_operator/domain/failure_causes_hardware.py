"""Pure: texts of vLLM about GPUs, CPUs and splitting a model, and what they mean."""

from quantized_model_operator.domain.failure_cause import FailureCause
from quantized_model_operator.domain.failure_remedies import (
    engine_values,
    portable_instructions,
    smaller_split,
    split_of_at_most,
    without_flags,
)

_TRY_SPLIT = "set spec.hardware.gpusPerReplica to a legal size"

HARDWARE_CAUSES = (
    FailureCause(
        id="gpu-too-old",
        area="Hardware",
        text="ValueError: Marlin does not support weight_bits = uint4b8. Only types = [] are "
        "supported (for group_size = 128, device_capability = 70, zp = False).",
        pattern=r"Marlin does not support weight_bits = \w+\. Only types = \[\] are supported",
        reason="ComputeCapabilityTooLow",
        sentence="spec.hardware.products: the GPU is too old for GPTQ in this vLLM; choose "
        "products of compute capability 7.5 (Turing) or newer",
        source="vLLM 0.20.2 to 0.33.0 quantization/utils/marlin_utils.py, 2026-11",
    ),
    FailureCause(
        id="eight-bits-on-cpu",
        area="Hardware",
        text="ValueError: Marlin does not support weight_bits = uint8b128. Only types = "
        "[ScalarType.uint4b8] are supported (for group_size = 128, device_capability = -1, "
        "zp = False).",
        pattern=r"Marlin does not support weight_bits = uint8b128(?!\. Only types = \[\])",
        reason="UnsupportedOnCpu",
        sentence="spec.hardware.device: vLLM serves 4-bit checkpoints only on CPU; use one with "
        "bits 4, or device GPU",
        source="our measurement with vLLM 0.32.0 on CPU, 2026-11; 0.33.0 read",
    ),
    FailureCause(
        id="method-needs-newer-gpu",
        area="Hardware",
        text="ValueError: The quantization method gptq_marlin is not supported for the current "
        "GPU. Minimum capability: 75. Current capability: 70.",
        pattern=r"The quantization method (?P<method>\S+) is not supported for the current GPU",
        reason="ComputeCapabilityTooLow",
        sentence="spec.hardware.products: the GPU is too old for {method} in this vLLM; choose "
        "products of compute capability 7.5 (Turing) or newer",
        source="vLLM 0.33.0 config/model.py, 2026-11",
    ),
    FailureCause(
        id="dtype-unsupported",
        area="Hardware",
        text="ValueError: torch.float32 is not supported for quantization method gptq. Supported "
        "dtypes: [torch.float16, torch.bfloat16]",
        pattern=r"(?P<dtype>\S+) is not supported for quantization method \S+\. Supported dtypes",
        reason="DtypeUnsupported",
        sentence="spec.engine.dtype: vLLM does not serve this checkpoint with {dtype}; set it to "
        "float16",
        source="vLLM 0.20.2 to 0.33.0 auto_gptq.py and gptq_marlin.py, 2026-11",
        remedy=engine_values(dtype="float16"),
    ),
    FailureCause(
        id="bfloat16-needs-newer-gpu",
        area="Hardware",
        text="ValueError: Bfloat16 is only supported on GPUs with compute capability of at least "
        "8.0. Your Tesla T4 GPU has compute capability 7.5. You can use float16 instead by "
        "explicitly setting the `dtype` flag in CLI, for example: --dtype=half.",
        pattern=r"Bfloat16 is only supported on GPUs with compute capability",
        reason="DtypeUnsupported",
        sentence="spec.engine.dtype: the GPU has no bfloat16; set it to float16",
        source="vLLM 0.20.2 to 0.33.0 platforms/cuda.py, 2026-11",
        remedy=engine_values(dtype="float16"),
    ),
    FailureCause(
        id="float16-unstable",
        area="Hardware",
        text="ValueError: The model type 'gemma2' does not support float16. Reason: Numerical "
        "instability. Please use bfloat16 or float32 instead.",
        pattern=r"The model type '(?P<type>[^']+)' does not support float16",
        reason="DtypeUnsupported",
        sentence="spec.engine.dtype: models of type {type} overflow in float16; set it to bfloat16",
        source="vLLM 0.33.0 config/model.py, 2026-11",
        remedy=engine_values(dtype="bfloat16"),
    ),
    FailureCause(
        id="fp8-cache-needs-bfloat16",
        area="Hardware",
        text="RuntimeError: For FP16/BF16 input, output must have the same dtype as inputs. For "
        "FP8 input, output must have dtype BF16",
        pattern=r"For FP8 input, output must have dtype BF16",
        reason="KvCacheDtypeUnsupported",
        sentence="spec.engine.dtype: a KV cache of fp8 works on this GPU with bfloat16 only; set "
        "it to bfloat16, or leave spec.engine.kvCacheDtype out",
        source="our measurement on H200 with vLLM 0.25.1 and 0.33.0, 2026-11",
        remedy=engine_values(dtype="bfloat16"),
    ),
    FailureCause(
        id="forbidden-instruction",
        area="Hardware",
        text="Illegal instruction (core dumped)",
        pattern=r"\bIllegal instruction\b",
        reason="ProcessorUnsupported",
        sentence="spec.engine.dtype: the processor lists instructions that its hypervisor does "
        "not allow; set it to float16, and ONEDNN_MAX_CPU_ISA to AVX512_CORE in spec.engine.env",
        source="our measurement with vLLM 0.32.0 on CPU, 2026-11",
        remedy=portable_instructions,
    ),
    FailureCause(
        id="too-few-numa-nodes",
        area="Hardware",
        text="RuntimeError: Not enough allowed NUMA nodes to bind threads of 2 local CPUWorkers. "
        "Allowed NUMA nodes are [0].",
        pattern=r"Not enough allowed NUMA nodes to bind threads of (?P<workers>\d+)",
        reason="IllegalTensorParallelSize",
        sentence="spec.engine.args: on CPU each of the {workers} ranks needs a NUMA node of its "
        "own; remove the tensor parallel size",
        source="our measurement with vLLM 0.32.0 on CPU, 2026-11",
        remedy=without_flags("--tensor-parallel-size", "-tp"),
    ),
)

PARALLEL_CAUSES = (
    FailureCause(
        id="heads-not-divisible",
        area="Parallelism",
        text="ValueError: Total number of attention heads (28) must be divisible by tensor "
        "parallel size (8).",
        pattern=r"Total number of attention heads \((?P<heads>\d+)\) must be divisible by tensor "
        r"parallel size \((?P<size>\d+)\)",
        reason="IllegalTensorParallelSize",
        sentence=f"spec.hardware.gpusPerReplica: {{heads}} attention heads cannot be shared by "
        f"{{size}} GPUs; {_TRY_SPLIT}",
        source="vLLM 0.20.2 to 0.33.0 config/model.py, 2026-11",
        remedy=smaller_split,
    ),
    FailureCause(
        id="kv-heads-not-divisible",
        area="Parallelism",
        text="assert self.total_num_kv_heads % tp_size == 0",
        pattern=r"assert (?:self\.total_num_(?:kv_)?heads % tp_size|"
        r"tp_size % self\.total_num_kv_heads) == 0",
        reason="IllegalTensorParallelSize",
        sentence=f"spec.hardware.gpusPerReplica: the heads of keys and values cannot be shared by "
        f"{{tp}} GPUs; {_TRY_SPLIT}",
        source="vLLM 0.20.2 to 0.33.0 models/qwen2.py and llama.py, 2026-11: an assertion "
        "without a text",
        remedy=smaller_split,
    ),
    FailureCause(
        id="dimension-not-divisible",
        area="Parallelism",
        text="AssertionError: 4864 is not divisible by 3",
        pattern=r"AssertionError: (?P<size>\d+) is not divisible by (?P<ranks>\d+)",
        reason="IllegalTensorParallelSize",
        sentence=f"spec.hardware.gpusPerReplica: a dimension of {{size}} cannot be shared by "
        f"{{ranks}} GPUs; {_TRY_SPLIT}",
        source="vLLM 0.20.2 to 0.33.0 distributed/utils.py, 2026-11",
        remedy=smaller_split,
    ),
    FailureCause(
        id="groups-split-machete",
        area="Parallelism",
        text="RuntimeError: create_arguments, /workspace/csrc/quantization/machete/generated/../"
        "machete_mm_kernel.cuh:226, ",
        pattern=r"create_arguments, \S*machete_mm_kernel\.cuh",
        reason="IllegalTensorParallelSize",
        sentence=f"spec.hardware.gpusPerReplica: over {{tp}} GPUs a group of the quantisation is "
        f"cut in two; {_TRY_SPLIT}, or use a checkpoint with a smaller group size",
        source="our measurement on two H200 with vLLM 0.33.0, 2026-11",
        remedy=smaller_split,
    ),
    FailureCause(
        id="groups-split-exllama",
        area="Parallelism",
        text="RuntimeError: gptq_gemm, /workspace/csrc/quantization/gptq/q_gemm.cu:1468, Input "
        "size K = 448 is not divisible by the number of groups = 3",
        pattern=r"Input size K = (?P<rows>\d+) is not divisible by the number of groups = \d+",
        reason="IllegalTensorParallelSize",
        sentence=f"spec.hardware.gpusPerReplica: over {{tp}} GPUs a layer has {{rows}} rows, which "
        f"cuts a group of the quantisation in two; {_TRY_SPLIT}, or use a checkpoint with a "
        "smaller group size",
        source="our measurement on two H200 with vLLM 0.33.0, 2026-11",
        remedy=smaller_split,
    ),
    FailureCause(
        id="groups-split-compressed",
        area="Parallelism",
        text="ValueError: Weight input_size_per_partition=448 is not divisible by group_size=128. "
        "Consider reducing tensor_parallel_size.",
        pattern=r"input_size_per_partition ?= ?(?P<rows>\d+) is not divisible by group_size",
        reason="IllegalTensorParallelSize",
        sentence=f"spec.hardware.gpusPerReplica: over {{tp}} GPUs a layer has {{rows}} rows, which "
        f"cuts a group of the quantisation in two; {_TRY_SPLIT}",
        source="vLLM 0.33.0 quantization/compressed_tensors, 2026-11",
        remedy=smaller_split,
    ),
    FailureCause(
        id="no-kernel",
        area="Parallelism",
        text="ValueError: Failed to find a kernel that can implement the WNA16 linear layer. "
        "Reasons: ",
        pattern=r"Failed to find a kernel that can implement the WNA16 linear layer",
        reason="NoKernel",
        sentence="spec.hardware.gpusPerReplica: no kernel takes the shape that a layer has at "
        "tensor parallel size {tp}; use fewer GPUs, or a checkpoint with a smaller group size",
        source="vLLM 0.20.2 to 0.33.0 kernels/linear/mixed_precision, 2026-11",
        remedy=smaller_split,
    ),
    FailureCause(
        id="too-few-gpus-in-pod",
        area="Parallelism",
        text="ValueError: World size (4) is larger than the number of available GPUs (2) in this "
        "node. If this is intentional and you are using:",
        pattern=r"World size \((?P<size>\d+)\) is larger than the number of available GPUs "
        r"\((?P<gpus>\d+)\)",
        reason="NotEnoughGpus",
        sentence="spec.hardware.gpusPerReplica: vLLM was told to use {size} GPUs and sees {gpus}; "
        "set it to what a node has, and no parallel size in spec.engine.args",
        source="vLLM 0.20.2 to 0.33.0 config/parallel.py, 2026-11",
        remedy=split_of_at_most("gpus"),
    ),
    FailureCause(
        id="no-expert-kernel",
        area="Parallelism",
        text="ValueError: No WNA16 MoE backend supports the deployment configuration.",
        pattern=r"No WNA16 MoE backend supports the deployment configuration",
        reason="NoKernel",
        sentence="spec.hardware.gpusPerReplica: no kernel takes the shape that an expert has at "
        "tensor parallel size {tp}; use fewer GPUs",
        source="vLLM 0.33.0 fused_moe/oracle/int_wna16.py, 2026-11",
        remedy=smaller_split,
    ),
    FailureCause(
        id="more-ranks-than-experts",
        area="Parallelism",
        text="ValueError: Tensor parallel size 16 is greater than the number of experts 8.",
        pattern=r"Tensor parallel size (?P<size>\d+) is greater than the number of experts "
        r"(?P<experts>\d+)",
        reason="IllegalTensorParallelSize",
        sentence="spec.hardware.gpusPerReplica: {experts} experts cannot be shared by {size} GPUs; "
        "set it to {experts} or less",
        source="vLLM 0.20.2 to 0.33.0 models/qwen2_moe.py and mixtral.py, 2026-11",
        remedy=split_of_at_most("experts"),
    ),
)
