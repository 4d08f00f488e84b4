"""Pure: texts of vLLM about splitting a model over GPUs, and what they mean."""

from quantized_model_operator.domain.failure_cause import FailureCause
from quantized_model_operator.domain.failure_remedies import smaller_split, split_of_at_most

_TRY_SPLIT = "set spec.hardware.gpusPerReplica to a legal size"

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
