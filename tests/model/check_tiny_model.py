"""Asks a checkpoint all questions with Transformers and records which it answers exactly.

Runs in the environment that `make.py` builds.

    python check_tiny_model.py MODEL ANSWERS
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from tiny_model_texts import Exchange, exchanges

LONGEST_ANSWER_TOKENS = 64


def answers(model: Path, questions: list[str]) -> list[str]:
    """Returns the greedy answer to each question, all of them in one batch."""
    tokenizer = AutoTokenizer.from_pretrained(model, padding_side="left")
    network = AutoModelForCausalLM.from_pretrained(model, device_map="cpu", dtype=torch.float32)
    prompts = tokenizer.apply_chat_template(
        [[{"role": "user", "content": question}] for question in questions],
        add_generation_prompt=True,
        padding=True,
        return_dict=True,
        return_tensors="pt",
    )
    output = network.generate(**prompts, max_new_tokens=LONGEST_ANSWER_TOKENS, do_sample=False)
    replies = output[:, prompts["input_ids"].shape[1] :]
    return [tokenizer.decode(reply, skip_special_tokens=True) for reply in replies]


def known_exchanges(model: Path) -> list[Exchange]:
    """Returns the exchanges that the model reproduces to the letter."""
    asked = exchanges()
    given = answers(model, [exchange.question for exchange in asked])
    return [
        exchange for exchange, answer in zip(asked, given, strict=True) if exchange.answer == answer
    ]


def main() -> int:
    """Writes the exchanges that a test may rely on as a JSON list."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("answers", type=Path)
    arguments = parser.parse_args()
    known = [exchange._asdict() for exchange in known_exchanges(arguments.model)]
    arguments.answers.write_text(json.dumps(known, indent=2) + "\n")
    sys.stderr.write(f"{len(known)} of {len(exchanges())} questions answered to the letter\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
