"""The tool that measures memory, with a program in the place of vLLM that says what vLLM says."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

from tools.measure_memory import GRID, evidence, main

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

SAYS = """import sys, time
print("non-default args: " + repr(sys.argv[1:]), flush=True)
print("Capturing CUDA graphs (FULL): 10.00it/s", flush=True)
print("Available KV cache memory: 60.85 GiB", flush=True)
print("Actual usage is 9.05 GiB for consumed memory (weights + non-torch), 2.95 GiB for peak "
      "activation, and 0.45 GiB for CUDAGraph memory", flush=True)
time.sleep(60)
"""
DIES = "import sys; sys.exit('vllm: error: unrecognized arguments')"


def serve_with(program: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Puts the program where the tool starts vLLM from; returns a directory of checkpoints."""
    package = home / "site" / "vllm" / "entrypoints" / "cli"
    package.mkdir(parents=True)
    (package / "main.py").write_text(program)
    monkeypatch.setenv("PYTHONPATH", str(home / "site"))
    (home / "checkpoints" / "7b-int4").mkdir(parents=True)
    return home / "checkpoints"


def test_starts_end_when_all_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Named starts run side by side, are ended at once, and leave their lines packed."""
    checkpoints = serve_with(SAYS, tmp_path, monkeypatch)
    names = ["7b-int4-default", "7b-int4-t2048-s256", "7b-int4-tp2"]
    main([str(checkpoints), str(tmp_path / "out"), "2", *names])
    printed = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in printed] == names
    assert all("Available KV cache memory: 60.85 GiB" in line for line in printed)
    packed = (tmp_path / "out" / "7b-int4-t2048-s256.log.gz").read_bytes()
    kept = gzip.decompress(packed).decode()
    assert "'--max-num-seqs', '256'" in kept
    assert "it/s" not in kept
    assert str(tmp_path) not in kept


def test_a_start_that_dies_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A start that ends by itself is waited for no longer and has measured nothing."""
    checkpoints = serve_with(DIES, tmp_path, monkeypatch)
    main([str(checkpoints), str(tmp_path / "out"), "1", "7b-int4-default", "7b-int4-tp2"])
    assert capsys.readouterr().out == "7b-int4-default: nothing measured\n"


def test_every_start_of_the_grid_has_a_name_of_its_own() -> None:
    """Files do not overwrite each other, and starts of two ranks need two GPUs."""
    assert len({start.name for start in GRID}) == len(GRID)
    assert all(("--tensor-parallel-size" in start.arguments) == (start.gpus > 1) for start in GRID)


def test_evidence_has_no_paths() -> None:
    """Lines about memory stay, their paths are cut short, others go."""
    log = "Directly load AOT compilation from path /home/vllm/.cache/x/model\nRoute: /health\n"
    assert evidence(log) == "Directly load AOT compilation from path /data/model\n"
