"""Pure: rules of vLLM about sharing a model among GPUs, by version."""

from quantized_model_operator.domain.engine_rules import EngineRule

_FIELD = "spec.hardware.gpusPerReplica"
_REASON = "IllegalTensorParallelSize"
_VERDICT = "quantized_model_operator.domain.tensor_parallel:tensor_parallel_verdict"

HEADS_ARE_SHARED_EVENLY = EngineRule(
    id="heads-are-shared-evenly",
    area="Parallelism",
    means="Refused",
    holds="The number of attention heads can be divided by the number of GPUs.",
    vllm_says="Total number of attention heads ({}) must be divisible by tensor parallel size "
    "({}).",
    remedy="Set spec.hardware.gpusPerReplica to a legal size.",
    source="vLLM 0.20.2 to 0.33.0 config/model.py, 2026-11",
    checked_by=_VERDICT,
    reason=_REASON,
    field=_FIELD,
)
KV_HEADS_ARE_SHARED_EVENLY = EngineRule(
    id="kv-heads-are-shared-evenly",
    area="Parallelism",
    means="Refused",
    holds="KV heads can be divided by the number of GPUs, or the number of GPUs by them.",
    vllm_says="AssertionError",
    remedy="Set spec.hardware.gpusPerReplica to a legal size.",
    source="vLLM 0.20.2 to 0.33.0 models/qwen2.py and llama.py, 2026-11",
    checked_by=_VERDICT,
    reason=_REASON,
    field=_FIELD,
)
DIMENSIONS_ARE_SHARED_EVENLY = EngineRule(
    id="dimensions-are-shared-evenly",
    area="Parallelism",
    means="Refused",
    holds="Every dimension that is split can be divided by the number of GPUs.",
    vllm_says="AssertionError: {} is not divisible by {}",
    remedy="Set spec.hardware.gpusPerReplica to a legal size.",
    source="vLLM 0.20.2 to 0.33.0 distributed/utils.py, 2026-11",
    checked_by=_VERDICT,
    reason=_REASON,
    field=_FIELD,
)
GROUPS_STAY_WHOLE = EngineRule(
    id="groups-stay-whole",
    area="Parallelism",
    means="Refused",
    holds="A GPU's part of o_proj and down_proj consists of whole groups of the quantisation.",
    vllm_says="create_arguments, {}machete_mm_kernel.cuh:{}, | gptq_gemm, {}, Input size K = {} "
    "is not divisible by the number of groups = {} | nothing, and wrong answers, for some shapes",
    remedy="Set spec.hardware.gpusPerReplica to a legal size, or use a checkpoint with a smaller "
    "group size.",
    source="our measurement on two H200 with vLLM 0.33.0, 2026-11: fails after loading; silent "
    "shapes derived from exllama.py",
    checked_by=_VERDICT,
    reason=_REASON,
    field=_FIELD,
)
EXPERTS_COVER_THE_GPUS = EngineRule(
    id="experts-cover-the-gpus",
    area="Parallelism",
    means="Refused",
    holds="A layer has at least as many experts as a replica has GPUs.",
    vllm_says="Tensor parallel size {} is greater than the number of experts {}.",
    remedy="Set spec.hardware.gpusPerReplica to a smaller size.",
    source="vLLM 0.20.2 to 0.33.0 models/qwen2_moe.py and mixtral.py, 2026-11",
    checked_by=_VERDICT,
    reason=_REASON,
    field=_FIELD,
)
A_KERNEL_TAKES_THE_EXPERTS = EngineRule(
    id="a-kernel-takes-the-experts",
    area="Parallelism",
    means="Refused",
    holds="Marlin takes a GPU's part of each expert (hidden size a multiple of 128, whole "
    "groups), or groups of 32 or more remain after halving.",
    vllm_says="No WNA16 MoE backend supports the deployment configuration. | AssertionError",
    remedy="Set spec.hardware.gpusPerReplica to a smaller size, or add --enable-expert-parallel "
    "to spec.engine.args.",
    source="vLLM 0.20.2 to 0.33.0 fused_moe/oracle/int_wna16.py and moe_wna16.py, 2026-11",
    checked_by=_VERDICT,
    reason=_REASON,
    field=_FIELD,
)
A_NODE_HAS_THE_GPUS = EngineRule(
    id="a-node-has-the-gpus",
    area="Parallelism",
    means="Refused",
    holds="One node has as many GPUs as a replica needs.",
    vllm_says="World size ({}) is larger than the number of available GPUs ({}) in this node.",
    remedy="Set spec.hardware.gpusPerReplica to what a node has, or name a larger product.",
    source="vLLM 0.20.2 to 0.33.0 config/parallel.py, 2026-11; the GPU limit of the pod is always "
    "the tensor parallel size",
    checked_by="quantized_model_operator.domain.gpu_refusals:gpu_refusal",
    reason="NotEnoughGpus",
    field=_FIELD,
)
ONE_PROCESS_ON_CPU = EngineRule(
    id="one-process-on-cpu",
    area="Parallelism",
    means="Refused",
    holds="On CPU a model is served by one process.",
    vllm_says="Not enough allowed NUMA nodes to bind threads of {} local CPUWorkers.",
    remedy="Leave spec.hardware.gpusPerReplica out.",
    source="our measurement with vLLM 0.32.0 on CPU, 2026-11",
    checked_by="quantized_model_operator.domain.cpu_plan:plan_cpu",
    reason=_REASON,
    field=_FIELD,
)
PARALLEL_RULES = (
    HEADS_ARE_SHARED_EVENLY,
    KV_HEADS_ARE_SHARED_EVENLY,
    DIMENSIONS_ARE_SHARED_EVENLY,
    GROUPS_STAY_WHOLE,
    EXPERTS_COVER_THE_GPUS,
    A_KERNEL_TAKES_THE_EXPERTS,
    A_NODE_HAS_THE_GPUS,
    ONE_PROCESS_ON_CPU,
)
