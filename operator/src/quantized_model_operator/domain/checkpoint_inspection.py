"""Pure: from everything read of a checkpoint to the report: facts, or why it cannot be served."""

from collections.abc import Mapping

from quantized_model_operator.domain import checkpoint_files
from quantized_model_operator.domain.checkpoint import (
    CheckpointProblem,
    InspectionReport,
)
from quantized_model_operator.domain.checkpoint_checks import tensor_problems
from quantized_model_operator.domain.checkpoint_config import (
    InvalidConfigError,
    ModelConfig,
    parse_config,
    read_object,
)
from quantized_model_operator.domain.checkpoint_evidence import Evidence
from quantized_model_operator.domain.checkpoint_facts import facts_of
from quantized_model_operator.domain.checkpoint_subject import subject
from quantized_model_operator.domain.data_samples import sample_problems
from quantized_model_operator.domain.quantization_settings import (
    QuantizationSettings,
    UnusableSettingsError,
    parse_settings,
    settings_problems,
)
from quantized_model_operator.domain.readable_text import readable_name
from quantized_model_operator.domain.safetensors_header import (
    DamagedShardError,
    SafetensorsHeader,
    parse_header,
)
from quantized_model_operator.domain.tensor_layout import (
    StoredTensor,
    modules_of,
)
from quantized_model_operator.domain.weight_file_checks import (
    index_problems,
    weight_map_of,
    weight_problems,
)

__all__ = ["Evidence", "inspect_checkpoint"]


def inspect_checkpoint(evidence: Evidence) -> InspectionReport:
    """The verdict on a checkpoint: facts when no check finds a problem."""
    config, settings, problems = _declarations(evidence)
    headers, shard_problems = _headers(evidence)
    problems += weight_problems(evidence.sizes, weight_map_of(evidence.documents))
    problems += shard_problems
    problems += index_problems(evidence.documents, headers)
    seen = None
    whole = not problems or all(problem.reason in _LEAVES_TENSORS for problem in problems)
    if config and settings and headers and whole:
        seen = subject(config, settings, modules_of(_tensors(headers)))
        problems += tensor_problems(seen)
        problems += sample_problems(evidence.samples, headers, settings)
    if not checkpoint_files.has_tokenizer(evidence.sizes):
        problems.append(_NO_TOKENIZER)
    problems += evidence.problems
    if problems or seen is None:
        return InspectionReport(problems=tuple(problems), problem_count=len(problems))
    return InspectionReport(facts=facts_of(evidence, seen))


_LEAVES_TENSORS = frozenset(
    {"UnsupportedBits", "UnsupportedGroupSize", "UnsupportedSymmetry", "TensorMissing"}
)
"""Problems beside which the tensors are still worth a look; after a missing or damaged shard
they would only repeat it."""

_NO_TOKENIZER = CheckpointProblem(
    reason="TokenizerMissing",
    message="the checkpoint has no tokenizer (tokenizer.json, or tokenizer.model, or vocab.json "
    "with merges.txt); vLLM would start and refuse every chat: copy the files from the original "
    "model",
)


def _declarations(
    evidence: Evidence,
) -> tuple[ModelConfig | None, QuantizationSettings | None, list[CheckpointProblem]]:
    content = evidence.documents.get(checkpoint_files.CONFIG)
    if content is None:
        message = "there is no config.json; check the path, or copy the file from the original"
        return None, None, [CheckpointProblem(reason="ConfigMissing", message=message)]
    try:
        document = read_object(content, checkpoint_files.CONFIG)
    except InvalidConfigError as error:
        return None, None, [CheckpointProblem(reason="ConfigInvalid", message=str(error))]
    config = settings = None
    problems: list[CheckpointProblem] = []
    try:
        config = parse_config(document)
    except InvalidConfigError as error:
        problems.append(CheckpointProblem(reason="ConfigInvalid", message=str(error)))
    legacy = evidence.documents.get(checkpoint_files.LEGACY_QUANTIZATION_CONFIG)
    try:
        settings = parse_settings(document, legacy)
        problems += settings_problems(settings)
    except UnusableSettingsError as error:
        problems.append(error.problem)
    return config, settings, problems


def _headers(
    evidence: Evidence,
) -> tuple[dict[str, SafetensorsHeader], list[CheckpointProblem]]:
    headers: dict[str, SafetensorsHeader] = {}
    problems = []
    for name, first_bytes in sorted(evidence.first_bytes.items()):
        try:
            headers[name] = parse_header(first_bytes, evidence.sizes[name])
        except DamagedShardError as error:
            state = "is incomplete" if error.reason == "ShardTruncated" else "is damaged"
            problems.append(
                CheckpointProblem(
                    reason=error.reason,
                    message=f"{readable_name(name)} {state}: {error}; copy or upload the "
                    "file again",
                )
            )
    return headers, problems


def _tensors(headers: Mapping[str, SafetensorsHeader]) -> dict[str, StoredTensor]:
    return {
        name: StoredTensor(file, entry.dtype, entry.shape)
        for file, header in headers.items()
        for name, entry in header.tensors.items()
    }
