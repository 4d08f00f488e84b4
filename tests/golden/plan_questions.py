"""Questions to the planner as files: a published model, a spec, and nodes.

The first document of a file is the question, the second the answer. ``model`` is one of
``published_models``, quantised with ``bits`` and ``groupSize``; ``config`` and ``quantization``
replace keys of its config.json, null takes one away. ``spec`` is what a user writes beside the
source, and ``nodes`` are GPUs of one node each by product: a number, or ``gpus`` with what the
labels say.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from checkpoint_headers import Shapes, as_evidence, header_set, model_tensors
from published_models import PUBLISHED
from quantized_model_operator.domain.checkpoint import InspectionReport
from quantized_model_operator.domain.checkpoint_inspection import inspect_checkpoint
from quantized_model_operator.domain.cluster_state import ModelKey, Observed, ObservedNode
from quantized_model_operator.domain.outcome import InvalidModelError, Problem
from quantized_model_operator.domain.plan_values import ServingPlan
from quantized_model_operator.domain.serving_plan import plan_serving
from quantized_model_operator.report.details import plan_details
from quantized_model_operator.resolve import resolve
from quantized_model_operator.settings import Settings

FOLDER = Path(__file__).parent / "plans"
URI = "hf://zoo/otter-gptq"
Document = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked of the planner."""

    name: str
    report: InspectionReport
    """Of the checkpoint."""
    spec: Mapping[str, Any]
    nodes: tuple[ObservedNode, ...]

    def with_patch(self, patch: Mapping[str, Any]) -> "Question":
        """The question after a merge patch of the spec."""
        return replace(self, spec=merged(self.spec, patch))


def questions() -> list[Path]:
    """Every file, in a fixed order."""
    return sorted(FOLDER.glob("*.yaml"))


@cache
def question_of(file: Path) -> Question:
    """The question in a file."""
    asked: Document = next(yaml.safe_load_all(file.read_text(encoding="utf-8")))
    return Question(
        name=file.stem,
        report=_report(asked),
        spec={"model": {"uri": URI}, **asked.get("spec", {})},
        nodes=tuple(_nodes(asked.get("nodes", {}))),
    )


def answer_of(question: Question) -> ServingPlan | tuple[Problem, ...]:
    """The plan, or why there is none, at the first stage that says so."""
    facts = question.report.facts
    if facts is None:
        return tuple(
            Problem(reason=item.reason, field=item.field, message=item.message)
            for item in question.report.problems
        )
    metadata = {"name": "otter", "namespace": "zoo", "uid": "otter", "generation": 1}
    observed = Observed(
        key=ModelKey("zoo", "otter"), model={"metadata": metadata, "spec": question.spec}
    )
    try:
        model = resolve(observed, Settings(operator_image=""))
    except InvalidModelError as error:
        return error.problems
    return plan_serving(facts, model.request, question.nodes)


def document_of(answer: ServingPlan | tuple[Problem, ...]) -> Document:
    """The answer as it is written: ``status.plan``, or the refusals."""
    if isinstance(answer, ServingPlan):
        return {"plan": plan_details(answer)}
    return {"refusals": [_refusal(problem) for problem in answer]}


def merged(document: Mapping[str, Any], patch: Mapping[str, Any]) -> Document:
    """The document after a JSON merge patch."""
    result = dict(document)
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, Mapping):
            result[key] = merged(result.get(key) or {}, value)
        else:
            result[key] = value
    return result


def _refusal(problem: Problem) -> Document:
    written: Document = {
        "reason": problem.reason,
        "field": problem.field,
        "message": problem.message,
    }
    return written | ({"suggestion": dict(problem.suggestion)} if problem.suggestion else {})


def _report(asked: Document) -> InspectionReport:
    bits, group_size = asked.get("bits", 4), asked.get("groupSize", 128)
    config = {**PUBLISHED[asked["model"]].config, **asked.get("config", {})}
    tensors = _tensors(asked["model"], bits, group_size, asked.get("config", {}))
    made = header_set(config, tensors, bits=bits, group_size=group_size, shards=2)
    quantization = merged(made.config["quantization_config"], asked.get("quantization", {}))
    return inspect_checkpoint(
        as_evidence(replace(made, config={**made.config, "quantization_config": quantization}), URI)
    )


def _tensors(model: str, bits: int, group_size: int, changes: Mapping[str, Any]) -> Shapes:
    shapes = {key: value for key, value in changes.items() if isinstance(value, int)}
    return _made(model, bits, group_size, tuple(sorted(shapes.items())))


@cache
def _made(model: str, bits: int, group_size: int, changes: tuple[tuple[str, int], ...]) -> Shapes:
    return model_tensors({**PUBLISHED[model].config, **dict(changes)}, bits, group_size)


def _nodes(nodes: Mapping[str, Any]) -> Iterator[ObservedNode]:
    for product, described in nodes.items():
        node = described if isinstance(described, Mapping) else {"gpus": described}
        resource = node.get("resource", "nvidia.com/gpu")
        gpus = {resource: str(node["gpus"])} if node["gpus"] else {}
        yield ObservedNode(
            name=product.lower(),
            labels={"nvidia.com/gpu.product": product, **node.get("labels", {})} if gpus else {},
            allocatable={"cpu": "32", "memory": "256Gi", **gpus},
            schedulable=True,
        )
