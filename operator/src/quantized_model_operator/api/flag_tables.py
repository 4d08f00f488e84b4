"""Pure: the tables of arguments of ``vllm serve`` that come with the operator, by minor version.

They are data of the package, written by ``tests/tools/flag_tables.py`` from vLLM's own parser.
"""

import json
from functools import lru_cache
from importlib.resources import files
from typing import Any

from quantized_model_operator.domain.engine_arguments import ArgumentRow, ArgumentTable
from quantized_model_operator.domain.engine_version import EngineVersion, parse_engine_version

_FOLDER = "engine_flag_tables"
_SUFFIX = ".json"


@lru_cache(maxsize=1)
def tabled_versions() -> tuple[EngineVersion, ...]:
    """The minor versions that have a table, in rising order."""
    folder = files("quantized_model_operator.api") / _FOLDER
    names = [item.name.removesuffix(_SUFFIX) for item in folder.iterdir()]
    return tuple(sorted(parse_engine_version(name) for name in names))


@lru_cache(maxsize=32)
def argument_table(version: EngineVersion) -> ArgumentTable | None:
    """The table for the minor version; ``None`` when there is none, so nothing can be checked."""
    if version.release not in tabled_versions():
        return None
    name = f"{version.major}.{version.minor}{_SUFFIX}"
    text = (files("quantized_model_operator.api") / _FOLDER / name).read_text(encoding="utf-8")
    document = json.loads(text)
    return ArgumentTable(
        version=parse_engine_version(document["version"]),
        load_formats=tuple(document["load_formats"]),
        rows=tuple(_row(item) for item in document["arguments"]),
    )


def argument_tables() -> tuple[ArgumentTable, ...]:
    """All tables, in rising order."""
    found = (argument_table(version) for version in tabled_versions())
    return tuple(table for table in found if table is not None)


def _row(item: dict[str, Any]) -> ArgumentRow:
    """What is left out is as usual: one value of any text."""
    choices = item.get("choices")
    return ArgumentRow(
        names=tuple(item["names"]),
        dest=item["dest"],
        nargs=item.get("nargs"),
        kind=item.get("kind", ""),
        choices=None if choices is None else tuple(choices),
        off=tuple(item.get("off", ())),
    )
