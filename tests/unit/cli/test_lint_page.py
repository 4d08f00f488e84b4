"""The examples for other tools on the page about `qm lint` work; golden tests check its outputs."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml

from quantized_model_operator.cli.qm import run
from unit.cli.lint_manifests import model

PAGE = Path(__file__).resolve().parents[3] / "operator" / "docs" / "qm-lint.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = BLOCK.findall(PAGE.read_text(encoding="utf-8"))


def file_of_page(name: str) -> dict[str, object]:
    """A file that the page shows, as a document."""
    (text,) = [text for _, text in BLOCKS if text.startswith(f"# {name}\n")]
    document: dict[str, object] = yaml.safe_load(text)
    return document


def commands_of_page() -> list[str]:
    """Every `qm lint` of the examples for other tools, without what is piped into it."""
    hooks = yaml.safe_dump(file_of_page(".pre-commit-config.yaml"))
    workflow = yaml.safe_dump(file_of_page(".github/workflows/models.yaml"))
    shell = "\n".join(text for language, text in BLOCKS if language == "sh")
    return re.findall(r"qm (lint\b.*)", f"{hooks}\n{workflow}\n{shell}".replace("name: qm", ""))


def test_there_are_commands_for_other_tools() -> None:
    """The page has a hook, a workflow and two renderers."""
    assert sorted(commands_of_page()) == [
        *("lint", "lint -", "lint -", "lint --strict --output github models"),
    ]


@pytest.mark.parametrize("command", sorted(set(commands_of_page())))
@pytest.mark.parametrize(("spec", "code"), [("", 0), ("zebra: 1\n", 2)])
def test_a_command_of_the_page_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, spec: str, code: int
) -> None:
    """Each command of the examples passes a good model and refuses a wrong one."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "models" / "otter.yaml"
    file.parent.mkdir()
    file.write_text(model(spec), encoding="utf-8")
    words = shlex.split(command)
    # pre-commit adds the names of the files that changed.
    arguments = [*words, "models/otter.yaml"] if len(words) == 1 else words
    with file.open(encoding="utf-8") as stream:
        monkeypatch.setattr("sys.stdin", stream)
        assert run(arguments) == code
