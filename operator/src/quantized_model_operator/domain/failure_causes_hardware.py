"""Pure: texts of vLLM about GPUs, CPUs and data types, and what they mean."""

from quantized_model_operator.domain.failure_cause import FailureCause
from quantized_model_operator.domain.failure_remedies import (
    engine_values,
    portable_instructions,
    without_flags,
)

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
        id="cache-dtype-differs",
        area="Hardware",
        text='ValueError: kv_cache_dtype="bfloat16" is incompatible with dtype="float16". Please '
        "set `--kv-cache-dtype` to `auto` or `float16`.",
        pattern=r'kv_cache_dtype="(?P<cache>[^"]+)" is incompatible with dtype="(?P<dtype>[^"]+)"',
        reason="KvCacheDtypeUnsupported",
        sentence="spec.engine.kvCacheDtype: a cache of {cache} does not go with activations of "
        "{dtype}; leave it out",
        source="vLLM 0.33.0 config/vllm.py, 2026-11",
        remedy=engine_values(kvCacheDtype=None),
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
