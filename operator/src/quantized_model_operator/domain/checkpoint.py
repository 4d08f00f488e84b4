"""Pure: what a checkpoint says of itself, and the versioned report that carries it.

The report is the termination message of an inspection: JSON of at most 4096 bytes.
"""

import json
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields, replace
from typing import Any

from quantized_model_operator.domain.outcome import Problem
from quantized_model_operator.domain.tensor_facts import (
    LinearShape,
    MixtureOfExperts,
    TensorBytes,
    bytes_from_mapping,
    mixture_from_mapping,
    shapes_from_rows,
    shapes_to_rows,
)

REPORT_VERSION = 1
_UNKNOWN_VERSION = "its version is unknown"
REPORT_LIMIT_BYTES = 4096
"""What the kubelet keeps of a termination message. Source: Kubernetes 1.37, kubelet
``MaxContainerTerminationMessageLength``, checked 2026-11-24."""


class InvalidReportError(ValueError):
    """The text is no inspection report that this version understands."""

    def __init__(self, why: str) -> None:
        super().__init__(f"the text is no inspection report: {why}")


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointFacts:
    """Facts of one GPTQ checkpoint, read from its config and its safetensors headers.

    Fields with a default came later, and a record without them is read as before they existed:
    weights shared evenly by the ranks, all layers dense and alike. It is not thrown away: its
    plan is right but for some hundred MiB, and where it is not (experts), the record carries the
    warning of its time. Deleting the record has the checkpoint inspected again.
    """

    uri: str
    commit: str
    """Commit on the hub (40 hex digits), or the uid of the claim for ``pvc://``."""
    digest: str
    """sha256 over the sorted lines ``name size digest-or-header-digest``, prefixed ``sha256:``."""
    integrity: str
    """Where the digests of the weights come from: ``Hub``, ``Manifest`` or ``Unverified``."""
    architecture: str
    model_type: str
    dtype: str
    """As config.json declares it: ``float16``, ``bfloat16``, ``float32`` or empty."""
    bits: int
    group_size: int
    symmetric: bool
    desc_act: bool
    quantized_lm_head: bool
    weights_bytes: int
    """Sum of the sizes of all safetensors files."""
    files: int
    parameters: int
    """Unpacked parameters: packed ``qweight`` elements times ``32 / bits``, others as they are."""
    layers: int
    hidden_size: int
    intermediate_size: int
    """Of a dense feed-forward, even if all layers have experts instead."""
    heads: int
    kv_heads: int
    head_size: int
    vocabulary: int
    max_model_length: int
    """``max_position_embeddings`` in tokens; 0 when the config does not say."""
    tied_embeddings: bool
    has_tokenizer: bool
    has_chat_template: bool
    sliding_window: int = 0
    """Tokens; 0 when attention is not windowed."""
    full_attention_layers: int = 0
    """Layers that keep all tokens although ``sliding_window`` is set (Gemma 2 and 3); with 0 all
    layers are windowed. Only then does a window bound what a request needs."""
    quantization_argument: bool = False
    """Parameters are in quantize_config.json alone, which vLLM reads only when it is started with
    ``--quantization gptq``."""
    mixture: MixtureOfExperts | None = None
    """``None`` for a model without experts."""
    tensor_bytes: TensorBytes | None = None
    """``None`` in old records: then only ``weights_bytes`` is known."""
    linears: tuple[LinearShape, ...] = ()
    """The linears of the decoder, recorded only where the numbers above do not make them; read
    them through ``linear_layers``."""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointProblem:
    """Why a checkpoint cannot be served: a CamelCase reason and a sentence with the remedy."""

    reason: str
    message: str
    field: str = "spec.model.uri"


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectionReport:
    """Either facts, or the problems that refuse the checkpoint; ``problem_count`` counts all."""

    facts: CheckpointFacts | None = None
    problems: tuple[CheckpointProblem, ...] = ()
    problem_count: int = 0

    @property
    def refusals(self) -> tuple[Problem, ...]:
        """The problems as those of a model."""
        return tuple(
            Problem(reason=item.reason, field=item.field, message=item.message)
            for item in self.problems
        )

    transient: bool = False
    """True when trying again may help (hub unreachable); such a program exits with 1."""
    version: int = field(default=REPORT_VERSION)


def report_to_json(report: InspectionReport) -> str:
    """The report as compact JSON of at most 4096 bytes.

    Texts are shortened, then warnings and problems are dropped from the end, until it fits;
    ``problem_count`` keeps the true count. Facts alone fit, since their strings are bounded; if
    they did not for sizes beyond any model, those that have a default would be dropped.
    """
    for length in (800, 400, 200, 100):
        for keep in (8, 4, 2, 1, 0):
            text = _encode(report, length, keep)
            if len(text.encode()) <= REPORT_LIMIT_BYTES and (keep or not report.problems):
                return text
    slim = report.facts and replace(report.facts, mixture=None, tensor_bytes=None, linears=())
    return _encode(replace(report, facts=slim), 60, 1)


def report_from_json(text: str) -> InspectionReport:
    """The report in the text; ``InvalidReportError`` when it is none of this version."""
    try:
        document = json.loads(text)
        if document["version"] != REPORT_VERSION:
            raise InvalidReportError(_UNKNOWN_VERSION)
        facts = document.get("facts")
        problems = tuple(CheckpointProblem(**item) for item in document.get("problems", ()))
        return InspectionReport(
            facts=facts_from_mapping(facts) if facts else None,
            problems=problems,
            problem_count=int(document.get("problemCount", len(problems))),
            transient=bool(document.get("transient", False)),
        )
    except (TypeError, KeyError, AttributeError, json.JSONDecodeError) as error:
        raise InvalidReportError(str(error)) from error


def facts_from_mapping(document: Mapping[str, Any]) -> CheckpointFacts:
    """Facts from their JSON object; ``TypeError`` or ``KeyError`` when a fact is missing.

    Keys that this version does not know are ignored, so that an older operator reads a newer
    program's report.
    """
    known = {item.name for item in fields(CheckpointFacts)}
    values = {key: value for key, value in document.items() if key in known}
    values["warnings"] = tuple(values.get("warnings", ()))
    values["mixture"] = mixture_from_mapping(values.get("mixture"))
    values["tensor_bytes"] = bytes_from_mapping(values.get("tensor_bytes"))
    values["linears"] = shapes_from_rows(values.get("linears", ()))
    return CheckpointFacts(**values)


def facts_to_mapping(facts: CheckpointFacts) -> dict[str, Any]:
    """The JSON object of the facts; later fields are left out where they have their default.

    So a fact that a checkpoint does not have changes no record and no annotation.
    """
    values = asdict(facts)
    values["linears"] = shapes_to_rows(facts.linears)
    values["warnings"] = list(facts.warnings)
    return {
        key: value
        for key, value in values.items()
        if key in _ALWAYS or value not in (None, False, 0, [])
    }


_ALWAYS = frozenset(item.name for item in fields(CheckpointFacts) if item.default is MISSING) | {
    "sliding_window",
    "warnings",
}


_FACT_LENGTH = {"uri": 200, "commit": 120, "digest": 120}
"""Of texts in facts as JSON; others are names of at most 64 characters."""


def _encode(report: InspectionReport, text_length: int, keep: int) -> str:
    document: dict[str, Any] = {"version": report.version}
    if report.facts is not None:
        facts = {
            key: _shorten(value, _FACT_LENGTH.get(key, 72))
            for key, value in facts_to_mapping(report.facts).items()
        }
        facts["warnings"] = [_shorten(text, text_length) for text in facts["warnings"][:keep]]
        document["facts"] = facts
    if report.problems:
        document["problems"] = [
            {key: _shorten(value, text_length) for key, value in asdict(problem).items()}
            for problem in report.problems[:keep]
        ]
        document["problemCount"] = max(report.problem_count, len(report.problems))
    if report.transient:
        document["transient"] = True
    return json.dumps(document, separators=(",", ":"))


def _shorten(value: Any, length: int) -> Any:  # noqa: ANN401 - JSON values of any type
    """A text cut so that its JSON form, where one character may take 12 bytes, has the length."""
    if not isinstance(value, str) or len(json.dumps(value)) <= length:
        return value
    text = value[:length]
    while len(json.dumps(text)) > length - 3:
        text = text[: -max(1, len(text) // 8)]
    return text + "..."
