"""Pure: rules of vLLM about the checkpoint and the GPU's kernels, by version."""

from quantized_model_operator.domain.engine_rules import SILENT, EngineRule
from quantized_model_operator.domain.engine_version import EngineVersion

QUANTIZATION_IS_DECLARED = EngineRule(
    id="quantization-is-declared",
    area="Checkpoint",
    means="Refused",
    holds="config.json declares the quantisation with bits, group_size, desc_act and sym.",
    vllm_says="Cannot find any of ['{}'] in the model's quantization config.",
    remedy="Export the checkpoint again with a current GPTQModel.",
    source="vLLM 0.20.2 to 0.33.0 quantization/base_config.py, 2026-11",
    checked_by="quantized_model_operator.domain.quantization_settings:parse_settings",
    reason="QuantizationIncomplete",
    field="spec.model.uri",
)
METHOD_IS_GPTQ = EngineRule(
    id="method-is-gptq",
    area="Checkpoint",
    means="Refused",
    holds="The declared method is gptq.",
    vllm_says="Unknown quantization method: {}. Must be one of [{}].",
    remedy="Name a GPTQ checkpoint of the model.",
    source="vLLM 0.20.2 to 0.33.0 model_executor/layers/quantization/__init__.py; seen with "
    "0.32.0, 2026-11; other methods than gptq are our limit",
    checked_by="quantized_model_operator.domain.quantization_settings:parse_settings",
    reason="NotGptq",
    field="spec.model.uri",
)
FUSED_LINEARS_AGREE = EngineRule(
    id="fused-linears-agree",
    area="Checkpoint",
    means="Refused",
    holds="Linears that vLLM fuses (q, k and v; gate and up) are quantised alike.",
    vllm_says="Detected some but not all shards of {} are quantized. All shards of fused layers "
    "to have the same precision.",
    remedy="Mend the dynamic rules or the module list: q, k and v together, gate and up together.",
    source="vLLM 0.20.2 to 0.33.0 quantization/utils/gptq_utils.py, 2026-11",
    checked_by="quantized_model_operator.domain.rule_lookup:fused_linears",
    reason="ShapesDisagree",
    field="spec.model.uri",
)
BITS_ARE_SERVED = EngineRule(
    id="bits-are-served",
    area="Checkpoint",
    means="Refused",
    holds="Weights have 4 or 8 bits.",
    vllm_says="Unsupported quantization config: bits={}, sym={}",
    remedy="Quantise the model again with bits 4 or 8.",
    source="vLLM 0.22.1 to 0.33.0 auto_gptq.py (TYPE_MAP); seen with 0.32.0, 2026-11; older "
    "versions ran 2 and 3 bits on Exllama only",
    checked_by="quantized_model_operator.domain.quantization:quantization_problems",
    reason="UnsupportedBits",
    field="spec.model.uri",
)
SYMMETRY_IS_SERVED = EngineRule(
    id="symmetry-is-served",
    area="Checkpoint",
    means="Refused",
    holds="The quantisation is symmetric (sym: true).",
    vllm_says="Unsupported quantization config: bits={}, sym=False",
    remedy="Quantise the model again with sym true.",
    source="vLLM 0.22.1 to 0.33.0 auto_gptq.py (TYPE_MAP); seen with 0.32.0, 2026-11; older "
    "versions ran it on Exllama only",
    checked_by="quantized_model_operator.domain.quantization:quantization_problems",
    reason="UnsupportedSymmetry",
    field="spec.model.uri",
)
GROUP_SIZE_IS_SERVED = EngineRule(
    id="group-size-is-served",
    area="Checkpoint",
    means="Refused",
    holds="The group size is -1, 32, 64 or 128.",
    vllm_says="Marlin does not support group_size = {}. Only group_sizes = [-1, 32, 64, 128] are "
    "supported.",
    remedy="Quantise the model again with group size 128.",
    source="vLLM 0.20.2 to 0.33.0 quantization/utils/marlin_utils.py, 2026-11",
    checked_by="quantized_model_operator.domain.quantization:quantization_problems",
    reason="UnsupportedGroupSize",
    field="spec.model.uri",
)
ACT_ORDER_HAS_NO_GROUPS = EngineRule(
    id="act-order-has-no-groups",
    area="Checkpoint",
    means="Refused",
    holds="Act-order (desc_act: true) comes with group size -1 only.",
    vllm_says="GPTQ group activation ordering (desc_act=True) is no longer supported. Use a "
    "checkpoint with static activation ordering or desc_act=False.",
    remedy="Quantise the model again with desc_act false, or set spec.engine.version to 0.29.0.",
    source="vLLM 0.30.0 to 0.33.0 quantization/utils/gptq_utils.py; seen with 0.32.0, 2026-11; "
    "0.26.0, 0.27.1, 0.28.0 and 0.29.0 read: still served there",
    checked_by="quantized_model_operator.domain.quantization:quantization_problems",
    reason="UnsupportedActOrder",
    field="spec.model.uri",
    since=EngineVersion(0, 30),
)
LINEARS_ARE_COMPLETE = EngineRule(
    id="linears-are-complete",
    area="Checkpoint",
    means="Refused",
    holds="Every layer has all tensors of all its linears.",
    vllm_says=SILENT,
    remedy="Fetch the checkpoint again, or export it again.",
    source="our measurement with vLLM 0.32.0 on CPU, 2026-11: starts, and answers wrongly",
    checked_by="quantized_model_operator.domain.completeness_checks:complete_linears",
    reason="TensorMissing",
    field="spec.model.uri",
)
COMPUTE_CAPABILITY_IS_SERVED = EngineRule(
    id="compute-capability-is-served",
    area="Hardware",
    means="Refused",
    holds="The GPU has compute capability 7.5 or more (8.0 up to vLLM 0.19).",
    vllm_says="Marlin does not support weight_bits = {}. Only types = [] are supported (for "
    "group_size = {}, device_capability = {}, zp = False).",
    remedy="Choose a Turing or newer GPU.",
    source="vLLM 0.20.2 to 0.33.0 quantization/utils/marlin_utils.py, 2026-11",
    checked_by="quantized_model_operator.domain.quantization:compute_capability_problem",
    reason="ComputeCapabilityTooLow",
    field="spec.hardware.products",
)
ACCELERATOR_IS_NVIDIA = EngineRule(
    id="accelerator-is-nvidia",
    area="Hardware",
    means="Refused",
    holds="The GPU is one of NVIDIA's.",
    vllm_says=SILENT,
    remedy="Use NVIDIA GPUs.",
    source="our limit: kernels of other vendors were not tried, 2026-11",
    checked_by="quantized_model_operator.domain.gpu_fit:candidate_dtype",
    reason="UnsupportedAccelerator",
    field="spec.hardware.products",
)
DTYPE_IS_SERVED = EngineRule(
    id="dtype-is-served",
    area="Hardware",
    means="Refused",
    holds="Activations are float16 or bfloat16.",
    vllm_says="{} is not supported for quantization method {}. Supported dtypes: [{}]",
    remedy="Set spec.engine.dtype to float16, or leave it out.",
    source="vLLM 0.20.2 to 0.33.0 auto_gptq.py and gptq_marlin.py, 2026-11",
    checked_by="quantized_model_operator.domain.activation_dtype:resolve_dtype",
    reason="DtypeUnsupported",
    field="spec.engine.dtype",
)
BFLOAT16_NEEDS_AMPERE = EngineRule(
    id="bfloat16-needs-ampere",
    area="Hardware",
    means="Refused",
    holds="bfloat16 runs on compute capability 8.0 or more.",
    vllm_says="Bfloat16 is only supported on GPUs with compute capability of at least 8.0. Your "
    "{} GPU has compute capability {}.",
    remedy="Set spec.engine.dtype to float16.",
    source="vLLM 0.20.2 to 0.33.0 platforms/cuda.py, 2026-11",
    checked_by="quantized_model_operator.domain.activation_dtype:resolve_dtype",
    reason="DtypeUnsupported",
    field="spec.engine.dtype",
)
FLOAT16_IS_STABLE = EngineRule(
    id="float16-is-stable",
    area="Hardware",
    means="Refused",
    holds="Gemma 2, Gemma 3, PLaMo 2 and GLM 4 run in bfloat16: in float16 their activations "
    "overflow.",
    vllm_says="The model type '{}' does not support float16. Reason: Numerical instability. "
    "Please use bfloat16 or float32 instead.",
    remedy="Leave spec.engine.dtype out, or choose a GPU of compute capability 8.0 or more.",
    source="vLLM 0.20.2 to 0.33.0 config/model.py (_FLOAT16_NOT_SUPPORTED_MODELS), 2026-11; PLaMo "
    "2 up to 0.26.0 only",
    checked_by="quantized_model_operator.domain.activation_dtype:served_dtype",
    reason="DtypeUnsupported",
    field="spec.engine.dtype",
)
FP8_CACHE_NEEDS_BFLOAT16 = EngineRule(
    id="fp8-cache-needs-bfloat16",
    area="Hardware",
    means="Refused",
    holds="On compute capability 9.0 an fp8 KV cache goes with bfloat16 activations.",
    vllm_says="For FP16/BF16 input, output must have the same dtype as inputs. For FP8 input, "
    "output must have dtype BF16",
    remedy="Set spec.engine.dtype to bfloat16, or leave spec.engine.kvCacheDtype out.",
    source="our measurement on H200 with vLLM 0.25.1 and 0.33.0, 2026-11: dies after loading, "
    "compiling and sizing the cache; with bfloat16 it serves",
    checked_by="quantized_model_operator.domain.gpu_fit:candidate_dtype",
    reason="KvCacheDtypeUnsupported",
    field="spec.engine.kvCacheDtype",
)
KV_CACHE_DTYPE_IS_PLANNED = EngineRule(
    id="kv-cache-dtype-is-planned",
    area="Hardware",
    means="Refused",
    holds="The KV cache is auto, float16, bfloat16, fp8, fp8_e4m3 or fp8_e5m2; on CPU no fp8.",
    vllm_says=SILENT,
    remedy="Set spec.engine.kvCacheDtype to one of them, or leave it out.",
    source="vLLM 0.33.0 config/cache.py, 2026-11: the parser takes any text; our limit to those "
    "whose bytes are known",
    checked_by="quantized_model_operator.domain.gpu_plan:plan_gpu",
    reason="KvCacheDtypeUnsupported",
    field="spec.engine.kvCacheDtype",
)
CACHE_DTYPE_IS_THE_MODELS = EngineRule(
    id="cache-dtype-is-the-models",
    area="Hardware",
    means="Refused",
    holds="A KV cache of float16 or bfloat16 is of the same type as the activations.",
    vllm_says='kv_cache_dtype="{}" is incompatible with dtype="{}". Please set `--kv-cache-dtype` '
    "to `auto` or `{}`.",
    remedy="Leave spec.engine.kvCacheDtype out.",
    source="vLLM 0.33.0 config/vllm.py, 2026-11; earlier versions start, and FlashAttention "
    "refuses keys of another type than queries: read, not run",
    checked_by="quantized_model_operator.domain.gpu_fit:candidate_dtype",
    reason="KvCacheDtypeUnsupported",
    field="spec.engine.kvCacheDtype",
)
A_KERNEL_TAKES_EACH_LINEAR = EngineRule(
    id="a-kernel-takes-each-linear",
    area="Hardware",
    means="Refused",
    holds="Marlin, Machete, Humming or AllSpark takes the shape of every quantised linear.",
    vllm_says="Failed to find a kernel that can implement the WNA16 linear layer. Reasons: {}",
    remedy="Choose another number of GPUs, or set spec.engine.version to one from 0.24 on, whose "
    "Marlin pads odd shapes.",
    source="vLLM 0.20.2 to 0.33.0 kernels/linear/mixed_precision, 2026-11",
    checked_by="quantized_model_operator.domain.kernels:gpu_kernels",
    reason="NoKernel",
    field="spec.hardware.gpusPerReplica",
)
NO_PLAN_ENDS_ON_EXLLAMA = EngineRule(
    id="no-plan-ends-on-exllama",
    area="Hardware",
    means="Rendered",
    holds="Exllama, Conch and Triton are disabled for dense linears: vLLM fails where it would "
    "fall to them.",
    vllm_says=SILENT,
    remedy="Nothing to do: VLLM_DISABLED_KERNELS is part of the pod.",
    source="vLLM issues 9618, 10656 and 14126 (answers of '!!!!' in float16); vLLM 0.20.2 to "
    "0.33.0 kernels/linear (VLLM_DISABLED_KERNELS), 2026-11",
    checked_by="quantized_model_operator.domain.kernels:disabled_kernels",
)
CPU_BITS_ARE_SERVED = EngineRule(
    id="cpu-bits-are-served",
    area="Hardware",
    means="Refused",
    holds="On CPU weights have 4 bits.",
    vllm_says="Marlin does not support weight_bits = uint8b128. Only types = "
    "[ScalarType.uint4b8] are supported",
    remedy="Use a checkpoint with bits 4, or spec.hardware.device GPU.",
    source="our measurement with vLLM 0.32.0 on CPU, 2026-11; 0.33.0 read",
    checked_by="quantized_model_operator.domain.quantization:quantization_problems",
    reason="UnsupportedOnCpu",
    field="spec.hardware.device",
)
CPU_SHAPES_ARE_SERVED = EngineRule(
    id="cpu-shapes-are-served",
    area="Hardware",
    means="Refused",
    holds="On CPU both sizes of every quantised linear can be divided by 32.",
    vllm_says="Failed to find a kernel that can implement the WNA16 linear layer. Reasons: {}",
    remedy="Use spec.hardware.device GPU.",
    source="vLLM 0.33.0 mixed_precision/cpu.py, 2026-11",
    checked_by="quantized_model_operator.domain.quantization:quantization_problems",
    reason="UnsupportedOnCpu",
    field="spec.hardware.device",
)

CHECKPOINT_RULES = (
    QUANTIZATION_IS_DECLARED,
    METHOD_IS_GPTQ,
    LINEARS_ARE_COMPLETE,
    FUSED_LINEARS_AGREE,
    BITS_ARE_SERVED,
    SYMMETRY_IS_SERVED,
    GROUP_SIZE_IS_SERVED,
    ACT_ORDER_HAS_NO_GROUPS,
)
HARDWARE_RULES = (
    ACCELERATOR_IS_NVIDIA,
    COMPUTE_CAPABILITY_IS_SERVED,
    DTYPE_IS_SERVED,
    BFLOAT16_NEEDS_AMPERE,
    FLOAT16_IS_STABLE,
    KV_CACHE_DTYPE_IS_PLANNED,
    FP8_CACHE_NEEDS_BFLOAT16,
    CACHE_DTYPE_IS_THE_MODELS,
    A_KERNEL_TAKES_EACH_LINEAR,
    NO_PLAN_ENDS_ON_EXLLAMA,
    CPU_BITS_ARE_SERVED,
    CPU_SHAPES_ARE_SERVED,
)
