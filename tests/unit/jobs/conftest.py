"""A hub with repositories, and programs pointed at it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hub import Access, Hub, running_hub
from unit.tiny_checkpoint import Recipe, write_checkpoint

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GATED = "zoo/badger"
PRIVATE = "zoo/weasel"
GOOD_TOKEN = "token-with-access"  # noqa: S105 - of the test hub
OTHER_TOKEN = "token-without-access"  # noqa: S105


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub with an open, a gated and a private repository; HF_ENDPOINT names it."""
    root = tmp_path / "hub"
    write_checkpoint(root / "zoo/otter", shards=3)
    for name in (GATED, PRIVATE):
        write_checkpoint(root / name, Recipe(layers=1))
    access = Access(
        gated={GATED: {GOOD_TOKEN}},
        private={PRIVATE: {GOOD_TOKEN}},
        known_tokens={OTHER_TOKEN},
    )
    with running_hub(root, access) as running:
        monkeypatch.setenv("HF_ENDPOINT", running.endpoint)
        monkeypatch.setenv("NO_PROXY", "*")
        yield running
        assert running.leaked_tokens == 0


@pytest.fixture
def report_path(tmp_path: Path) -> Path:
    """Where the program leaves its report."""
    path = tmp_path / "termination-log"
    path.touch()
    return path


@pytest.fixture
def destination(tmp_path: Path) -> Path:
    """The folder to fill; it does not exist yet."""
    return tmp_path / "models/otter"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """The repository's own files."""
    return tmp_path / "hub/zoo/otter"
