"""Pure: whether vLLM takes the arguments of a user, and what to write instead.

Without a table of the version nothing is refused but what the operator owns.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from quantized_model_operator.domain.argument_remedies import (
    Edit,
    moved,
    nearest_choice,
    nearest_flag,
    patch,
)
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

Finding = tuple[Problem, Edit | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArgumentContext:
    """What arguments are judged with."""

    version: str
    """As the user or the operator's settings say."""
    table: ArgumentTable | None
    others: Callable[[], Sequence[ArgumentTable]]
    """The tables of all versions, for saying where a flag is known."""
    on_cpu: bool = False
    plugins: bool = False
    """Whether an image of the user's own may bring formats that vLLM itself does not have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSwitches:
    """What arguments switch on or off that a plan has to know."""

    enforce_eager: bool = False
    chunked_prefill: bool = True
    expert_parallel: bool = False
    linear_backend: str = ""
    attention_backend: str = ""
    double_batches: bool = False


def argument_problems(arguments: Sequence[str], context: ArgumentContext) -> Iterator[Problem]:
    """Every entry that the operator owns or that vLLM would refuse, in order.

    Each suggestion has the list with all entries mended, not only its own.
    """
    if context.table is None:
        yield from _owned_by_name(arguments)
        return
    findings = _findings(arguments, context, context.table)
    edits = [edit for _, edit in findings if edit is not None]
    for problem, edit in findings:
        yield (
            problem if edit is None else replace(problem, suggestion=patch(arguments, edits, edit))
        )


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
        expert_parallel=values.get("enable_expert_parallel") is True,
        linear_backend=str(values.get("linear_backend", "")),
        attention_backend=str(values.get("attention_backend", "")).upper(),
        double_batches=values.get("performance_mode") == "throughput",
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


def _findings(
    arguments: Sequence[str], context: ArgumentContext, table: ArgumentTable
) -> list[Finding]:
    """What is wrong with each entry, once, and the edit that mends it if there is one."""
    used, faults = read_arguments(arguments, table)
    found: dict[int, Finding] = {}
    for argument in used:
        finding = _owned(argument, context) or _value(argument, context, table)
        if finding:
            found[argument.index] = finding
    for fault in faults:
        owned = owned_flag_remedy(arguments[fault.index]) if fault.flag else None
        found.setdefault(
            fault.index,
            (_owned_problem(fault.index, *owned), _removal(fault))
            if owned
            else _fault(arguments, fault, context, table),
        )
    return [found[index] for index in sorted(found)]


def _owned(argument: UsedArgument, context: ArgumentContext) -> Finding | None:
    """Owned flags count under whatever name."""
    name = next((name for name in argument.row.names if name in OWNED_FLAGS), None)
    if name is None:
        return None
    return _owned_problem(argument.index, name, OWNED_FLAGS[name]), moved(
        argument, on_cpu=context.on_cpu
    )


def _owned_problem(index: int, flag: str, remedy: str) -> Problem:
    field = _field(index)
    return ARGUMENTS_ARE_NOT_OWNED.problem(
        f"{field}: {flag} is set by the operator; {remedy}", field=field
    )


def _value(
    argument: UsedArgument, context: ArgumentContext, table: ArgumentTable
) -> Finding | None:
    """Values that the parser takes and that fail or answer wrongly later."""
    field, value = _field(argument.index), str(argument.value)
    edit = Edit(index=argument.index, count=argument.count)
    known = value in table.load_formats or context.plugins
    if argument.row.dest == "load_format" and not known:
        problem = LOAD_FORMAT_IS_KNOWN.problem(
            f"{field}: vLLM {context.version} has no load format {value!r}; remove it, or use one "
            f"of {', '.join(table.load_formats)}",
            field=field,
        )
        return problem, edit
    if argument.row.dest == "linear_backend" and value in DISABLED_BACKENDS:
        problem = BACKEND_IS_NOT_DISABLED.problem(
            f"{field}: {argument.name} {value} names a kernel that is disabled "
            f"({', '.join(KERNELS_TO_DISABLE)}); remove it: the kernel is planned",
            field=field,
        )
        return problem, edit
    return None


def _fault(
    arguments: Sequence[str], fault: ArgumentFault, context: ArgumentContext, table: ArgumentTable
) -> Finding:
    field = _field(fault.index)
    if fault.message:
        return _bad_value(arguments, fault, context, table)
    if not fault.flag:
        what, edit = f"{arguments[fault.index]!r} belongs to no flag; remove it", _removal(fault)
        return ARGUMENTS_ARE_KNOWN.problem(f"{field}: {what}", field=field), edit
    flag = fault.flag.split(".", 1)[0]
    nearest = nearest_flag(flag, table)
    remedy, edit = "remove it", _removal(fault)
    if nearest and nearest in OWNED_FLAGS:
        remedy = f"{nearest} is set by the operator: {OWNED_FLAGS[nearest]}"
    elif nearest:
        remedy, edit = f"use {nearest}, or remove it", _respelt(arguments, fault, nearest, table)
    message = f"vLLM {context.version} has no {flag}{_where_known(flag, context)}; {remedy}"
    return ARGUMENTS_ARE_KNOWN.problem(f"{field}: {message}", field=field), edit


def _bad_value(
    arguments: Sequence[str], fault: ArgumentFault, context: ArgumentContext, table: ArgumentTable
) -> Finding:
    """In the parser's words; with the nearest choice where there are choices."""
    field, entry = _field(fault.index), arguments[fault.index]
    said = f"{field}: vLLM {context.version} does not take this: {fault.flag}: {fault.message}"
    row = table.row_of(fault.flag)
    flag, joined, value = entry.partition("=")
    if row is None or not row.choices or fault.count != (1 if joined else 2):
        problem = ARGUMENT_VALUES_ARE_TAKEN.problem(f"{said}; correct or remove it", field=field)
        return problem, None
    choice = nearest_choice(value if joined else arguments[fault.index + 1], row.choices)
    instead = (f"{flag}={choice}",) if joined else (entry, choice)
    edit = Edit(index=fault.index, count=fault.count, instead=instead)
    return ARGUMENT_VALUES_ARE_TAKEN.problem(f"{said}; use {choice}", field=field), edit


def _respelt(
    arguments: Sequence[str], fault: ArgumentFault, name: str, table: ArgumentTable
) -> Edit:
    """The same under a known name, with as many values as that takes."""
    row = table.row_of(name)
    values = arguments[fault.index + 1 : fault.index + fault.count]
    joined = arguments[fault.index][len(fault.flag) :]
    if row is None or row.nargs == 0:
        joined, values = "", ()
    elif row.nargs in {None, "?"}:
        values = () if joined else values[:1]
    return Edit(index=fault.index, count=fault.count, instead=(name + joined, *values))


def _removal(fault: ArgumentFault) -> Edit:
    return Edit(index=fault.index, count=fault.count)


def _where_known(flag: str, context: ArgumentContext) -> str:
    """Which versions have the flag, for what was removed or came later."""
    versions = [table.version for table in context.others() if table.row_of(flag)]
    if not versions:
        return ""
    first, last = (f"{version.major}.{version.minor}" for version in (versions[0], versions[-1]))
    return f" (vLLM {first} has it)" if first == last else f" (vLLM {first} to {last} have it)"


def _field(index: int) -> str:
    return f"spec.engine.args[{index}]"
