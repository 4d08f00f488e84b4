"""A place without a cluster, a token or a hub, and checkpoints in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from checkpoint_headers import header_set, model_tensors, write_header_set
from published_models import PUBLISHED
from unit.tiny_checkpoint import write_checkpoint

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder; nothing outside it is found."""
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "HF_TOKEN", "HF_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / ".cache"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def otter(here: Path) -> Path:
    """A tiny checkpoint with its weights."""
    return write_checkpoint(here / "otter")


@pytest.fixture
def badger(here: Path) -> Path:
    """Config and headers of a 72B model."""
    config = {**PUBLISHED["Qwen/Qwen2.5-72B-Instruct"].config, "intermediate_size": 29696}
    return write_header_set(here / "badger", header_set(config, model_tensors(config), shards=11))
