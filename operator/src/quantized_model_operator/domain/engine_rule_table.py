"""Pure: all rules of vLLM that the operator knows, in the order of the documentation."""

from quantized_model_operator.domain.engine_rules import rules_by_id
from quantized_model_operator.domain.engine_rules_checkpoint import (
    A_KERNEL_TAKES_EACH_LINEAR,
    ACT_ORDER_HAS_NO_GROUPS,
    BFLOAT16_NEEDS_AMPERE,
    BITS_ARE_SERVED,
    CHECKPOINT_RULES,
    COMPUTE_CAPABILITY_IS_SERVED,
    GROUP_SIZE_IS_SERVED,
    HARDWARE_RULES,
    SYMMETRY_IS_SERVED,
)
from quantized_model_operator.domain.engine_rules_memory import MEMORY_RULES
from quantized_model_operator.domain.engine_rules_parallel import (
    GROUPS_STAY_WHOLE,
    PARALLEL_RULES,
)
from quantized_model_operator.domain.engine_rules_pod import ARGUMENT_RULES, POD_RULES
from quantized_model_operator.domain.engine_version import EngineVersion

ENGINE_RULES = (
    *CHECKPOINT_RULES,
    *HARDWARE_RULES,
    *PARALLEL_RULES,
    *MEMORY_RULES,
    *ARGUMENT_RULES,
    *POD_RULES,
)

RULES = rules_by_id(ENGINE_RULES)

DENSE_DECISION = (
    BITS_ARE_SERVED,
    SYMMETRY_IS_SERVED,
    ACT_ORDER_HAS_NO_GROUPS,
    GROUP_SIZE_IS_SERVED,
    GROUPS_STAY_WHOLE,
    COMPUTE_CAPABILITY_IS_SERVED,
    BFLOAT16_NEEDS_AMPERE,
    A_KERNEL_TAKES_EACH_LINEAR,
)
"""What is asked of a dense linear on a GPU, in the order of the plan, before its kernel is known:
the checkpoint first, then the number of GPUs, then the GPU. The kernel is the first row of
``kernels.KERNELS`` that takes it."""

TABLED_VERSIONS = tuple(EngineVersion(0, minor) for minor in range(20, 34))
"""The minor versions that were read and that the documentation lists; their arguments are known
too."""
