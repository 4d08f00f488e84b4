"""Pure: the answer of `qm plan` as a value, for one set of nodes or for every known GPU."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from quantized_model_operator.cli.gpu_names import NamedGpu, known_gpus
from quantized_model_operator.cli.plan_hardware import Hardware, gpu_node, gpu_pools
from quantized_model_operator.domain.accelerators import DEFAULT_RESOURCE_NAME
from quantized_model_operator.domain.batch_limits import (
    CPU_BATCH_LIMITS,
    BatchLimits,
    chosen_batch_limits,
)
from quantized_model_operator.domain.checkpoint import CheckpointFacts
from quantized_model_operator.domain.engine_version import parse_engine_version
from quantized_model_operator.domain.expert_parallel import as_shared
from quantized_model_operator.domain.gpu_candidates import GPUS_OF_AN_UNSEEN_NODE, candidates
from quantized_model_operator.domain.gpu_fit import Fit, batch_limits, evaluate
from quantized_model_operator.domain.model_length import TIMES
from quantized_model_operator.domain.outcome import Problem
from quantized_model_operator.domain.serving_plan import ServingPlan, ServingRequest, plan_serving
from quantized_model_operator.domain.tensor_parallel import (
    LARGEST_SIZE,
    TensorParallelVerdict,
    tensor_parallel_verdicts,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A plan, or why there is none; exactly one of ``plan`` and ``problems`` is there."""

    plan: ServingPlan | None
    problems: tuple[Problem, ...]
    warnings: tuple[str, ...]
    """Of the checkpoint, of the plan and of the nodes."""
    fit: Fit | None
    """How the plan's memory is divided; ``None`` on CPU and without a plan."""
    batch: BatchLimits | None = None
    """How much vLLM puts into one step; ``None`` without a plan."""
    gpus_that_fit: int | None = None
    """Without a plan: how many of the same GPUs in one node would do."""
    sizes: tuple[TensorParallelVerdict, ...] = ()
    """Every number of GPUs that one node may have, legal or not for this model and request."""

    @property
    def fits(self) -> bool:
        """Whether there is a plan."""
        return self.plan is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuAnswer:
    """The answer for nodes with one known GPU."""

    gpu: NamedGpu
    answer: Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The answers for every known GPU."""

    gpus_per_node: int
    rows: tuple[GpuAnswer, ...]
    hint: str
    """Why all of them were compared, if nobody asked for it."""
    sizes: tuple[TensorParallelVerdict, ...]
    """As in the answers."""

    @property
    def fits(self) -> bool:
        """Whether any GPU will do."""
        return any(row.answer.fits for row in self.rows)


def refused(problems: Iterable[Problem]) -> Answer:
    """The answer when nothing can be planned at all."""
    return Answer(plan=None, problems=tuple(problems), warnings=(), fit=None)


def answer_for(facts: CheckpointFacts, request: ServingRequest, hardware: Hardware) -> Answer:
    """The plan on these nodes."""
    facts = as_shared(facts, request)
    planned = plan_serving(facts, request, hardware.nodes)
    if not isinstance(planned, ServingPlan):
        return replace(refused(planned), warnings=facts.warnings, sizes=_sizes(facts))
    fit = _planned_fit(facts, request, hardware, planned)
    warnings = (*planned.warnings, *facts.warnings, *_capacity_warnings(planned, hardware))
    return Answer(
        plan=planned,
        problems=(),
        warnings=tuple(dict.fromkeys(warnings)),
        fit=fit,
        batch=batch_limits(facts, request, fit.candidate) if fit else _cpu_batch(request),
        sizes=_sizes(facts),
    )


def with_larger_node(
    answer: Answer, facts: CheckpointFacts, request: ServingRequest, products: Sequence[str]
) -> Answer:
    """The refusal with the number of GPUs of these kinds in one node that would do, if any does."""
    if answer.fits or not products:
        return answer
    nodes = tuple(gpu_node(product, LARGEST_SIZE) for product in products)
    planned = plan_serving(facts, request, nodes)
    if not isinstance(planned, ServingPlan):
        return answer
    return replace(answer, gpus_that_fit=planned.tensor_parallel_size)


def comparison(
    facts: CheckpointFacts, request: ServingRequest, gpus_per_node: int | None, hint: str
) -> Comparison:
    """The plans on nodes of each known GPU; a product or resource in the spec does not count."""
    free = replace(request, products=(), resource_name=DEFAULT_RESOURCE_NAME)
    count = gpus_per_node or max(GPUS_OF_AN_UNSEEN_NODE, request.gpus_per_replica or 1)
    rows = []
    for gpu in known_gpus():
        nodes = (gpu_node(gpu.accelerator.product, count),)
        rows.append(
            GpuAnswer(gpu=gpu, answer=answer_for(facts, free, Hardware(nodes=nodes, origin="")))
        )
    sizes = _sizes(as_shared(facts, request))
    return Comparison(gpus_per_node=count, rows=tuple(rows), hint=hint, sizes=sizes)


def _sizes(facts: CheckpointFacts) -> tuple[TensorParallelVerdict, ...]:
    return tensor_parallel_verdicts(facts, LARGEST_SIZE)


def _cpu_batch(request: ServingRequest) -> BatchLimits:
    return chosen_batch_limits(
        CPU_BATCH_LIMITS, request.max_num_batched_tokens, request.max_num_seqs
    )


def _capacity_warnings(plan: ServingPlan, hardware: Hardware) -> Iterable[str]:
    """What is free now decides nothing, and should be known."""
    pools = [pool for pool in gpu_pools(hardware) if pool.product in plan.products]
    free = [gpus for pool in pools for gpus in pool.free_by_node or ()]
    if free and max(free) < plan.tensor_parallel_size:
        yield (
            f"no node has {plan.tensor_parallel_size} {TIMES} {' or '.join(plan.products)} free "
            f"now, {max(free)} at most: pods wait until others end"
        )


def _planned_fit(
    facts: CheckpointFacts, request: ServingRequest, hardware: Hardware, plan: ServingPlan
) -> Fit | None:
    """The fit behind the plan's figures: of its GPU with the least memory."""
    found = candidates(request, hardware.nodes) if plan.device == "GPU" else ()
    if isinstance(found, Problem):
        return None
    version = parse_engine_version(request.engine_version)
    for candidate in found:
        accelerator = candidate.accelerator
        if (accelerator.product in plan.products) and (
            accelerator.memory_bytes == plan.gpu_memory_bytes
        ):
            return evaluate(
                facts,
                request,
                version,
                candidate,
                size=plan.tensor_parallel_size,
                dtype=plan.dtype,
            )
    return None
