"""Pages with commands and what they print: run the commands, compare or rewrite the outputs.

Checked is every block fenced as ``console`` whose first line is ``$ qm ...`` or
``$ kubectl qm ...``, with variables before it as in a shell. ``$ echo $?`` prints the exit code of
the command before. Both streams are shown, as in a terminal. A block fenced as ``yaml`` whose first
line is a comment with a path, as ``# models/otter.yaml``, is written to that file before.
"""

import contextlib
import io
import os
import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from quantized_model_operator.cli import qm

_BLOCK = re.compile(r"^```(console|yaml)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"# ([\w./-]+\.yaml)\n")
_PROMPT = "$ "
_PROGRAMS = (["qm"], ["kubectl", "qm"])


@dataclass
class Shell:
    """Runs the commands in this process; the folder is the current one."""

    environment: Mapping[str, str]
    replaced: Mapping[str, str] = field(default_factory=dict)
    """Parts of the output that differ from run to run, and what is shown instead."""
    exit_code: int = 0

    def output_of(self, command: str) -> str:
        """What a command prints."""
        words = shlex.split(command)
        if words == ["echo", "$?"]:
            return f"{self.exit_code}\n"
        variables, arguments = _parted(words)
        assert arguments is not None, f"this command cannot be checked: {command}"
        stream = io.StringIO()
        with (
            _environment({**self.environment, **variables}),
            contextlib.redirect_stdout(stream),
            contextlib.redirect_stderr(stream),
        ):
            self.exit_code = qm.run(arguments)
        text = stream.getvalue()
        for part, shown in self.replaced.items():
            text = text.replace(part, shown)
        return text


def replayed(page: str, shell: Shell) -> str:
    """The page with the outputs that its commands give now."""
    return _BLOCK.sub(lambda block: _replayed_block(block, shell.output_of), page)


def commands(page: str) -> list[str]:
    """The commands of a page that are run."""
    return [
        line.removeprefix(_PROMPT)
        for block in _BLOCK.finditer(page)
        if block[1] == "console" and _is_checked(block[2])
        for line in _joined(block[2])
        if line.startswith(_PROMPT)
    ]


def _replayed_block(block: re.Match[str], output_of: Callable[[str], str]) -> str:
    if block[1] == "yaml":
        _write_shown_file(block[2])
    if block[1] == "yaml" or not _is_checked(block[2]):
        return block[0]
    shown = ""
    for line in _joined(block[2]):
        if line.startswith(_PROMPT):
            output = output_of(line.removeprefix(_PROMPT).replace("\\\n", " "))
            shown += f"{line}\n{output}"
            shown += "" if output.endswith("\n") else "\n"
    return f"```console\n{shown}```"


def _write_shown_file(content: str) -> None:
    """Write the file that a block shows; nothing when it does not say which."""
    named = _FILE.match(content)
    if named:
        path = Path(named[1])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")


def _is_checked(content: str) -> bool:
    first = next(_joined(content))
    return (
        first.startswith(_PROMPT)
        and _parted(shlex.split(first.removeprefix(_PROMPT).replace("\\\n", " ")))[1] is not None
    )


def _joined(content: str) -> Iterator[str]:
    """The lines; a command that goes on after a backslash is one."""
    pending = ""
    for line in content.splitlines():
        pending += line
        if pending.startswith(_PROMPT) and line.endswith("\\"):
            pending += "\n"
        else:
            yield pending
            pending = ""


def _parted(words: list[str]) -> tuple[dict[str, str], list[str] | None]:
    """Variables before a command, and the arguments of ``qm``; ``None`` for another program."""
    variables = {}
    while words and re.match(r"[A-Z_]+=", words[0]):
        name, _, value = words.pop(0).partition("=")
        variables[name] = value
    for program in _PROGRAMS:
        if words[: len(program)] == program:
            return variables, words[len(program) :]
    return variables, None


@contextlib.contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
