"""The table as a terminal shows it: widths, colours and signs."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from unit.cli.plan_runs import run_qm
from unit.tiny_checkpoint import Recipe, write_checkpoint

if TYPE_CHECKING:
    from pathlib import Path

Capsys = pytest.CaptureFixture[str]
ESCAPE = "\x1b"
VARIANTS = (
    ("badger", "--gpu", "H100"),
    ("badger", "--gpu", "L4"),
    ("badger", "--all-gpus"),
    ("badger",),
    ("otter", "--gpu", "L4,T4", "-tp", "2"),
    ("otter", "--gpu", "MI300X"),
    ("otter", "--device", "cpu"),
)


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("arguments", VARIANTS, ids=" ".join)
@pytest.mark.usefixtures("otter", "badger")
def test_lines_fit(
    arguments: tuple[str, ...], width: int, monkeypatch: pytest.MonkeyPatch, capsys: Capsys
) -> None:
    """No line is wider than the terminal, ends in spaces, or holds an escape code in a pipe."""
    monkeypatch.setenv("COLUMNS", str(width))
    run = run_qm(capsys, "plan", *arguments)
    lines = run.out.splitlines()
    assert max(len(line) for line in lines) <= width
    assert [line for line in lines if line != line.rstrip()] == []
    assert ESCAPE not in run.out


@pytest.mark.parametrize(
    ("arguments", "total_gib"),
    [(("badger", "--gpu", "H100"), 79.10), (("otter", "--device", "cpu"), 5.00)],
)
@pytest.mark.usefixtures("otter", "badger")
def test_the_bar_shows_every_part(
    arguments: tuple[str, ...], total_gib: float, capsys: Capsys
) -> None:
    """The memory bar is as wide as its line, and each sign in it is explained below it."""
    lines = run_qm(capsys, "plan", *arguments).out.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("Memory"))
    bar = lines[start + 1].strip()
    assert len(bar) == 80 - 14
    legend = [line.strip() for line in lines[start + 2 :] if "GiB  " in line]
    explained = {line[0] for line in legend}
    assert set(bar) <= explained
    sizes = [float(match[1]) for line in legend if (match := re.match(r"\S +([\d.]+) GiB", line))]
    assert lines[start].endswith(f" {total_gib:.2f} GiB")
    assert sum(sizes) == pytest.approx(total_gib, abs=0.04)


@pytest.mark.parametrize("output", ["table", "json", "yaml"])
def test_a_checkpoint_cannot_steer_the_terminal(here: Path, output: str, capsys: Capsys) -> None:
    """Control characters in a config are never printed as they are."""
    config = {"architectures": [f"Otter{ESCAPE}[2J\x9b31m\x07ForCausalLM"], "model_type": "otter"}
    write_checkpoint(here / "otter", Recipe(config=config))
    run = run_qm(capsys, "plan", "otter", "--gpu", "L4", "--output", output)
    assert run.code == 0
    assert "Otter" in run.out
    assert all(sign.isprintable() or sign == "\n" for sign in run.out)


def on_a_terminal(command: list[str], environment: dict[str, str]) -> str:
    """What a command writes on a terminal of 80 columns."""
    parent, child = pty.openpty()
    subprocess.run(  # noqa: S603 - a fixed program in this interpreter
        command, stdout=child, stderr=child, check=True, env=environment
    )
    os.close(child)
    with io.FileIO(parent) as file:
        content = b""
        try:
            while part := file.read(65536):
                content += part
        except OSError:  # how a terminal says that nobody writes to it any more
            pass
    return content.decode()


def test_colour_on_a_terminal_and_none_with_no_color(otter: Path) -> None:
    """A terminal gets colours, unless NO_COLOR says otherwise; the words are the same."""
    script = "from quantized_model_operator.cli.qm import main; main()"
    command = [sys.executable, "-c", script, "plan", str(otter), "--gpu", "L4"]
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "80"}
    environment.pop("NO_COLOR", None)
    coloured = on_a_terminal(command, environment)
    plain = on_a_terminal(command, {**environment, "NO_COLOR": "1"})
    assert f"{ESCAPE}[1;32mFits{ESCAPE}[0m on" in coloured
    assert f"{ESCAPE}[1mEngine        {ESCAPE}[0mvLLM" in coloured
    assert not re.search(rf"{ESCAPE}\[[0-9;]*3[0-7]", plain)
    codes = re.compile(rf"{ESCAPE}\[[0-9;]*m")
    assert codes.sub("", coloured) == codes.sub("", plain)


def test_a_terminal_that_knows_ascii_only(otter: Path) -> None:
    """Signs that the terminal does not know are replaced; nothing fails."""
    script = "from quantized_model_operator.cli.qm import main; main()"
    command = [sys.executable, "-c", script, "plan", str(otter), "--gpu", "L4"]
    done = subprocess.run(  # noqa: S603 - a fixed program in this interpreter
        command,
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    assert done.stdout.decode("ascii").startswith("Fits on 1 ? L4: ")
