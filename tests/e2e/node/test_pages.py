"""Pages that show commands on the demo cluster: what they show is what a user sees."""

import os
import re
import sys
from pathlib import Path

import pytest

from e2e.node.space import Space
from qmo_cluster.commands import run
from qmo_demo.installation import NAMESPACE

pytestmark = [pytest.mark.node, pytest.mark.timeout(600)]

REPOSITORY = Path(__file__).resolve().parents[3]
PAGE = REPOSITORY / "operator/docs/why-does-it-not-start.md"
_BLOCK = re.compile(r"^```console\n(\$ kubectl .*?)^```$", re.MULTILINE | re.DOTALL)
_SECONDS = re.compile(r"\b\d+s\b")


def test_why_does_it_not_start_shows_what_happens(space: Space) -> None:
    """Every command of the page, run in its order, prints what the page shows."""
    space.claim_with("weights", {".": lambda _: space.tiny_copy(space.volume("weights"))})
    shown = [block[1] for block in _BLOCK.finditer(PAGE.read_text(encoding="utf-8"))]

    assert shown
    for block in shown:
        assert _with_any_seconds(_replayed(block, space)) == _with_any_seconds(block)


def _replayed(block: str, space: Space) -> str:
    """The block with what its commands print now."""
    text = ""
    for command in _commands(block):
        here = command.replace(f"--namespace {NAMESPACE}", f"--namespace {space.namespace}")
        text += f"$ {command}\n{_output(here, space)}"
    return text.replace(space.namespace, NAMESPACE)


def _commands(block: str) -> list[str]:
    """A command goes on after a backslash."""
    joined = block.replace("\\\n", "\0")
    return [
        line.removeprefix("$ ").replace("\0", "\\\n")
        for line in joined.splitlines()
        if line.startswith("$ ")
    ]


def _output(command: str, space: Space) -> str:
    programs = f"{space.cluster.layout.programs}:{Path(sys.executable).parent}"
    environment = {
        **os.environ,
        "KUBECONFIG": str(space.cluster.kubeconfig),
        "PATH": f"{programs}:{os.environ['PATH']}",
    }
    shell = f"cd {REPOSITORY} && exec 2>&1\n{command}"
    text = run(["bash", "-c", shell], env=environment, check=False, timeout_seconds=200).stdout
    return text if not text or text.endswith("\n") else f"{text}\n"


def _with_any_seconds(text: str) -> str:
    """Durations differ; so do the width of columns and, with the namespace's name, the lines."""
    return re.sub(r"\s+", " ", _SECONDS.sub("Ns", text))
