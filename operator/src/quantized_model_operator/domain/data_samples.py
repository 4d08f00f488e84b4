"""Pure: a look at a little of the data, for weights that no digest vouches for.

A copy that was cut short in a file of full size leaves zeros, which no header shows. Scales are
never all zero and always finite, so the beginning of each tells; ``g_idx`` tells whether rows
were reordered, which vLLM ignores.
"""

from array import array
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from quantized_model_operator.domain.checkpoint import CheckpointProblem
from quantized_model_operator.domain.quantization_settings import QuantizationSettings
from quantized_model_operator.domain.readable_text import first_and_count, readable_name
from quantized_model_operator.domain.safetensors_header import SafetensorsHeader, TensorEntry

SAMPLE_BYTES = 1024
_SCALES, _INDEX = ".scales", ".g_idx"
_MOST_SCALES = 2000
_MOST_INDEXES = 16
_EXPONENT: Mapping[str, int] = {"F16": 0x7C00, "BF16": 0x7F80}
"""Bits that are all set in infinities and in what is no number."""


class SampleRange(NamedTuple):
    """Which bytes of which file to read for a tensor."""

    tensor: str
    file: str
    begin: int
    end: int


def wanted_samples(headers: Mapping[str, SafetensorsHeader]) -> list[SampleRange]:
    """The beginnings of scales and group indexes, spread over all files."""
    scales = _ranges(headers, _SCALES)
    indexes = _ranges(headers, _INDEX)
    return _spread(scales, _MOST_SCALES) + _spread(indexes, _MOST_INDEXES)


def sample_problems(
    samples: Mapping[str, bytes],
    headers: Mapping[str, SafetensorsHeader],
    settings: QuantizationSettings,
) -> Iterator[CheckpointProblem]:
    """What the samples give away."""
    damaged: dict[str, list[str]] = {}
    reordered = []
    for file, header in headers.items():
        for tensor in samples.keys() & header.tensors.keys():
            content, entry = samples[tensor], header.tensors[tensor]
            if not _are_possible(tensor, content, entry):
                damaged.setdefault(file, []).append(tensor)
            elif tensor.endswith(_INDEX) and _is_reordered(tensor, content, settings):
                reordered.append(tensor)
    for file, names in sorted(damaged.items()):
        yield CheckpointProblem(
            reason="ShardDamaged",
            message=f"{first_and_count(names)} in {readable_name(file)} has impossible values: the "
            "file was not written completely, or overwritten; copy or upload it again",
        )
    if reordered:
        yield CheckpointProblem(
            reason="ShapesDisagree",
            message=f"{first_and_count(reordered)} reorders rows, but config.json says desc_act: "
            "false, and vLLM would serve wrong text; correct desc_act or requantise",
        )


def _ranges(headers: Mapping[str, SafetensorsHeader], ending: str) -> list[SampleRange]:
    return [
        SampleRange(
            tensor=name,
            file=file,
            begin=header.data_offset + entry.begin,
            end=header.data_offset + min(entry.begin + SAMPLE_BYTES, entry.end),
        )
        for file, header in sorted(headers.items())
        for name, entry in sorted(header.tensors.items())
        if name.endswith(ending) and entry.dtype in ("F16", "BF16", "I32")
    ]


def _spread(ranges: list[SampleRange], most: int) -> list[SampleRange]:
    step = max(-(-len(ranges) // most), 1)
    return ranges[::step]


def _are_possible(tensor: str, content: bytes, entry: TensorEntry) -> bool:
    """Whether a tensor of a sound checkpoint can begin like this."""
    if tensor.endswith(_INDEX):
        return all(0 <= group < entry.elements for group in _groups(content))
    mask = _EXPONENT.get(entry.dtype)
    if mask is None or not content:
        return True  # the type has been judged elsewhere
    words = array("H", content[: len(content) // 2 * 2])
    return any(content) and all(word & mask != mask for word in words)


def _is_reordered(tensor: str, content: bytes, settings: QuantizationSettings) -> bool:
    declared = settings.declared_for(tensor.removesuffix(_INDEX))
    if settings.desc_act or declared is None or declared[1] < 1:
        return False
    groups = _groups(content)
    if not any(groups):
        return False  # never written: nobody reads it, and it tells nothing of the order
    return any(group != row // declared[1] for row, group in enumerate(groups))


def _groups(content: bytes) -> Sequence[int]:
    return array("i", content[: len(content) // 4 * 4])
