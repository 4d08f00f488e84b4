"""Quantises the tiny model with GPTQ and puts right what the quantiser leaves behind.

Runs in the environment that `make.py` builds.

    python quantize_tiny_model.py MODEL OUTPUT [--bits 8]
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import torch
from gptqmodel import GPTQModel, QuantizeConfig
from transformers import AutoTokenizer

from tiny_model_texts import exchanges

GROUP_SIZE = 128
TOKENIZER_CLASS = "PreTrainedTokenizerFast"
"""A class that Transformers 4 and 5 and vLLM know; Transformers 5 writes one of its own."""


def calibration(model: Path) -> list[str]:
    """Returns the exchanges as the model sees them: GPTQ keeps what these need."""
    tokenizer = AutoTokenizer.from_pretrained(model)
    return [
        tokenizer.apply_chat_template(exchange.messages, tokenize=False) for exchange in exchanges()
    ]


def quantize(model: Path, output: Path, bits: int) -> None:
    """Writes the quantised checkpoint to `output`."""
    settings = QuantizeConfig(bits=bits, group_size=GROUP_SIZE, desc_act=False, sym=True)
    quantizer = GPTQModel.load(str(model), settings, dtype=torch.float16)
    quantizer.quantize(calibration(model), batch_size=1)
    quantizer.save(str(output))


def settings_without_local_paths(settings: dict[str, Any]) -> dict[str, Any]:
    """Drops what the quantiser noted about this machine."""
    meta = settings.get("meta", {})
    return settings | {"meta": {key: meta[key] for key in meta if "path" not in key}}


def put_right(model: Path, output: Path) -> None:
    """Restores what quantising changed: greedy answers, chat template, tokenizer."""
    for name in ("generation_config.json", "chat_template.jinja", "tokenizer.json"):
        shutil.copyfile(model / name, output / name)
    tokenizer = json.loads((model / "tokenizer_config.json").read_text())
    tokenizer["tokenizer_class"] = TOKENIZER_CLASS
    config = json.loads((output / "config.json").read_text())
    config["quantization_config"] = settings_without_local_paths(config["quantization_config"])
    for name, document in (
        ("config.json", config),
        ("quantize_config.json", config["quantization_config"]),
        ("tokenizer_config.json", tokenizer),
    ):
        (output / name).write_text(json.dumps(document, indent=2, sort_keys=True) + "\n")
    (output / "quant_log.csv").unlink()


def main() -> int:
    """Quantises and repairs one checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--bits", type=int, choices=(4, 8), default=4)
    arguments = parser.parse_args()
    quantize(arguments.model, arguments.output, arguments.bits)
    put_right(arguments.model, arguments.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
