"""Puts stubs where torch looks for NVIDIA's libraries, for images that never see a GPU.

The torch build of the Python package index is linked against CUDA: it cannot be imported
without cuBLAS, cuDNN, NCCL and others, 2.7 GB that no CPU serves with. A stub has the name of
such a library and defines exactly the functions that torch's own libraries ask of it. Calling
one ends the process (SIGILL); torch calls them only after it has found a GPU. The CUDA runtime
itself, which torch does ask whether there is a GPU, stays real.

    python3 stub_libraries.py SITE_PACKAGES

Needs the programs `readelf`, `as` and `ld`. Linux on x86-64 only.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

STUBBED = {
    "libcublas.so.13": "cublas",
    "libcublasLt.so.13": "cublasLt",
    "libcudnn.so.9": "cudnn",
    "libcufft.so.12": "cufft",
    "libcufile.so.0": "cuFile",
    "libcurand.so.10": "curand",
    "libcusparse.so.12": "cusparse",
    "libcusparseLt.so.0": "cusparseLt",
    "libnccl.so.2": "nccl",
    "libnvrtc.so.13": "nvrtc",
    "libnvshmem_host.so.3": "nvshmem",
}
"""Library names, each with the prefix of its functions. Source: torch 2.13.0, 2026-11."""

NEVER_LOADED = ("libtorch_cuda_linalg.so", "libcaffe2_nvrtc.so")
"""Libraries that torch opens at the first use of a GPU, and only then."""

SYMBOL = re.compile(
    r"^\s*\d+:\s+[0-9a-f]+\s+\S+\s+[A-Z]+\s+[A-Z]+\s+[A-Z]+\s+"
    r"(?P<section>\S+)\s+(?P<name>[^@\s]+)(?:@@?(?P<version>\S+))?",
)
NEEDED = re.compile(r"\(NEEDED\).*\[(?P<soname>[^\]]+)\]")


class Function(NamedTuple):
    """A function asked of a library; `version` is empty where the library has no versions."""

    name: str
    version: str


def run(*command: str) -> str:
    """Runs a program and returns what it prints."""
    result = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603
    return result.stdout


def readelf(library: Path, *options: str) -> list[str]:
    """Reads a part of a library's tables as lines of text."""
    return run("readelf", "--wide", *options, str(library)).splitlines()


def missing_libraries(libraries: list[Path]) -> set[str]:
    """Names the libraries that have to be stubbed because one of these needs them."""
    lines = (line for library in libraries for line in readelf(library, "--dynamic"))
    needed = {found["soname"] for found in map(NEEDED.search, lines) if found}
    return needed & STUBBED.keys()


def owner_of(function: Function) -> str | None:
    """Names the stubbed library a function belongs to: by its version, else by its prefix."""
    if function.version in STUBBED:
        return function.version
    prefixes = {prefix: soname for soname, prefix in STUBBED.items()}
    fitting = [prefix for prefix in prefixes if function.name.startswith(prefix)]
    return prefixes[max(fitting, key=len)] if fitting else None


def asked_functions(libraries: list[Path]) -> dict[str, set[Function]]:
    """Collects, for each stubbed library, the functions that these libraries ask of it."""
    lines = (line for library in libraries for line in readelf(library, "--dyn-syms"))
    asked: dict[str, set[Function]] = defaultdict(set)
    for found in map(SYMBOL.match, lines):
        if found and found["section"] == "UND":
            function = Function(found["name"], found["version"] or "")
            owner = owner_of(function)
            if owner:
                asked[owner].add(function)
    return asked


def version_script(functions: set[Function]) -> str:
    """Writes the linker's list of versions: the loader refuses a library that lacks one."""
    versions: dict[str, list[str]] = defaultdict(list)
    for function in sorted(functions):
        versions[function.version].append(function.name)
    versions.pop("", None)
    return "".join(f"{name} {{ {'; '.join(names)}; }};\n" for name, names in versions.items())


def assembly(functions: set[Function]) -> str:
    """Writes each function as one instruction that ends the process."""
    lines = ['.section .note.GNU-stack,"",@progbits', ".text"]
    for function in sorted(functions):
        lines += [f".globl {function.name}", f".type {function.name},@function"]
        lines += [f"{function.name}: ud2"]
    return "\n".join(lines) + "\n"


def build_stub(target: Path, functions: set[Function]) -> None:
    """Assembles and links one stub under its library name."""
    with tempfile.TemporaryDirectory() as folder:
        source, compiled, script = (Path(folder, name) for name in ("stub.s", "stub.o", "map"))
        source.write_text(assembly(functions))
        script.write_text(version_script(functions))
        run("as", "-o", str(compiled), str(source))
        options = ["-shared", "-soname", target.name, "-o", str(target)]
        if script.stat().st_size:
            options.append(f"--version-script={script}")
        run("ld", *options, str(compiled))


def main() -> int:
    """Builds the stubs into torch's own library folder below SITE_PACKAGES."""
    folder = Path(sys.argv[1], "torch", "lib")
    for name in NEVER_LOADED:
        (folder / name).unlink()
    libraries = sorted(folder.glob("*.so*"))
    asked = asked_functions(libraries)
    for soname in sorted(missing_libraries(libraries)):
        build_stub(folder / soname, asked[soname])
        sys.stdout.write(f"{soname}: {len(asked[soname])} functions\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
