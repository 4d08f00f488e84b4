"""The commands of the repository: make targets, lint hooks and what CI runs."""

from __future__ import annotations

import subprocess
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).resolve().parents[2]
TARGETS = [
    "setup",
    "generate",
    "verify",
    "lint",
    "type",
    "test",
    "golden",
    "shell-test",
    "e2e",
    "chart",
    "image",
    "run",
    "demo",
    "demo-down",
    "cluster-up",
    "cluster-down",
    "bench",
    "bench-planning",
    "release",
]


def make(*arguments: str) -> str:
    """What make printed."""
    return subprocess.run(  # noqa: S603 - fixed arguments
        ["make", "--no-print-directory", *arguments],  # noqa: S607 - the make of whoever runs the tests
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_make_alone_lists_every_target() -> None:
    """Without a target, make lists each one with a sentence of help, and runs nothing."""
    listed = {line.split()[0]: line.split()[1:] for line in make().splitlines()}
    assert [target for target in TARGETS if len(listed.get(target, [])) < 2] == []


def test_every_hook_runs_a_program_of_the_environment() -> None:
    """Each lint hook is local and starts a pinned program that is installed, or make."""
    config = yaml.safe_load((REPOSITORY / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    assert [source["repo"] for source in config["repos"]] == ["local"]
    programs = [hook["entry"].split()[0] for hook in config["repos"][0]["hooks"]]
    absent = [name for name in programs if name != "make" and not (REPOSITORY / name).is_file()]
    assert absent == []


def test_every_requirement_has_a_hash() -> None:
    """Each pinned version in each requirements file carries at least one hash."""
    files = sorted((REPOSITORY / "operator").glob("requirements*.txt"))
    assert len(files) == 3
    for path in files:
        entries = path.read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
        pinned = [entry for entry in entries if entry and not entry.lstrip().startswith("#")]
        assert [entry for entry in pinned if "--hash=sha256:" not in entry] == []
        assert [entry for entry in pinned if "==" not in entry.split()[0]] == []


def test_ci_lets_nothing_skip() -> None:
    """CI runs `make test` and nothing else of ours, with CI=true in the environment."""
    script = (REPOSITORY / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert script[-1] == "exec make test"
    assert any(line.startswith("export CI=true") for line in script)
