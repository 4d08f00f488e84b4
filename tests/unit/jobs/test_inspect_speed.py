"""Inspecting a large checkpoint costs little, since nothing but headers is read."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from checkpoint_headers import header_set, model_tensors, write_header_set
from published_models import PUBLISHED
from quantized_model_jobs.mounted_checkpoint import read_headers
from quantized_model_operator.domain.checkpoint_inspection import inspect_checkpoint

if TYPE_CHECKING:
    from pathlib import Path

LIMIT_SECONDS = 0.3
REPOSITORY = "Qwen/Qwen2.5-72B-Instruct"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Config, index and headers of a 72B in 37 sparse files."""
    config = {**PUBLISHED[REPOSITORY].config, "intermediate_size": 29_696}
    made = header_set(config, model_tensors(config), shards=37)
    return write_header_set(tmp_path_factory.mktemp("large") / "otter-72b", made)


def test_a_72b_takes_less_than_300_ms_of_cpu(folder: Path) -> None:
    """80 layers in 37 files are read, checked and summed up in 0.3 s of CPU, at best of three."""

    def seconds() -> float:
        start = time.process_time()
        report = inspect_checkpoint(read_headers("pvc://shelf/otter", "uid", folder))
        assert report.facts is not None, report.problems
        assert (report.facts.files, report.facts.layers) == (37, 80)
        return time.process_time() - start

    assert min(seconds() for _ in range(3)) < LIMIT_SECONDS


def test_only_headers_are_read(folder: Path) -> None:
    """Of some 40 GB less than a megabyte is read."""
    seen = read_headers("pvc://shelf/otter", "uid", folder)
    assert sum(len(content) for content in seen.first_bytes.values()) < 10**6
    assert sum(seen.sizes.values()) > 40 * 10**9
