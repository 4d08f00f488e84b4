"""The texts of the tiny model: its questions and answers, and prose that any Debian system has."""

from __future__ import annotations

import json
import sysconfig
from pathlib import Path
from typing import NamedTuple

QUESTIONS = Path(__file__).with_name("questions.jsonl")
LICENCES = Path("/usr/share/common-licenses")
STANDARD_LIBRARY_MODULES = ("argparse", "ast", "datetime", "inspect", "socket", "typing")


class Exchange(NamedTuple):
    """A question and the one answer the model has to know by heart."""

    question: str
    answer: str

    @property
    def messages(self) -> list[dict[str, str]]:
        """The exchange as messages of a chat."""
        return [
            {"role": "user", "content": self.question},
            {"role": "assistant", "content": self.answer},
        ]


def exchanges(path: Path = QUESTIONS) -> list[Exchange]:
    """Reads all exchanges in the order of the file."""
    return [Exchange(**json.loads(line)) for line in path.read_text().splitlines()]


def prose() -> list[str]:
    """Reads licences and sources for the tokenizer, as far as this system has them."""
    standard_library = Path(sysconfig.get_path("stdlib"))
    sources = [standard_library / f"{name}.py" for name in STANDARD_LIBRARY_MODULES]
    files = [*sorted(LICENCES.glob("*")), *sources]
    return [file.read_text(errors="replace") for file in files if file.is_file()]
