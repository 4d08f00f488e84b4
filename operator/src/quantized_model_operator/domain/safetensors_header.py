"""Pure: the header of a safetensors file, read from its first bytes and judged by its size.

A file is 8 bytes (little-endian length H of the header), H bytes of JSON, then the data of the
tensors without gaps. Source: safetensors 0.8, format description, checked 2026-11-24.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from quantized_model_operator.domain.readable_text import readable_bytes, readable_name

PREFIX_BYTES = 8
MAX_HEADER_BYTES = 100_000_000
"""Source: safetensors 0.8, ``MAX_HEADER_SIZE``, checked 2026-11-24."""

DTYPE_BITS: Mapping[str, int] = {
    "BOOL": 8,
    "F4": 4,
    "F6_E2M3": 6,
    "F6_E3M2": 6,
    "U8": 8,
    "I8": 8,
    "F8_E5M2": 8,
    "F8_E4M3": 8,
    "F8_E8M0": 8,
    "I16": 16,
    "U16": 16,
    "F16": 16,
    "BF16": 16,
    "I32": 32,
    "U32": 32,
    "F32": 32,
    "C64": 64,
    "F64": 64,
    "I64": 64,
    "U64": 64,
}
"""Bits of one element. Source: safetensors 0.8, ``Dtype``, checked 2026-11-24."""


class DamagedShardError(ValueError):
    """The bytes are no sound safetensors file; the text says what is wrong, without the name."""

    reason = "ShardDamaged"


class TruncatedShardError(DamagedShardError):
    """The file is shorter or longer than its header says."""

    reason = "ShardTruncated"


@dataclass(frozen=True, slots=True)
class TensorEntry:
    """One tensor of a file; offsets are bytes from the end of the header."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int

    @property
    def elements(self) -> int:
        """Product of the shape; 1 for a scalar."""
        return prod(self.shape)


@dataclass(frozen=True, slots=True)
class SafetensorsHeader:
    """A header that passed all checks."""

    tensors: Mapping[str, TensorEntry]
    header_bytes: int
    """H: length of the JSON, without the prefix."""

    @property
    def data_offset(self) -> int:
        """Where the data of the tensors begins in the file."""
        return PREFIX_BYTES + self.header_bytes


def header_bytes(prefix: bytes, file_bytes: int) -> int:
    """The length H that the first 8 bytes state, when it can be true for a file of this size."""
    if file_bytes < PREFIX_BYTES or len(prefix) < PREFIX_BYTES:
        raise TruncatedShardError(f"it has only {file_bytes} bytes")
    length = int.from_bytes(prefix[:PREFIX_BYTES], "little")
    if not len("{}") <= length <= MAX_HEADER_BYTES:
        raise DamagedShardError(f"it begins with an impossible header length of {length:,} bytes")
    if length > file_bytes - PREFIX_BYTES:
        raise TruncatedShardError(
            f"its header has {length:,} bytes, but the whole file only {file_bytes:,}"
        )
    return length


def parse_header(first_bytes: bytes, file_bytes: int) -> SafetensorsHeader:
    """The header in the first bytes of a file; ``DamagedShardError`` when it is not sound.

    ``first_bytes`` holds at least the prefix and the header.
    """
    length = header_bytes(first_bytes, file_bytes)
    try:
        document = json.loads(first_bytes[PREFIX_BYTES : PREFIX_BYTES + length])
    except (ValueError, RecursionError) as error:
        raise DamagedShardError("its header is no JSON") from error
    if not isinstance(document, dict):
        raise DamagedShardError("its header is no JSON object")
    document.pop("__metadata__", None)
    tensors = {name: _tensor_entry(name, value) for name, value in document.items()}
    _check_layout(tensors)
    _check_size(tensors, PREFIX_BYTES + length, file_bytes)
    return SafetensorsHeader(tensors, length)


def _tensor_entry(name: str, value: Any) -> TensorEntry:  # noqa: ANN401 - any JSON value
    try:
        dtype, shape, (begin, end) = value["dtype"], value["shape"], value["data_offsets"]
    except (TypeError, KeyError, ValueError) as error:
        raise DamagedShardError(f"its header does not describe {readable_name(name)}") from error
    if not isinstance(dtype, str) or not isinstance(shape, list):
        raise DamagedShardError(f"its header does not describe {readable_name(name)}")
    numbers = (*shape, begin, end)
    if set(map(type, numbers)) != {int} or min(numbers) < 0:
        raise DamagedShardError(f"shape or offsets of {readable_name(name)} are no numbers")
    if dtype not in DTYPE_BITS:
        raise DamagedShardError(
            f"{readable_name(name)} has the unknown type {readable_name(dtype, 20)}"
        )
    return TensorEntry(dtype, tuple(shape), begin, end)


def _check_layout(tensors: Mapping[str, TensorEntry]) -> None:
    position = 0
    for name, tensor in sorted(tensors.items(), key=lambda item: (item[1].begin, item[1].end)):
        if tensor.begin != position:
            raise DamagedShardError(f"the data before {readable_name(name)} has a gap or overlaps")
        if (tensor.end - tensor.begin) * 8 != tensor.elements * DTYPE_BITS[tensor.dtype]:
            raise DamagedShardError(
                f"{readable_name(name)} has {tensor.end - tensor.begin:,} bytes of data, which "
                f"its shape and type do not make"
            )
        position = tensor.end


def _check_size(tensors: Mapping[str, TensorEntry], data_offset: int, file_bytes: int) -> None:
    expected = data_offset + max((tensor.end for tensor in tensors.values()), default=0)
    if file_bytes == expected:
        return
    word = "only" if file_bytes < expected else "even"
    raise TruncatedShardError(
        f"its header describes {readable_bytes(expected)}, but the file has {word} "
        f"{readable_bytes(file_bytes)} ({file_bytes - expected:+,} bytes)"
    )
