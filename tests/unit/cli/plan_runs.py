"""Running `qm` in this process, and reading what it says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from quantized_model_operator.cli import qm

if TYPE_CHECKING:
    import pytest


class Run(NamedTuple):
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """The JSON on standard output."""
        found: dict[str, Any] = json.loads(self.out)
        return found

    @property
    def error(self) -> str:
        """The one line of an error that is not wrong use."""
        assert self.code == 1
        assert self.out == ""
        (line,) = self.err.splitlines()
        return line.removeprefix("Error: ")


def run_qm(capsys: pytest.CaptureFixture[str], *arguments: str) -> Run:
    """Run the command; a traceback would fail the test."""
    code = qm.run(arguments)
    out, err = capsys.readouterr()
    return Run(code, out, err)
