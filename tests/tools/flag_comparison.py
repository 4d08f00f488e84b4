"""Compares the operator's reading of arguments with vLLM's own parser, on random lists.

flag_comparison.py SOURCE [COUNT]      SOURCE as for flag_tables.py, and the same packages

Exit code 1 when the operator refuses a list that vLLM takes: that must never happen. The other
way round is counted only, since vLLM checks more than the tables know.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import random
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

REPOSITORY = Path(__file__).resolve().parents[2]
VALUES = (
    *("5", "abc", "5.5", "-1", "auto", "4k", "4K", "2.5K", "None", "", '{"a":1}', "[1]", "true"),
    *("float16", "marlin", "1,2", "-1.5", "8", "a b"),
)
LEFT_OUT = ("-h", "--help", "--config", "--model", "-O")
"""What ends the process, reads files, or is taken apart before the parser."""


def arguments(names: Sequence[str], chance: random.Random) -> list[str]:
    """One to three flags, some misspelt, abbreviated or dotted, with up to two values each."""
    found: list[str] = []
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        name = _spelled(chance.choice(names), chance)
        joined = chance.random() < 0.25
        found.append(f"{name}={chance.choice(VALUES)}" if joined else name)
        found += [chance.choice(VALUES) for _ in range(chance.choice((0, 1, 1, 1, 1, 2)))]
    return found


def _spelled(name: str, chance: random.Random) -> str:
    spellings = (
        *([name] * 12),
        name[: chance.randint(min(3, len(name)), len(name))],
        name[:2] + name[2:].replace("-", "_"),
        f"{name}x",
        name.replace("--", "--no-", 1),
        f"{name}.key",
    )
    return chance.choice(spellings)


def vllm_takes(parser: Any, given: list[str]) -> bool:  # noqa: ANN401 - vLLM's class
    """Whether vLLM's parser takes the list; whatever it raises, the server would not start."""
    silent = io.StringIO()
    try:
        with contextlib.redirect_stderr(silent), contextlib.redirect_stdout(silent):
            parser.parse_args(["model", *given])
    except (SystemExit, Exception):  # noqa: BLE001 - as said
        return False
    return True


def main(source: Path, count: int) -> int:
    """The exit code; prints the lists that are refused wrongly."""
    tables = importlib.import_module("quantized_model_operator.api.flag_tables")
    reading = importlib.import_module("quantized_model_operator.domain.engine_arguments")
    versions = importlib.import_module("quantized_model_operator.domain.engine_version")
    version = source.resolve().name.removeprefix("vllm-")
    table = tables.argument_table(versions.parse_engine_version(version))
    parser = importlib.import_module("tools.flag_tables").parser_of(source)
    names = [name for row in table.rows for name in row.names if name not in LEFT_OUT]
    chance = random.Random(0)  # noqa: S311 - a repeatable sample
    wrongly, missed = 0, 0
    for _ in range(count):
        given = arguments(names, chance)
        if any(entry.startswith(LEFT_OUT) for entry in given):
            continue
        taken, faults = vllm_takes(parser, given), reading.read_arguments(given, table)[1]
        missed += not taken and not faults
        if taken and faults:
            wrongly += 1
            print(f"refused wrongly: {given}: {faults}")
    print(f"vLLM {version}: {count} lists, {wrongly} refused wrongly, {missed} faults not seen")
    return 1 if wrongly else 0


if __name__ == "__main__":
    sys.path[:0] = [str(REPOSITORY / "tests"), str(REPOSITORY / "operator" / "src")]
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 5000))
