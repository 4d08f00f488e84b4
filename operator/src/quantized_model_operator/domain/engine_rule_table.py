"""Pure: all rules of vLLM that the operator knows, in the order of the documentation."""

from quantized_model_operator.domain.engine_rules import rules_by_id
from quantized_model_operator.domain.engine_rules_checkpoint import (
    CHECKPOINT_RULES,
    HARDWARE_RULES,
)
from quantized_model_operator.domain.engine_rules_memory import MEMORY_RULES
from quantized_model_operator.domain.engine_rules_parallel import PARALLEL_RULES
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

TABLED_VERSIONS = (
    EngineVersion(0, 20),
    EngineVersion(0, 25),
    EngineVersion(0, 30),
    EngineVersion(0, 31),
    EngineVersion(0, 32),
    EngineVersion(0, 33),
)
"""The minor versions that the documentation lists; their arguments are known too. Of those in
between the sources that the rows name were read: rules are the same on both sides, or say so."""
