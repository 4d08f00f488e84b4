"""Starts vLLM over a grid of settings on a machine with GPUs and keeps what it logs of memory.

    python tests/tools/measure_memory.py CHECKPOINTS OUT GPUS [NAME ...]

``CHECKPOINTS`` holds one directory for each checkpoint of the grid. Each start ends as soon as it
has said everything, or after ten minutes; starts that need fewer GPUs than there are run side by
side. ``OUT`` gets one packed file for each start: the lines that ``test_memory_evidence`` reads.
The table of measured runs is ``tests/unit/domain/memory_runs.py``: a new release needs the default
start, in eager mode too, and one with few sequences; the rest tells where a formula is off.
Needs the standard library and vLLM only.
"""

import gzip
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple

TIMEOUT_SECONDS = 600
POLL_SECONDS = 0.2
EVIDENCE = re.compile(
    r"non-default args|Model loading took|Available KV cache memory|GPU KV cache size|"
    r"Maximum concurrency|Actual usage is|To serve at least one request|CUDA graph pool memory|"
    r"Graph capturing finished|CUDA graph memory profiling|max_num_batched_tokens=|"
    r"Compiling a graph|Directly load AOT|LinearKernel for Auto|Using FlashAttention|"
    r"Using V\d Model Runner|version \d|all-reduce backends|Allreduce norm fusion workspace"
)
LAST_WORDS = re.compile(r"Actual usage is|Engine core initialization failed|error: ")
PATHS = re.compile(r"/(?:[\w.-]+/)+")


class Start(NamedTuple):
    """One start of vLLM."""

    name: str
    checkpoint: str
    arguments: Sequence[str]
    gpus: int = 1


def _grid() -> Iterator[Start]:
    """Slopes over tokens, sequences, shapes, groups, share of the card and ranks."""
    few_tokens = ("--max-num-batched-tokens", "2048", "--max-num-seqs", "256")
    many_tokens = ("--max-num-batched-tokens", "16384", "--max-num-seqs", "64")
    settings: dict[str, Sequence[str]] = {
        "default": (),
        "t2048-s256": few_tokens,
        "t16384-s64": many_tokens,
        "s256": ("--max-num-seqs", "256"),
        "tight": ("--gpu-memory-utilization", "0.15", "--max-model-len", "4096", *few_tokens),
    }
    for name, arguments in settings.items():
        yield Start(f"7b-int4-{name}", "7b-int4", arguments)
        yield Start(f"7b-int4-{name}-eager", "7b-int4", (*arguments, "--enforce-eager"))
    for checkpoint in ("7b-int4-g32", "14b-int4", "72b-int4"):
        yield Start(f"{checkpoint}-default", checkpoint, ())
        yield Start(f"{checkpoint}-default-eager", checkpoint, ("--enforce-eager",))
    for checkpoint in ("7b-int4", "7b-int8", "72b-int4"):
        pair = ("--tensor-parallel-size", "2")
        yield Start(f"{checkpoint}-tp2", checkpoint, pair, 2)
        yield Start(f"{checkpoint}-tp2-eager", checkpoint, (*pair, "--enforce-eager"), 2)


GRID = tuple(_grid())


def evidence(log: str) -> str:
    """The lines of a log that speak of memory, without progress bars and paths."""
    lines = (line for line in log.splitlines() if EVIDENCE.search(line) and "it/s" not in line)
    return "".join(f"{PATHS.sub('/data/', line)[:2000]}\n" for line in lines)


def run(start: Start, checkpoints: Path, out: Path, devices: Sequence[str]) -> str:
    """Starts vLLM, waits for its last words, keeps the evidence; returns the summary."""
    raw = out / f"{start.name}.raw"
    port = 8000 + int(devices[0])
    command = [sys.executable, "-m", "vllm.entrypoints.cli.main", "serve"]
    arguments = [str(checkpoints / start.checkpoint), "--port", str(port), *start.arguments]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ",".join(devices)}
    with raw.open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own command line
            [*command, *arguments],
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not LAST_WORDS.search(raw.read_text(errors="replace")) and time.monotonic() < deadline:
        with suppress(subprocess.TimeoutExpired):
            process.wait(POLL_SECONDS)
            break
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    text = evidence(raw.read_text(errors="replace"))
    (out / f"{start.name}.log.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
    figures = re.findall(r"Actual usage is .*? for CUDAGraph memory|Available KV .*GiB", text)
    return f"{start.name}: {'; '.join(figures) or 'nothing measured'}"


def measure(starts: Sequence[Start], checkpoints: Path, out: Path, gpus: int) -> None:
    """Runs the starts, single ones side by side, those of all GPUs afterwards."""
    free: SimpleQueue[str] = SimpleQueue()
    for gpu in range(gpus):
        free.put(str(gpu))

    def single(start: Start) -> str:
        device = free.get()
        try:
            return run(start, checkpoints, out, [device])
        finally:
            free.put(device)

    with ThreadPoolExecutor(gpus) as pool:
        for summary in pool.map(single, [start for start in starts if start.gpus == 1]):
            sys.stdout.write(f"{summary}\n")
    for start in starts:
        if 1 < start.gpus <= gpus:
            devices = [str(gpu) for gpu in range(start.gpus)]
            sys.stdout.write(f"{run(start, checkpoints, out, devices)}\n")


def main(arguments: Sequence[str]) -> None:
    """Runs the named starts, or all whose checkpoint is there."""
    checkpoints, out, names = Path(arguments[0]), Path(arguments[1]), arguments[3:]
    there = [start for start in GRID if (checkpoints / start.checkpoint).is_dir()]
    chosen = [start for start in there if not names or start.name in names]
    out.mkdir(parents=True, exist_ok=True)
    measure(chosen, checkpoints, out, int(arguments[2]))


if __name__ == "__main__":
    main(sys.argv[1:])
