"""Pure: an ordered list of checks, from config and tensors of a checkpoint to problems.

Every check answers for one way in which a checkpoint is silently wrong in vLLM, or ends it late.
"""

from collections.abc import Callable, Iterator

from quantized_model_operator.domain.checkpoint import CheckpointProblem
from quantized_model_operator.domain.checkpoint_subject import Subject
from quantized_model_operator.domain.completeness_checks import (
    complete_ends,
    complete_layers,
    complete_linears,
)
from quantized_model_operator.domain.rule_lookup import fused_linears, listed_linears
from quantized_model_operator.domain.shape_checks import (
    config_shapes,
    declared_experts,
    declared_shapes,
    known_dtypes,
    served_windows,
)

CHECKS: tuple[Callable[[Subject], Iterator[CheckpointProblem]], ...] = (
    complete_linears,
    complete_layers,
    complete_ends,
    known_dtypes,
    declared_shapes,
    config_shapes,
    declared_experts,
    fused_linears,
    listed_linears,
    served_windows,
)


def tensor_problems(seen: Subject) -> list[CheckpointProblem]:
    """All that the checks find, in their order; empty for a sound checkpoint."""
    if not seen.stack:
        return [
            CheckpointProblem(
                reason="NotGptq",
                message="config.json says quant_method: gptq, but no layer has a qweight tensor; "
                "name a checkpoint whose weights are quantised",
            )
        ]
    return [problem for check in CHECKS for problem in check(seen)]
