"""Pure: are all weight files of a checkpoint there, and do they hold what the index says."""

from collections.abc import Mapping

from quantized_model_operator.domain import checkpoint_files
from quantized_model_operator.domain.checkpoint import CheckpointProblem
from quantized_model_operator.domain.readable_text import first_and_count, readable_name
from quantized_model_operator.domain.safetensors_header import SafetensorsHeader

_OTHER_FORMATS = (".bin", ".gguf", ".pt", ".pth")


def weight_map_of(documents: Mapping[str, bytes]) -> dict[str, str] | None:
    """The index's map of tensors to files; ``None`` without an index that can be read."""
    content = documents.get(checkpoint_files.INDEX)
    if content is None:
        return None
    try:
        return checkpoint_files.parse_index(content)
    except checkpoint_files.InvalidIndexError:
        return None


def weight_problems(
    sizes: Mapping[str, int], weight_map: Mapping[str, str] | None
) -> list[CheckpointProblem]:
    """Weight files that are missing."""
    wanted = checkpoint_files.weight_files(sizes, weight_map)
    if not any(name in sizes for name in wanted):
        others = sorted(name for name in sizes if name.endswith(_OTHER_FORMATS))
        found = f" (there is {first_and_count(others)}, which is not read)" if others else ""
        return [
            CheckpointProblem(
                reason="WeightsMissing",
                message=f"there is no safetensors file{found}; copy the weights, or convert them "
                "to safetensors",
            )
        ]
    missing = [name for name in wanted if name not in sizes]
    if not missing:
        return []
    return [
        CheckpointProblem(
            reason="ShardMissing",
            message=f"{first_and_count(missing)} is missing ({len(missing)} of {len(wanted)} "
            "weight files); copy or upload the missing files",
        )
    ]


def index_problems(
    documents: Mapping[str, bytes], headers: Mapping[str, SafetensorsHeader]
) -> list[CheckpointProblem]:
    """What contradicts the index in the files whose headers could be read."""
    content = documents.get(checkpoint_files.INDEX)
    if content is None:
        return []
    try:
        weight_map = checkpoint_files.parse_index(content)
    except checkpoint_files.InvalidIndexError as error:
        message = f"{checkpoint_files.INDEX} cannot be used: {error}; restore the file"
        return [CheckpointProblem(reason="ConfigInvalid", message=message)]
    absent = sorted(
        name
        for name, file in weight_map.items()
        if file in headers and name not in headers[file].tensors
    )
    if not absent:
        return []
    file = weight_map[absent[0]]
    return [
        CheckpointProblem(
            reason="TensorMissing",
            message=f"{readable_name(file)} does not hold {first_and_count(absent)}, though "
            f"{checkpoint_files.INDEX} says so; copy or export the checkpoint again",
        )
    ]
