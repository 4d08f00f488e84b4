"""Writes the page of engine rules from the tables of the operator."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from quantized_model_operator.api.flag_tables import argument_table
from quantized_model_operator.domain.engine_rule_table import (
    DENSE_DECISION,
    ENGINE_RULES,
    TABLED_VERSIONS,
)
from quantized_model_operator.domain.engine_version import (
    NEWEST_KNOWN_VERSION,
    OLDEST_KNOWN_VERSION,
    EngineVersion,
    row_for,
)
from quantized_model_operator.domain.kernels import KERNELS, KERNELS_TO_DISABLE, KernelRow
from quantized_model_operator.domain.quantization import GPTQ_ROWS, dotted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from quantized_model_operator.domain.engine_rules import EngineRule

_INTRODUCTION = f"""\
<!-- Generated; to change it: make generate -->

# Engine rules

What must hold before vLLM serves a GPTQ checkpoint, by version of vLLM. The operator and `qm plan`
check these rules before any GPU is taken: a refusal names the rule, the field at fault and the
nearest value that works. This page is written from the tables that the code itself uses.

A version that is newer than {NEWEST_KNOWN_VERSION} is judged by the rules without an end, and its
plan carries a warning; it is not refused for being new.
"""

_MEANS = {
    "Refused": "refused before a GPU is taken",
    "Rendered": "the pod is written so that it holds",
    "Explained": "told from the log of the pod",
}


def document() -> str:
    """The page, as Markdown."""
    parts = [
        _INTRODUCTION,
        "## What each version serves\n",
        _table(("vLLM", *_VERSION_COLUMNS), map(_version_row, TABLED_VERSIONS)),
        _KERNELS,
        "".join(f"{step}\n" for step in _steps()),
        _table(_KERNEL_COLUMNS, map(_kernel_row, KERNELS)),
        _AFTER_KERNELS,
        "## The rules\n",
        _table(("Rule", "Versions", "How"), map(_overview_row, ENGINE_RULES)),
        *(_area(name, list(rules)) for name, rules in groupby(ENGINE_RULES, lambda r: r.area)),
    ]
    return "\n".join(parts)


_VERSION_COLUMNS = (
    "bits",
    "symmetric only",
    "group sizes",
    "act-order with groups",
    "compute capability from",
    "arguments",
)


def _version_row(version: EngineVersion) -> Iterable[str]:
    row = row_for(GPTQ_ROWS, version)
    table = argument_table(version)
    act_order = next(rule for rule in ENGINE_RULES if rule.id == "act-order-has-no-groups")
    yield _minor(version)
    yield ", ".join(map(str, row.bits))
    yield "yes"
    yield ", ".join(map(str, row.group_sizes))
    yield "refused" if act_order.applies(version) else "served"
    yield dotted(row.minimum_compute_capability)
    yield f"{len(table.rows)}, of {table.version}" if table else "not checked"


_DISABLED = ", ".join(name.removesuffix("LinearKernel") for name in KERNELS_TO_DISABLE)
_KERNELS = f"""\
## Which kernel computes

For a dense linear on a GPU the rules below are asked in this order. Then the first kernel of the
table that takes it is used, as in vLLM; {_DISABLED} are disabled, since Exllama
answers garbage for some checkpoints in float16.
"""


def _steps() -> Iterator[str]:
    for number, rule in enumerate(DENSE_DECISION, start=1):
        yield f"{number}. [{rule.id}](#{rule.id}): {rule.holds}"


_KERNEL_COLUMNS = (
    "Kernel",
    "Versions",
    "Compute capability",
    "Bits",
    "Group sizes",
    "K is a multiple of",
    "N is a multiple of",
    "Act-order",
)


def _kernel_row(row: KernelRow) -> Iterable[str]:
    most = row.maximum_compute_capability
    least = dotted(row.minimum_compute_capability)
    yield row.name
    yield _versions(row.since, row.until)
    yield _range(least, None if most is None else dotted(most))
    yield ", ".join(map(str, row.bits))
    yield ", ".join(map(str, row.group_sizes)) if row.group_sizes else "any"
    yield str(row.in_multiple)
    yield str(row.out_multiple)
    yield ("yes" if row.act_order_parts else "unless K is split") if row.act_order else "no"


def _range(least: str, most: str | None) -> str:
    if most is None:
        return f"{least} and up"
    return least if most == least else f"{least} to {most}"


_AFTER_KERNELS = """\
`K` is the number of in-features of a linear on one GPU, `N` that of its out-features. Humming stays
enabled only where a model mainly runs on it. Experts run on kernels of their own: Marlin where the
hidden size is a multiple of 128 and a GPU's part of an expert consists of whole groups, else Triton
with halved groups; on compute capability 9.0 Humming instead of either, from vLLM 0.32 on.
"""


def _overview_row(rule: EngineRule) -> Iterable[str]:
    yield f"[{rule.id}](#{rule.id})"
    yield _versions(rule.since, rule.until)
    yield _MEANS[rule.means]


def _area(name: str, rules: Sequence[EngineRule]) -> str:
    return "\n".join([f"## {name}\n", *map(_rule, rules)])


def _rule(rule: EngineRule) -> str:
    rows = [
        ("Versions", _versions(rule.since, rule.until)),
        ("How", _MEANS[rule.means]),
        *([("Reason, field", f"`{rule.reason}`, `{rule.field}`")] if rule.reason else []),
        ("What vLLM says", _quoted(rule.vllm_says)),
        ("What to do", rule.remedy),
        ("Source", rule.source),
    ]
    return f"### {rule.id}\n\n{rule.holds}\n\n{_table(('', ''), rows)}"


def _quoted(text: str) -> str:
    """Several texts are told apart by bars, which tables need for themselves."""
    if not text:
        return "nothing"
    return "<br>".join(f"`{part.strip()}`" for part in text.split(" | "))


def _versions(since: EngineVersion, until: EngineVersion | None) -> str:
    if since == OLDEST_KNOWN_VERSION:
        return "all" if until is None else f"up to {_minor(until)}"
    return f"from {_minor(since)}" if until is None else f"{_minor(since)} to {_minor(until)}"


def _minor(version: EngineVersion) -> str:
    return f"{version.major}.{version.minor}"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    return "".join(_lines(tuple(head), rows))


def _lines(head: Sequence[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |\n"
    yield f"|{' --- |' * len(head)}\n"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |\n"
