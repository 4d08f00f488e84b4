"""The table of the chart's values in Markdown, from the comments of values.yaml. Text, no files."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from tools.helm_program import CHART

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMENT = "# -- "
INDENT = 2


class Value(NamedTuple):
    """A value with its comment."""

    path: str
    default: Any
    meaning: str


def document() -> str:
    """The whole page."""
    rows = [f"| `{row.path}` | {_cell(row)} |" for row in documented_values()]
    return "\n".join(
        [
            "<!-- Generated; to change it: make generate -->",
            "",
            "# Values of the chart",
            "",
            "Wrong values are refused by `values.schema.json` before anything is applied.",
            "",
            "| Value | Meaning and default |",
            "| --- | --- |",
            *rows,
            "",
        ]
    )


def documented_values() -> Iterator[Value]:
    """Every value that has a comment, in the order of the file."""
    text = (CHART / "values.yaml").read_text(encoding="utf-8")
    defaults = yaml.safe_load(text)
    parents: list[str] = []
    comment: list[str] = []
    for line in text.splitlines():
        words = line.strip()
        if words.startswith("#"):
            comment.append(words.removeprefix(COMMENT).removeprefix("# "))
        elif key := re.match(r"( *)([A-Za-z]+):", line):
            parents[len(key[1]) // INDENT :] = [key[2]]
            if comment:
                yield Value(".".join(parents), _lookup(defaults, parents), " ".join(comment))
            comment = []


def _lookup(values: dict[str, Any], path: list[str]) -> Any:  # noqa: ANN401 - any YAML
    found: Any = values
    for name in path:
        found = found[name]
    return found


def _cell(row: Value) -> str:
    empty = row.default in ("", [], {})
    # Long defaults are read better in the file itself.
    shown = json.dumps(row.default) if not isinstance(row.default, dict) else "see values.yaml"
    default = "" if empty else f" (`{shown}`)"
    return f"{row.meaning}{default}".replace("|", "\\|")
