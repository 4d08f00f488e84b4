"""Pure: which files of a repository or folder a checkpoint consists of.

vLLM reads safetensors files beside config.json; of several sets it takes the one that the index
names. Source: vLLM 0.33.0, ``filter_duplicate_safetensors_files``, checked 2026-11-24.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from quantized_model_operator.domain.weights_manifest import CHECKSUMS, MANIFEST

CONFIG = "config.json"
LEGACY_QUANTIZATION_CONFIG = "quantize_config.json"
INDEX = "model.safetensors.index.json"
TOKENIZER_CONFIG = "tokenizer_config.json"

GENERATION_CONFIG = "generation_config.json"

DOCUMENTS = (
    CONFIG,
    LEGACY_QUANTIZATION_CONFIG,
    INDEX,
    TOKENIZER_CONFIG,
    GENERATION_CONFIG,
)
"""Files that an inspection reads whole."""

TOKENIZER_SETS: tuple[frozenset[str], ...] = (
    frozenset({"tokenizer.json"}),
    frozenset({"tokenizer.model"}),
    frozenset({"vocab.json", "merges.txt"}),
    frozenset({"spiece.model"}),
    frozenset({"tekken.json"}),
)
"""Each set alone makes a tokenizer; ``*.tiktoken`` does too."""

CHAT_TEMPLATES = frozenset({"chat_template.jinja", "chat_template.json"})

NEVER_SERVED = frozenset({MANIFEST, CHECKSUMS})

_NUMBERED = re.compile(r"^(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.safetensors$")
_NOT_SERVED_SUFFIXES = (".bin", ".ckpt", ".gguf", ".h5", ".md", ".msgpack", ".onnx", ".ot", ".pt")
_NOT_SERVED_MORE = (".pth", ".safetensors", ".zip", ".png", ".jpg", ".jpeg", ".gif", ".pdf")
_IMAGES_AND_WEIGHTS = _NOT_SERVED_SUFFIXES + _NOT_SERVED_MORE
_LARGEST_SIDE_FILE_BYTES = 512 * 2**20
"""Tokenizer and configuration files are far smaller; our choice."""


class InvalidIndexError(ValueError):
    """The index of the weight files cannot be read; the text says what is wrong."""


def parse_index(content: bytes) -> dict[str, str]:
    """Tensor name to file name, as the index says; ``InvalidIndexError`` when it is none."""
    try:
        document = json.loads(content)
        weight_map = document["weight_map"]
    except (ValueError, RecursionError, TypeError, KeyError) as error:
        raise InvalidIndexError("it is no JSON object with a weight_map") from error
    if not isinstance(weight_map, dict) or not weight_map:
        raise InvalidIndexError("its weight_map is empty")
    files = weight_map.values()
    if not all(type(file) is str for file in files) or not all(map(is_plain_path, set(files))):
        raise InvalidIndexError("its weight_map names something that is no file beside it")
    return weight_map


def index_total_bytes(content: bytes) -> int | None:
    """``metadata.total_size`` of a valid index; ``None`` when it is not stated."""
    metadata: Any = json.loads(content).get("metadata")
    total = metadata.get("total_size") if isinstance(metadata, dict) else None
    return total if type(total) is int else None


def weight_files(names: Iterable[str], weight_map: Mapping[str, str] | None) -> tuple[str, ...]:
    """The safetensors files that vLLM would load, sorted; some of them may not exist.

    With an index these are the files it names. Without one they are all safetensors files of
    the top folder, the missing ones of a numbered set included.
    """
    if weight_map is not None:
        return tuple(sorted(set(weight_map.values())))
    found = {
        name
        for name in names
        if name.endswith(".safetensors")
        and "/" not in name
        and not name.startswith(("consolidated", "."))
    }
    return tuple(sorted(found | _missing_of_numbered_sets(found)))


def serving_files(
    sizes: Mapping[str, int], weight_map: Mapping[str, str] | None
) -> tuple[str, ...]:
    """The files that serving needs, sorted: weights, configuration, tokenizer, code.

    Copies of the weights in other formats, documents, pictures and hidden files are left out.
    """
    side_files = {
        name
        for name, size in sizes.items()
        if not name.lower().endswith(_IMAGES_AND_WEIGHTS)
        and not any(part.startswith(".") for part in name.split("/"))
        and size <= _LARGEST_SIDE_FILE_BYTES
        and is_plain_path(name)
        and name not in NEVER_SERVED
        and (name.count("/") == 0 or name.endswith((".jinja", ".py")))
    }
    weights = {name for name in weight_files(sizes, weight_map) if name in sizes}
    return tuple(sorted(side_files | weights))


def has_tokenizer(names: Iterable[str]) -> bool:
    """Whether the files make a tokenizer."""
    present = set(names)
    return any(wanted <= present for wanted in TOKENIZER_SETS) or any(
        name.endswith(".tiktoken") for name in present
    )


def has_chat_template(names: Iterable[str], tokenizer_config: bytes | None) -> bool:
    """Whether a chat template exists, as a file or inside ``tokenizer_config.json``."""
    present = set(names)
    if present & CHAT_TEMPLATES:
        return True
    if any(name.startswith("additional_chat_templates/") for name in present):
        return True
    try:
        document = json.loads(tokenizer_config or b"{}")
    except (ValueError, RecursionError):
        return False
    return isinstance(document, dict) and bool(document.get("chat_template"))


def _missing_of_numbered_sets(found: set[str]) -> set[str]:
    expected: set[str] = set()
    for name in found:
        match = _NUMBERED.match(name)
        if match:
            stem, count = match["stem"], match["count"]
            numbers = range(1, min(int(count), 10_000) + 1)
            expected |= {f"{stem}-{number:05d}-of-{count}.safetensors" for number in numbers}
    return expected - found


def is_plain_path(name: object) -> bool:
    """Whether the name stays inside the folder that it is joined to."""
    return (
        isinstance(name, str)
        and name not in ("", ".", "..")
        and not name.startswith("/")
        and "\\" not in name
        and "\0" not in name
        and not any(part in ("", ".", "..") for part in name.split("/"))
    )
