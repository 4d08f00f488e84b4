"""Pure: what vLLM says about itself while it starts, as figures.

A text that a version words otherwise leaves its figure out; nothing here can fail.
Source: vLLM 0.25.1, 0.32.0 (CPU) and 0.33.0, logs of real starts; 2026-11-24. GiB are printed with
two decimals, so sizes are right within 5 MiB; times of day are printed in seconds.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType

from quantized_model_operator.domain.quantity import GIB

MOST_KERNELS = 8
"""Lengths and counts are bounded, so that no log makes a status that the API server refuses."""

_N = r"(-?\d{1,9}(?:\.\d{1,9})?)"
_KERNEL = re.compile(r"Using (\w{1,60}?)(?:LinearKernel)? for \w{0,60}GPTQ\w{0,60}\b")
_ATTENTION = re.compile(r"Using (\w{1,60}) attention backend")
_VERSION = re.compile(
    r"Initializing a V1 LLM engine \(v([^)\s]{1,60})\)|\bversion (\d+\.\d+\.\S{1,60})\s*$"
)
_LOADING = re.compile(rf"Model loading took {_N} GiB(?: memory)? and ")
_KV_BYTES = re.compile(
    rf"Available KV cache memory: {_N} GiB|reserved {_N} GiB memory for KV Cache"
    rf"|Explicitly set \({_N}/[\d.]+\) GiB for KV cache"
)
_KV_TOKENS = re.compile(r"KV cache size: (\d[\d,]{0,16}) tokens")
_CONCURRENCY = re.compile(rf"Maximum concurrency for [\d,]+ tokens per request: {_N}x")
_GRAPHS = re.compile(rf"Graph capturing finished in \S+ secs, took {_N} GiB")
_TOTAL = re.compile(rf"Free memory on device[^(]*\({_N}/{_N} GiB\) on startup")
_USAGE = re.compile(
    rf"Actual usage is {_N} GiB for consumed memory \(weights \+ non-torch\), "
    rf"{_N} GiB for peak activation, and {_N} GiB for CUDAGraph memory"
)
_COMPILING = re.compile(
    r"init engine \(profile, create kv cache, warmup model\) took "
    rf"\S+ s(?:econds)? \(compilation: {_N} s"
)
_REMARK = re.compile(r"^startup probe: (\S.{0,299})$")
"""Of our own program, which writes it between the lines of vLLM."""
_STAMP = re.compile(
    r"^(?:\([^)]*\) )?[A-Z]+ (\d\d-\d\d \d\d:\d\d:\d\d) |^[A-Z](\d{4} \d\d:\d\d:\d\d)\."
)
_LEAP_YEAR = "2024"
"""vLLM prints no year; any leap year knows every day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineFigures:
    """What one start told; ``None`` for what it did not say. Sizes are those of one GPU."""

    version: str | None = None
    kernels: tuple[str, ...] = ()
    """Without the ending ``LinearKernel``, as plans name them, each once."""
    attention_backend: str | None = None
    weights_bytes: int | None = None
    kv_cache_bytes: int | None = None
    kv_cache_tokens: int | None = None
    max_concurrency: str | None = None
    graph_bytes: int | None = None
    gpu_memory_bytes: int | None = None
    """Total of the card."""
    consumed_bytes: int | None = None
    """Weights and what is not torch's, from a profiled start only."""
    activation_bytes: int | None = None
    """The peak of the profile run, the estimate of CUDA graphs included; as above."""
    compiling_seconds: float | None = None
    start_seconds: int | None = None
    """From the first line to the one that says that the server listens."""
    phase_seconds: Mapping[str, int] = field(default_factory=dict)
    """In the order of ``PHASES``, by the times of day of the lines that end them."""

    remarks: tuple[str, ...] = ()
    """What the startup probe found odd about answers that it let through."""


PHASES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "configure": ("Initializing a V1 LLM engine", "world_size="),
        "load": ("Model loading took ", "Loading weights took "),
        "profile": (
            "Available KV cache memory: ",
            "memory for KV Cache as specified",
            "KV cache size: ",
        ),
        "warmUp": ("init engine (",),
        "listen": ("Starting vLLM server", "Starting vLLM API server"),
    }
)
"""A phase of a start -> the texts that end it: the first of them that the log has."""


def engine_figures(log: str) -> EngineFigures:
    """The figures in the beginning of a log; cannot fail."""
    lines = log.splitlines()
    usage = _matches(_USAGE, lines)
    graphs = _matches(_GRAPHS, lines)
    compiling = _last(_matches(_COMPILING, lines))
    phases = _phase_seconds(lines)
    return EngineFigures(
        version=_first_text(_VERSION, lines),
        kernels=tuple(dict.fromkeys(item[0] for item in _matches(_KERNEL, lines)))[:MOST_KERNELS],
        attention_backend=_first_text(_ATTENTION, lines),
        weights_bytes=_bytes(max, (item[0] for item in _matches(_LOADING, lines))),
        kv_cache_bytes=_bytes(min, ("".join(item) for item in _matches(_KV_BYTES, lines))),
        kv_cache_tokens=_fewest(item[0] for item in _matches(_KV_TOKENS, lines)),
        max_concurrency=(_last(_matches(_CONCURRENCY, lines)) or (None,))[0],
        graph_bytes=_bytes(max, (item[0] for item in graphs[-1:])),
        gpu_memory_bytes=_bytes(min, (item[1] for item in _matches(_TOTAL, lines))),
        consumed_bytes=_bytes(max, (item[0] for item in usage)),
        activation_bytes=_bytes(max, (item[1] for item in usage)),
        compiling_seconds=float(compiling[0]) if compiling else None,
        start_seconds=sum(phases.values()) if "listen" in phases else None,
        phase_seconds=phases,
        remarks=tuple(dict.fromkeys(item[0] for item in _matches(_REMARK, lines))),
    )


def _matches(pattern: re.Pattern[str], lines: Sequence[str]) -> list[tuple[str, ...]]:
    """The groups of every line that says this; each rank may say it."""
    return [
        tuple(group or "" for group in found.groups())
        for line in lines
        if (found := pattern.search(line))
    ]


def _last(matches: Sequence[tuple[str, ...]]) -> tuple[str, ...] | None:
    return matches[-1] if matches else None


def _first_text(pattern: re.Pattern[str], lines: Sequence[str]) -> str | None:
    matches = _matches(pattern, lines)
    return "".join(matches[0]) if matches else None


def _bytes(pick: Callable[[list[int]], int], texts: Iterator[str]) -> int | None:
    """The GiB that ranks name, as the bytes of the one that decides."""
    sizes = [round(float(text) * GIB) for text in texts]
    return pick(sizes) if sizes else None


def _fewest(texts: Iterator[str]) -> int | None:
    return min((int(text.replace(",", "")) for text in texts), default=None)


def _phase_seconds(lines: Sequence[str]) -> dict[str, int]:
    """How long each phase took; one whose end is not told is part of the next one."""
    before = next(_stamps(lines), None)
    seconds: dict[str, int] = {}
    for phase, texts in PHASES.items():
        ends = (next(_stamps([line for line in lines if text in line]), None) for text in texts)
        end = next((moment for moment in ends if moment is not None), None)
        if before is None or end is None:
            continue
        gone = end - before
        if gone < timedelta(0):
            gone += timedelta(days=366)  # New Year's Eve
        seconds[phase] = int(gone.total_seconds())
        before = end
    return seconds


def _stamps(lines: Sequence[str]) -> Iterator[datetime]:
    """Times of day of the lines that have one, without a year."""
    for line in lines:
        found = _STAMP.match(line)
        if not found:
            continue
        text = found[1] or f"{found[2][:2]}-{found[2][2:]}"
        try:
            yield datetime.fromisoformat(f"{_LEAP_YEAR}-{text}")
        except ValueError:
            continue
