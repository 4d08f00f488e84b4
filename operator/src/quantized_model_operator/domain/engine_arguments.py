"""Pure: what the parser of ``vllm serve`` takes, and what it would say to arguments of a user.

The table is that of one minor version of vLLM. It is given to the standard library's parser, which
is vLLM's own underneath, so abbreviations, missing values and choices are judged as vLLM does.
"""

import re
from argparse import Action, ArgumentError, ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple, NoReturn

from quantized_model_operator.domain.argument_values import converter
from quantized_model_operator.domain.engine_version import EngineVersion

_NUMBER = re.compile(r"-\d+|-\d*\.\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class ArgumentRow:
    """One argument of ``vllm serve``."""

    names: tuple[str, ...]
    """All spellings that are accepted, those that help does not show too."""
    dest: str
    nargs: int | str | None
    """As in argparse; 0 for a switch, ``None`` for one value."""
    kind: str
    """``int``, ``float``, ``size``, ``json``, ``object`` or ``text``, with ``?`` if the value may
    be ``None``; empty if any text is taken."""
    choices: tuple[str, ...] | None
    off: tuple[str, ...]
    """The spellings of a switch that switch it off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArgumentTable:
    """Every argument of one minor version."""

    version: EngineVersion
    """The version that was read; its whole minor version is taken to be alike."""
    load_formats: tuple[str, ...]
    """Values of ``--load-format`` that need no plugin; the parser itself takes any text."""
    rows: tuple[ArgumentRow, ...]

    def row_of(self, name: str) -> ArgumentRow | None:
        """The argument of that spelling, not abbreviated."""
        return next((row for row in self.rows if name in row.names), None)

    def __hash__(self) -> int:
        """By version: there is one table for each."""
        return hash(self.version)


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedArgument:
    """An argument that a user's list sets."""

    index: int
    """Of the entry that names it."""
    count: int
    """Entries that belong together: the flag and its values."""
    row: ArgumentRow
    name: str
    """The spelling that was matched."""
    value: object
    """After conversion; ``True`` or ``False`` for a switch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArgumentFault:
    """Why the parser refuses an entry."""

    index: int
    count: int
    """Entries that belong together: the flag and its values."""
    flag: str
    """As it was written; empty for a value that belongs to no flag."""
    message: str
    """What the parser says; empty when it does not know the flag."""


class _Entry(NamedTuple):
    """A text for argparse, and the entries of the user's list that it stands for."""

    at: int
    entries: int
    text: str


class _RefusedError(Exception):
    """What vLLM would print before it ends with exit code 2."""


class _Parser(ArgumentParser):
    """Raises where argparse would end the process."""

    def error(self, message: str) -> NoReturn:
        raise _RefusedError(message)


class _Collect(Action):
    """Keeps what was matched, in order."""

    row: ArgumentRow

    def __call__(
        self,
        parser: ArgumentParser,  # noqa: ARG002 - the signature is argparse's
        namespace: Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        name = option_string or self.row.names[0]
        value = name not in self.row.off if self.row.nargs == 0 else values
        namespace.used.append((self.row, name, value))


def read_arguments(
    arguments: Sequence[str], table: ArgumentTable
) -> tuple[tuple[UsedArgument, ...], tuple[ArgumentFault, ...]]:
    """What the list sets, and every entry that vLLM would refuse.

    Source: vLLM 0.20.2 to 0.33.0 utils/argparse_utils.py, 2026-11: ``_`` counts as ``-`` in long
    flags, and ``--flag.key value`` is one entry of a JSON flag.
    """
    return _read(tuple(arguments), table)


@lru_cache(maxsize=1024)
def _read(
    arguments: tuple[str, ...], table: ArgumentTable
) -> tuple[tuple[UsedArgument, ...], tuple[ArgumentFault, ...]]:
    """As above; a model's list is asked for again with every reconcile."""
    parser = _parser(table)
    used: list[UsedArgument] = []
    faults: list[ArgumentFault] = []
    for group in _groups(_normal(arguments)):
        found, fault = _read_group(parser, group)
        used += found
        faults += [fault] if fault else []
    return tuple(used), tuple(faults)


def _normal(arguments: Sequence[str]) -> list[_Entry]:
    """The entries as vLLM hands them to argparse, dotted ones as JSON at the end."""
    entries: list[_Entry] = []
    dotted: dict[str, list[_Entry]] = {}
    index = 0
    while index < len(arguments):
        text = arguments[index]
        name, equals, value = text.partition("=")
        if name.startswith("--"):
            head, dot, key = name.partition(".")
            name = head.replace("_", "-") + dot + key
        if not name.startswith("-") or "." not in name:
            entries.append(_Entry(index, 1, name + equals + value))
            index += 1
            continue
        count = 1 if equals else 2
        head = name.partition(".")[0]
        dotted.setdefault(head, [_Entry(index, count, head), _Entry(index, 0, "{}")])
        index += count
    return entries + [entry for pair in dotted.values() for entry in pair]


def _groups(entries: Sequence[_Entry]) -> Iterator[list[_Entry]]:
    """Each flag with the values that follow it."""
    group: list[_Entry] = []
    for entry in entries:
        if group and _is_flag(entry.text):
            yield group
            group = []
        group.append(entry)
    if group:
        yield group


def _is_flag(text: str) -> bool:
    """Whether argparse takes the text for a flag; a negative number is a value."""
    if not text.startswith("-") or text == "-" or _NUMBER.fullmatch(text):
        return False
    return " " not in text.split("=", 1)[0]


def _read_group(
    parser: ArgumentParser, group: Sequence[_Entry]
) -> tuple[list[UsedArgument], ArgumentFault | None]:
    first = group[0]
    if not _is_flag(first.text):
        return [], _fault(group, "")
    if first.text.startswith("-O"):
        return [], None  # a level or its old forms, which vLLM takes apart by itself
    namespace = Namespace(used=[])
    try:
        _, extras = parser.parse_known_args(["model", *(entry.text for entry in group)], namespace)
    except (ArgumentError, _RefusedError) as error:
        message = error.message if isinstance(error, ArgumentError) else str(error)
        return [], _fault(group, first.text, message)
    values = group[len(group) - len(extras) :] if namespace.used else []
    count = sum(entry.entries for entry in group) - len(values)
    used = [
        UsedArgument(index=first.at, count=count, row=row, name=name, value=value)
        for row, name, value in namespace.used
    ]
    if not extras:
        return used, None
    # With a known flag more values follow than it takes.
    return used, _fault(values, "") if values else _fault(group, first.text)


def _fault(group: Sequence[_Entry], flag: str, message: str = "") -> ArgumentFault:
    return ArgumentFault(
        index=group[0].at,
        count=sum(entry.entries for entry in group),
        flag=flag.split("=", 1)[0],
        message=message,
    )


@lru_cache(maxsize=8)
def _parser(table: ArgumentTable) -> ArgumentParser:
    parser = _Parser(prog="vllm serve", add_help=False, exit_on_error=False)
    parser.add_argument("model_tag", nargs="?")
    for row in table.rows:
        options: dict[str, Any] = {"dest": row.dest, "nargs": row.nargs}
        convert = converter(row.kind)
        if convert is not None:
            options["type"] = convert
        if row.choices is not None:
            options["choices"] = [convert(item) if convert else item for item in row.choices]
        action = parser.add_argument(*row.names, action=_Collect, **options)
        vars(action)["row"] = row
    return parser
