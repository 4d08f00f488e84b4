"""Questions to the planner as files: a published model, a spec, and nodes.

The first document of a file is the question, the second the answer. ``model`` is one of
``published_models``, quantised with ``bits`` and ``groupSize``; ``config`` and ``quantization``
replace keys of its config.json, null takes one away. ``spec`` is what a user writes beside the
source, and ``nodes`` are GPUs of one node each by product: a number, or ``gpus`` with what the
labels say.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from checkpoint_headers import as_evidence, header_set, model_tensors
from published_models import PUBLISHED
from quantized_model_operator.domain.checkpoint import InspectionReport
from quantized_model_operator.domain.checkpoint_inspection import inspect_checkpoint
from quantized_model_operator.domain.cluster_state import ModelKey, Observed, ObservedNode
from quantized_model_operator.domain.merge_patch import patched
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
        return replace(self, spec=patched(self.spec, patch))


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
        return question.report.refusals
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


def _refusal(problem: Problem) -> Document:
    written: Document = {
        "reason": problem.reason,
        "field": problem.field,
        "message": problem.message,
    }
    return written | ({"suggestion": dict(problem.suggestion)} if problem.suggestion else {})


def _report(asked: Document) -> InspectionReport:
    described = {key: value for key, value in asked.items() if key not in {"spec", "nodes"}}
    return _report_of(json.dumps(described, sort_keys=True))


@cache
def _report_of(described: str) -> InspectionReport:
    """The verdict over a checkpoint, once for all questions about it."""
    asked: Document = json.loads(described)
    bits, group_size = asked.get("bits", 4), asked.get("groupSize", 128)
    changes: Document = asked.get("config", {})
    config = PUBLISHED[asked["model"]].config
    shapes = {key: value for key, value in changes.items() if isinstance(value, int)}
    tensors = model_tensors({**config, **shapes}, bits, group_size)
    made = header_set({**config, **changes}, tensors, bits=bits, group_size=group_size, shards=2)
    quantization = patched(made.config["quantization_config"], asked.get("quantization", {}))
    return inspect_checkpoint(
        as_evidence(replace(made, config={**made.config, "quantization_config": quantization}), URI)
    )


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
