"""Damages copies of a good four-bit checkpoint, one fault at a time. Standard library only.

    python3 tests/model/faults.py CHECKPOINT TARGET FAULT

What vLLM does with each of them: some end its start, some are served without a word.
"""

from __future__ import annotations

import json
import shutil
import sys
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

WEIGHTS = "model.safetensors"
CONFIG = "config.json"
QUANTIZE_CONFIG = "quantize_config.json"
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja")
DROPPED_TENSOR = "model.layers.1.mlp.down_proj.qweight"
OVERWRITTEN_HEADER_BYTES = 4096
OVERWRITTEN_DATA_OFFSET = 1_000_000
OVERWRITTEN_DATA_BYTES = 200_000
NOISE = bytes(range(7, 256, 11))


class Fault(Enum):
    """What can be wrong with a checkpoint."""

    TRUNCATED_WEIGHTS = "truncated-weights"
    OVERWRITTEN_HEADER = "overwritten-header"
    OVERWRITTEN_DATA = "overwritten-data"
    EMPTY_WEIGHTS = "empty-weights"
    MISSING_TENSOR = "missing-tensor"
    NO_TOKENIZER = "no-tokenizer"
    NO_CONFIG = "no-config"
    NO_WEIGHTS = "no-weights"
    WRONG_BITS = "wrong-bits"
    WRONG_GROUP_SIZE = "wrong-group-size"
    THREE_BITS = "three-bits"
    ASYMMETRIC = "asymmetric"
    ACT_ORDER = "act-order"
    UNKNOWN_METHOD = "unknown-method"
    UNKNOWN_ARCHITECTURE = "unknown-architecture"

    @property
    def shows_in_headers(self) -> bool:
        """Config and safetensors headers tell, except for data: only digests prove that."""
        return self is not Fault.OVERWRITTEN_DATA


def rewrite(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Changes a JSON document in place."""
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document, indent=2) + "\n")


def overwrite(path: Path, offset: int, count: int) -> None:
    """Overwrites bytes of a file with noise; the size stays."""
    size = path.stat().st_size
    if offset + count > size:
        message = f"{path} has {size} bytes, too few to overwrite {count} at {offset}"
        raise ValueError(message)
    noise = (NOISE * (count // len(NOISE) + 1))[:count]
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(noise)


def drop_tensor(path: Path, name: str) -> None:
    """Takes a tensor out of a safetensors file, which stays a well-formed one."""
    content = path.read_bytes()
    data_start = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:data_start])
    begin, end = header.pop(name)["data_offsets"]
    for key, tensor in header.items():
        if key != "__metadata__" and tensor["data_offsets"][0] >= end:
            tensor["data_offsets"] = [offset - (end - begin) for offset in tensor["data_offsets"]]
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    data = content[data_start:]
    path.write_bytes(len(text).to_bytes(8, "little") + text + data[:begin] + data[end:])


def declare(checkpoint: Path, **values: object) -> None:
    """Changes keys of the quantisation in both files that tell of it."""
    rewrite(checkpoint / CONFIG, lambda config: config["quantization_config"].update(values))
    rewrite(checkpoint / QUANTIZE_CONFIG, lambda config: config.update(values))


def declare_other_bits(checkpoint: Path) -> None:
    """Declares 8 bits for data of 4 bits, and 4 for any other."""
    config = json.loads((checkpoint / CONFIG).read_text())
    declare(checkpoint, bits=8 if config["quantization_config"]["bits"] == 4 else 4)


def truncate(checkpoint: Path) -> None:
    """Keeps the first half of the weights."""
    weights = checkpoint / WEIGHTS
    with weights.open("r+b") as file:
        file.truncate(weights.stat().st_size // 2)


def remove_tokenizer(checkpoint: Path) -> None:
    """Removes all that turns text into tokens."""
    for name in TOKENIZER_FILES:
        (checkpoint / name).unlink()


DAMAGES: dict[Fault, Callable[[Path], object]] = {
    Fault.TRUNCATED_WEIGHTS: truncate,
    Fault.OVERWRITTEN_HEADER: lambda c: overwrite(c / WEIGHTS, 0, OVERWRITTEN_HEADER_BYTES),
    Fault.OVERWRITTEN_DATA: lambda c: overwrite(
        c / WEIGHTS,
        OVERWRITTEN_DATA_OFFSET,
        OVERWRITTEN_DATA_BYTES,
    ),
    Fault.EMPTY_WEIGHTS: lambda c: (c / WEIGHTS).write_bytes(b""),
    Fault.MISSING_TENSOR: lambda c: drop_tensor(c / WEIGHTS, DROPPED_TENSOR),
    Fault.NO_TOKENIZER: remove_tokenizer,
    Fault.NO_CONFIG: lambda c: (c / CONFIG).unlink(),
    Fault.NO_WEIGHTS: lambda c: (c / WEIGHTS).unlink(),
    Fault.WRONG_BITS: declare_other_bits,
    Fault.WRONG_GROUP_SIZE: lambda c: declare(c, group_size=64),
    Fault.THREE_BITS: lambda c: declare(c, bits=3),
    Fault.ASYMMETRIC: lambda c: declare(c, sym=False),
    Fault.ACT_ORDER: lambda c: declare(c, desc_act=True),
    Fault.UNKNOWN_METHOD: lambda c: declare(c, quant_method="foo"),
    Fault.UNKNOWN_ARCHITECTURE: lambda c: rewrite(
        c / CONFIG,
        lambda config: config.update(model_type="foo"),
    ),
}


def damage(checkpoint: Path, target: Path, fault: Fault) -> Path:
    """Copies a good checkpoint to a new folder, damages the copy and returns it."""
    shutil.copytree(checkpoint, target)
    DAMAGES[fault](target)
    return target


def main() -> int:
    """Makes one damaged copy."""
    checkpoint, target, fault = sys.argv[1:]
    damage(Path(checkpoint), Path(target), Fault(fault))
    return 0


if __name__ == "__main__":
    sys.exit(main())
