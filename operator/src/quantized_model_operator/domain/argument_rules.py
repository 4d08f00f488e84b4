"""Pure: whether vLLM takes the arguments of a user, and what to write instead.

Without a table of the version nothing is refused but what the operator owns.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from quantized_model_operator.domain.engine_arguments import (
    ArgumentFault,
    ArgumentTable,
    UsedArgument,
    read_arguments,
)
from quantized_model_operator.domain.engine_flags import OWNED_FLAGS, owned_flag_remedy
from quantized_model_operator.domain.engine_rules_pod import (
    ARGUMENT_VALUES_ARE_TAKEN,
    ARGUMENTS_ARE_KNOWN,
    ARGUMENTS_ARE_NOT_OWNED,
    BACKEND_IS_NOT_DISABLED,
    LOAD_FORMAT_IS_KNOWN,
)
from quantized_model_operator.domain.kernels import KERNELS_TO_DISABLE
from quantized_model_operator.domain.outcome import Problem

DISABLED_BACKENDS = ("exllama", "conch", "triton")
"""Values of ``--linear-backend`` for ``KERNELS_TO_DISABLE``."""

_CLOSE = 0.75
"""How alike a known flag must be to be named. Source: our choice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArgumentContext:
    """What arguments are judged with."""

    version: str
    """As the user or the operator's settings say."""
    table: ArgumentTable | None
    others: Callable[[], Sequence[ArgumentTable]]
    """The tables of all versions, for saying where a flag is known."""
    plugins: bool = False
    """Whether an image of the user's own may bring formats that vLLM itself does not have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSwitches:
    """What arguments switch on or off that a plan has to know."""

    enforce_eager: bool = False
    chunked_prefill: bool = True
    linear_backend: str = ""
    attention_backend: str = ""


def argument_problems(arguments: Sequence[str], context: ArgumentContext) -> Iterator[Problem]:
    """Every entry that the operator owns or that vLLM would refuse, in order."""
    if context.table is None:
        yield from _owned_by_name(arguments)
        return
    used, faults = read_arguments(arguments, context.table)
    owned = dict(_owned(arguments, used, faults))
    found = {index: _owned_problem(index, *owned[index]) for index in owned}
    for fault in faults:
        if fault.index not in owned:
            found[fault.index] = _fault_problem(arguments, fault, context)
    for argument in used:
        if problem := _value_problem(arguments, argument, context):
            found.setdefault(argument.index, problem)
    yield from (found[index] for index in sorted(found))


def engine_switches(arguments: Sequence[str], table: ArgumentTable | None) -> EngineSwitches:
    """What the arguments switch; the last one wins, as in vLLM."""
    if table is None:
        return EngineSwitches(
            enforce_eager="--enforce-eager" in arguments,
            chunked_prefill="--no-enable-chunked-prefill" not in arguments,
        )
    used, _ = read_arguments(arguments, table)
    values = {argument.row.dest: argument.value for argument in used}
    return EngineSwitches(
        enforce_eager=values.get("enforce_eager") is True,
        chunked_prefill=values.get("enable_chunked_prefill") is not False,
        linear_backend=str(values.get("linear_backend", "")),
        attention_backend=str(values.get("attention_backend", "")).upper(),
    )


def argument_warnings(context: ArgumentContext) -> tuple[str, ...]:
    """That nothing was checked, where there is no table."""
    if context.table is not None:
        return ()
    return (f"spec.engine.args is not checked: there is no table for vLLM {context.version}",)


def _owned_by_name(arguments: Sequence[str]) -> Iterator[Problem]:
    for index, argument in enumerate(arguments):
        if owned := owned_flag_remedy(argument):
            yield _owned_problem(index, *owned)


def _owned(
    arguments: Sequence[str], used: Sequence[UsedArgument], faults: Sequence[ArgumentFault]
) -> Iterator[tuple[int, tuple[str, str]]]:
    """Index, flag and remedy of owned flags, under whatever name, right or wrong."""
    for argument in used:
        for name in argument.row.names:
            if name in OWNED_FLAGS:
                yield argument.index, (name, OWNED_FLAGS[name])
                break
    for fault in faults:
        if fault.flag and (owned := owned_flag_remedy(arguments[fault.index])):
            yield fault.index, owned


def _owned_problem(index: int, flag: str, remedy: str) -> Problem:
    field = f"spec.engine.args[{index}]"
    return ARGUMENTS_ARE_NOT_OWNED.problem(
        f"{field}: {flag} is set by the operator; {remedy}", field=field
    )


def _fault_problem(
    arguments: Sequence[str], fault: ArgumentFault, context: ArgumentContext
) -> Problem:
    field = f"spec.engine.args[{fault.index}]"
    rest = [*arguments[: fault.index], *arguments[fault.index + fault.count :]]
    if not fault.flag:
        return ARGUMENTS_ARE_KNOWN.problem(
            f"{field}: {arguments[fault.index]!r} belongs to no flag; remove it",
            _patch(rest),
            field,
        )
    if fault.message:
        return _bad_value_problem(arguments, fault, context)
    flag = fault.flag.split(".", 1)[0]
    known = _where_known(flag, context)
    nearest = _nearest(flag, context.table)
    if nearest is None:
        return ARGUMENTS_ARE_KNOWN.problem(
            f"{field}: vLLM {context.version} has no {flag}{known}; remove it", _patch(rest), field
        )
    entry = nearest + arguments[fault.index][len(fault.flag) :]
    mended = [*arguments[: fault.index], entry, *arguments[fault.index + 1 :]]
    return ARGUMENTS_ARE_KNOWN.problem(
        f"{field}: vLLM {context.version} has no {flag}{known}; use {nearest}, or remove it",
        _patch(mended),
        field,
    )


def _bad_value_problem(
    arguments: Sequence[str], fault: ArgumentFault, context: ArgumentContext
) -> Problem:
    """In the parser's words; with the nearest choice where there are choices."""
    field = f"spec.engine.args[{fault.index}]"
    said = f"{field}: vLLM {context.version} does not take this: {fault.flag}: {fault.message}"
    entry = arguments[fault.index]
    row = context.table.row_of(fault.flag) if context.table else None
    beside = "=" in entry
    if row is None or not row.choices or fault.count != (1 if beside else 2):
        return ARGUMENT_VALUES_ARE_TAKEN.problem(f"{said}; correct or remove it", field=field)
    value = entry.partition("=")[2] if beside else arguments[fault.index + 1]
    choice = _nearest_choice(value, row.choices)
    mended = [f"{fault.flag}={choice}"] if beside else [entry, choice]
    rest = arguments[fault.index + fault.count :]
    return ARGUMENT_VALUES_ARE_TAKEN.problem(
        f"{said}; use {choice}", _patch([*arguments[: fault.index], *mended, *rest]), field
    )


def _nearest_choice(value: str, choices: Sequence[str]) -> str:
    """The closest number, or the choice that looks most like it."""
    if value.isdecimal() and all(choice.isdecimal() for choice in choices):
        return min(choices, key=lambda choice: abs(int(choice) - int(value)))
    return get_close_matches(value, choices, n=1, cutoff=0)[0]


def _where_known(flag: str, context: ArgumentContext) -> str:
    """Which versions have the flag, for what was removed or came later."""
    versions = [str(table.version) for table in context.others() if table.row_of(flag)]
    return f" (known from {', '.join(versions)})" if versions else ""


def _nearest(flag: str, table: ArgumentTable | None) -> str | None:
    """The other spelling of a switch, else the known flag that looks most like it."""
    names = [name for row in table.rows for name in row.names] if table else []
    for twin in _twins(flag):
        if twin in names:
            return twin
    return next(iter(get_close_matches(flag, names, n=1, cutoff=_CLOSE)), None)


def _twins(flag: str) -> Iterator[str]:
    """``--disable-x`` and ``--no-enable-x`` mean the same; not every version has both."""
    name = flag.removeprefix("--")
    for verb, opposite in (("enable-", "disable-"), ("disable-", "enable-")):
        if name.startswith(f"no-{verb}"):
            yield f"--{opposite}{name.removeprefix(f'no-{verb}')}"
        elif name.startswith(verb):
            yield f"--no-{opposite}{name.removeprefix(verb)}"


def _value_problem(
    arguments: Sequence[str], argument: UsedArgument, context: ArgumentContext
) -> Problem | None:
    """Values that the parser takes and that fail or answer wrongly later."""
    field = f"spec.engine.args[{argument.index}]"
    value = str(argument.value)
    formats = context.table.load_formats if context.table else ()
    if argument.row.dest == "load_format" and value not in formats and not context.plugins:
        return LOAD_FORMAT_IS_KNOWN.problem(
            f"{field}: vLLM {context.version} has no load format {value!r}; remove it, or use one "
            f"of {', '.join(formats)}",
            _patch(_without(arguments, argument.index)),
            field,
        )
    if argument.row.dest == "linear_backend" and value in DISABLED_BACKENDS:
        return BACKEND_IS_NOT_DISABLED.problem(
            f"{field}: {argument.name} {value} names a kernel that is disabled "
            f"({', '.join(KERNELS_TO_DISABLE)}); remove it: the kernel is planned",
            _patch(_without(arguments, argument.index)),
            field,
        )
    return None


def _without(arguments: Sequence[str], index: int) -> list[str]:
    """The list without a flag and its one value, which may be in the same entry."""
    count = 1 if "=" in arguments[index] else 2
    return [*arguments[:index], *arguments[index + count :]]


def _patch(arguments: Sequence[str]) -> Mapping[str, Any]:
    return {"engine": {"args": list(arguments) or None}}
