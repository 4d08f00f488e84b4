"""Plans a model of a manifest with its checkpoint, for `qm lint --checkpoint` and `--online`."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from quantized_model_operator.cli.checkpoint_source import (
    ReadCheckpoint,
    UnreadableSourceError,
    read_checkpoint,
)
from quantized_model_operator.cli.gpu_names import NamedGpu, known_gpus
from quantized_model_operator.cli.lint_hardware import problems_of_any_checkpoint
from quantized_model_operator.cli.lint_manifests import UNREADABLE_CHECKPOINT, Planner
from quantized_model_operator.cli.plan_hardware import gpu_node
from quantized_model_operator.domain.accelerators import (
    DEFAULT_RESOURCE_NAME,
    known_accelerator,
)
from quantized_model_operator.domain.cluster_state import ObservedNode
from quantized_model_operator.domain.gpu_candidates import GPUS_OF_AN_UNSEEN_NODE
from quantized_model_operator.domain.model import ResolvedModel, Scheme
from quantized_model_operator.domain.outcome import Problem
from quantized_model_operator.domain.plan_values import ServingPlan, ServingRequest
from quantized_model_operator.domain.serving_plan import plan_serving


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanChecks:
    """How far models are planned."""

    checkpoint: str = ""
    """A folder or ``hf://organisation/name`` to read in place of each model's own source."""
    online: bool = False
    """Whether checkpoints on the hub are read."""
    gpus: tuple[NamedGpu, ...] = ()
    """GPUs of the nodes for models that name none; empty: all that are known."""
    gpu_count: int = GPUS_OF_AN_UNSEEN_NODE
    """GPUs in a node."""


def planner(checks: PlanChecks) -> Planner:
    """What says why a model cannot be served; each checkpoint is read once."""
    read = cache(read_checkpoint)

    def problems(model: ResolvedModel) -> tuple[Problem, ...]:
        source, revision = _source(model, checks)
        if not source:
            return problems_of_any_checkpoint(model)
        try:
            return tuple(_problems(read(source, revision), model.request, checks))
        except UnreadableSourceError as error:
            message = f"spec.model.uri: {error}"
            return (Problem(reason=UNREADABLE_CHECKPOINT, field="spec.model.uri", message=message),)

    return problems


def _source(model: ResolvedModel, checks: PlanChecks) -> tuple[str, str]:
    """Where the checkpoint is read, and its revision; empty when it is not."""
    if checks.checkpoint:
        return checks.checkpoint, "main"
    if checks.online and model.source.scheme is Scheme.HUB:
        return model.source.uri, model.source.revision
    return "", ""


def _problems(
    read: ReadCheckpoint, request: ServingRequest, checks: PlanChecks
) -> Iterator[Problem]:
    facts = read.report.facts
    if facts is None:
        yield from read.report.refusals
        return
    nodes = _nodes(request, checks)
    if nodes is None:
        return
    planned = plan_serving(facts, request, nodes)
    if not isinstance(planned, ServingPlan):
        yield from planned


def _nodes(request: ServingRequest, checks: PlanChecks) -> tuple[ObservedNode, ...] | None:
    """Nodes with the GPUs that the model names, else with those of the options, else with all.

    ``None`` when it asks for something that only its cluster knows.
    """
    if request.device == "CPU":
        return ()
    is_usual = request.resource_name == DEFAULT_RESOURCE_NAME
    if not is_usual or not all(known_accelerator(product) for product in request.products):
        return None
    products = request.products or tuple(
        gpu.accelerator.product for gpu in checks.gpus or known_gpus()
    )
    return tuple(gpu_node(product, checks.gpu_count) for product in products)
