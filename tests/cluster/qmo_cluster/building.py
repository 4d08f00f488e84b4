"""Builds the pinned programs with Go, once: what is built is found again by the hash of its pins.

Each tool module has a folder of its own below the cache, named after the hash of go.mod, go.sum
and the recipe. A changed pin therefore has another folder, and running clusters keep the programs
they started with.
"""

import fcntl
import hashlib
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

from qmo_cluster.commands import run
from qmo_cluster.errors import fail
from qmo_cluster.programs import Profile, Program, programs_of
from qmo_cluster.progress import Progress

TOOLS_DIRECTORY = Path(__file__).resolve().parent.parent / "tools"
_CACHE_NAME = "quantized-model-operator"
_UNUSED_SECONDS = 14 * 24 * 3600
_BUILD_TIMEOUT_SECONDS = 3600


def cache_directory(environment: Mapping[str, str] | None = None) -> Path:
    """The folder of built programs: `bin` below $QMO_CACHE, else below our own user cache."""
    env = os.environ if environment is None else environment
    if env.get("QMO_CACHE"):
        return Path(env["QMO_CACHE"]) / "bin"
    caches = Path(env.get("XDG_CACHE_HOME") or Path(env["HOME"]) / ".cache")
    return caches / _CACHE_NAME / "bin"


def recipe_hash(tool: str, programs: Sequence[Program], tools: Path = TOOLS_DIRECTORY) -> str:
    """Twelve hex digits that change with the pins, our own sources, the recipe or the machine type.

    Only the flags of the *tool* count, not which of its programs a profile asks for, so that both
    profiles share a folder.
    """
    digest = hashlib.sha256(platform.machine().encode())
    for path in sorted((tools / tool).iterdir()):
        digest.update(f"{path.name}\n".encode())
        digest.update(path.read_bytes())
    for flags in sorted({program.link_flags for program in programs}):
        digest.update(flags.encode())
    return digest.hexdigest()[:12]


def ensure_programs(profile: Profile, progress: Progress, cache: Path | None = None) -> list[Path]:
    """The paths of all programs of a profile, after building those that are missing.

    Raises:
        ClusterError: Go is missing or a build failed.
    """
    cache = cache_directory() if cache is None else cache
    paths: list[Path] = []
    for tool, programs, folder in _folders(profile, cache):
        missing = [program for program in programs if not (folder / program.name).exists()]
        if missing:
            with _lock(cache):
                _build(tool, missing, folder, progress)
        else:
            os.utime(folder)
        paths.extend(folder / program.name for program in programs)
    return paths


def programs_are_built(profile: Profile, cache: Path | None = None) -> bool:
    """Whether `ensure_programs` has nothing to build."""
    return all(
        (folder / program.name).exists()
        for _, programs, folder in _folders(profile, cache or cache_directory())
        for program in programs
    )


def _folders(profile: Profile, cache: Path) -> Iterator[tuple[str, list[Program], Path]]:
    for tool, group in groupby(programs_of(profile), key=lambda program: program.tool):
        programs = list(group)
        yield tool, programs, cache / f"{tool}-{recipe_hash(tool, programs)}"


def _build(tool: str, programs: Sequence[Program], folder: Path, progress: Progress) -> None:
    # Asked again under the lock: another process may have built them meanwhile.
    missing = [program for program in programs if not (folder / program.name).exists()]
    if not missing:
        return
    if shutil.which("go") is None:
        fail("Go is not installed; the test cluster's programs are built with it.")
    progress.say(f"building {', '.join(program.name for program in missing)}")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".building-") as scratch:
        # One call for all programs of a module, so that Go shares the packages between them.
        packages = [program.package for program in missing]
        flags = f"-s -w {missing[0].link_flags}".strip()
        run(
            ["nice", "-n", "10", "go", "build", "-C", TOOLS_DIRECTORY / tool, "-mod=readonly",
             "-trimpath", "-buildvcs=false", "-ldflags", flags, "-o", f"{scratch}/", *packages],
            env={**os.environ, "CGO_ENABLED": "0", "GOWORK": "off"},
            timeout_seconds=_BUILD_TIMEOUT_SECONDS,
        )  # fmt: skip
        for program in missing:
            _take(Path(scratch), program, folder)
    progress.say(f"built {tool}")
    _prune(folder)


def _take(scratch: Path, program: Program, folder: Path) -> None:
    # Go names an executable after the last element of its package that is not a version.
    words = [w for w in program.package.split("/") if not (w[:1] == "v" and w[1:].isdigit())]
    built = scratch / (program.name if words[-1] == "." else words[-1])
    built.replace(folder / program.name)


def _prune(kept: Path) -> None:
    """Remove folders of the same tool that no cluster has asked for in two weeks."""
    tool = kept.name.rpartition("-")[0]
    limit = time.time() - _UNUSED_SECONDS  # noqa: TID251 - compared with file times
    for folder in kept.parent.glob(f"{tool}-*"):
        same_tool = folder.name.rpartition("-")[0] == tool
        if same_tool and folder != kept and folder.stat().st_mtime < limit:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _lock(cache: Path) -> Iterator[None]:
    """One build at a time per cache, whoever asks."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / ".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
